//! Starts: of the static children, by a call, by a restart.

use std::collections::VecDeque;

use super::children::Key;
use super::event::{Action, Reply, Up};
use super::state::{StartWhy, State};
use super::{Deferred, Engine, Phase, Starts};
use crate::call_error::{RestartChildError, StartChildError};
use crate::child_id::{ChildRef, InstanceId};
use crate::exit::Exit;
use crate::policy::RestartType;
use crate::report::{EndCause, Offender, ReportContext, ReportReason};

impl<M: Clone> Engine<M> {
    pub(super) fn begin(&mut self) {
        if let Phase::New = self.phase {
            let left = VecDeque::from(self.children.keys());
            self.phase = Phase::Starting(Starts { left, current: None });
            self.step();
        }
    }

    /// Starts the next static child, if none is starting.
    pub(super) fn step_starts(&mut self) {
        let Phase::Starting(starts) = &mut self.phase else { return };
        if starts.current.is_some() {
            return;
        }
        match starts.left.pop_front() {
            Some(key) => {
                starts.current = Some(key);
                self.start(key, StartWhy::Initial);
            }
            None => {
                self.phase = Phase::Running;
                self.actions.push(Action::Up);
            }
        }
    }

    /// Starts an instance of a child that has none.
    pub(super) fn start(&mut self, key: Key, why: StartWhy) {
        let instance = self.next_instance(key);
        let Some(child) = self.children.get_mut(key) else { return };
        // What a temporary child is made from is not kept: it is never started again.
        let is_once = child.spec.restart.kind == RestartType::Temporary;
        let make = if is_once { child.make.take() } else { child.make.clone() };
        let make = make.expect("a temporary child is gone after its only start");
        let spec = child.spec.clone();
        let limit = spec.start_limit.map(|limit| self.now + limit);
        self.set(key, State::Starting { instance, why });
        self.children.set_timer(key, limit);
        self.actions.push(Action::Start { instance, spec, make });
    }

    pub(super) fn ready(&mut self, instance: InstanceId) {
        let Some(key) = self.children.of_instance(instance) else { return };
        // Whoever is being stopped may have become ready just before; its end is what counts.
        let Some(State::Starting { instance: starting, why }) = self.state(key) else { return };
        if starting != instance {
            return;
        }
        self.children.set_timer(key, None);
        self.set(key, State::Running { instance, since: self.now });
        let Some(child) = self.children.get_mut(key) else { return };
        child.restarts += u64::from(why == StartWhy::Restart);
        let offender = Offender::new(&child.spec, Some(instance), None);
        self.actions.push(Action::Progress { offender, by_call: why.call().is_some() });
        self.reply_start(key, why, Ok(Up::Instance(instance)));
        self.settled(key);
    }

    /// A start has come to nothing, and nothing of its instance is left.
    pub(super) fn start_ended(&mut self, key: Key, why: StartWhy, exit: Exit) {
        self.children.set_timer(key, None);
        if let Phase::Stopping(_) = self.phase {
            self.reply_start(key, why, Err(StartFault::Cancelled));
            self.gone_in_end(key);
            return;
        }
        if exit == Exit::Declined {
            self.reply_start(key, why, Ok(Up::Declined));
            self.rest(key);
            self.settled(key);
            return;
        }
        match why {
            StartWhy::Initial => {
                self.report(key, ReportContext::StartError, ReportReason::Exit(exit.clone()));
                let child = self.children.get(key).map(|child| child.spec.id.clone());
                self.set(key, State::Down);
                if let Some(child) = child {
                    self.end(EndCause::StartFailed { child, cause: exit });
                }
            }
            StartWhy::New(_) => {
                self.reply_start(key, why, Err(StartFault::Failed(exit)));
                self.set(key, State::Down);
                self.forget(key);
                self.settled(key);
            }
            StartWhy::Again(_) => {
                self.reply_start(key, why, Err(StartFault::Failed(exit)));
                self.rest(key);
                self.settled(key);
            }
            StartWhy::Restart => {
                self.report(key, ReportContext::StartError, ReportReason::Exit(exit));
                self.set(key, State::Retrying);
                self.deferred.push_back(Deferred::TryAgain(key));
                self.leave_group(key);
            }
        }
    }

    /// Answers the call that a start was for.
    pub(super) fn reply_start(&mut self, key: Key, why: StartWhy, result: Result<Up, StartFault>) {
        let Some(child) = self.children.get(key) else { return };
        let id = child.spec.id.clone();
        let (call, reply) = match why {
            StartWhy::Initial | StartWhy::Restart => return,
            StartWhy::New(call) => {
                let result = result.map_err(|fault| match fault {
                    StartFault::Failed(cause) => StartChildError::Failed { id, cause },
                    StartFault::Cancelled => StartChildError::Cancelled { id },
                });
                (call, Reply::Start(result))
            }
            StartWhy::Again(call) => {
                let child = ChildRef::Id(id);
                let result = result.map_err(|fault| match fault {
                    StartFault::Failed(cause) => RestartChildError::Failed { child, cause },
                    StartFault::Cancelled => RestartChildError::Cancelled { child },
                });
                (call, Reply::Restart(result))
            }
        };
        self.actions.push(Action::Reply(call, reply));
    }
}

/// Why the start that a call asked for came to nothing.
#[derive(Debug)]
pub(super) enum StartFault {
    Failed(Exit),
    Cancelled,
}
