//! Stops: ask, wait, abort, wait; and what follows when the instance has ended.

use std::time::Duration;

use super::children::Key;
use super::event::{Action, CallId, Reply};
use super::starts::StartFault;
use super::state::{Stage, StartWhy, State, StopWhy, Then};
use super::{Engine, Phase};
use crate::call_error::{DeleteChildError, TerminateChildError};
use crate::child_id::{ChildRef, InstanceId};
use crate::exit::Exit;
use crate::policy::{RestartType, ShutdownPolicy};
use crate::report::{ReportContext, ReportReason};

/// The least time that an aborted instance gets while the supervisor's time for aborting in order is shared out.
const SHARE_MIN: Duration = Duration::from_millis(10);

impl<M: Clone> Engine<M> {
    /// Stops the instance of a child by its shutdown policy and what is left of the budget.
    pub(super) fn begin_stop(&mut self, key: Key, why: StopWhy) {
        let Some(child) = self.children.get(key) else { return };
        let Some(instance) = child.state().instance() else { return };
        let grace = self.budget.map(|budget| budget.grace);
        let own = match child.spec.shutdown {
            ShutdownPolicy::BrutalKill => Some(self.now),
            ShutdownPolicy::Timeout(limit) => Some(self.now + limit),
            ShutdownPolicy::Infinity => None,
        };
        let is_brutal = child.spec.shutdown == ShutdownPolicy::BrutalKill;
        if is_brutal || grace.is_some_and(|grace| grace <= self.now) {
            return self.abort(key, instance, why);
        }
        let until = [own, grace].into_iter().flatten().min();
        let limit = until.map(|until| until.saturating_sub(self.now));
        self.set(key, State::Stopping { instance, stage: Stage::Asked, why });
        self.children.set_timer(key, until);
        self.actions.push(Action::Stop { instance, limit });
    }

    /// Aborts an instance, and gives it the time until it counts as stuck.
    pub(super) fn abort(&mut self, key: Key, instance: InstanceId, why: StopWhy) {
        self.set(key, State::Stopping { instance, stage: Stage::Aborted, why });
        let until = self.stuck_at();
        self.children.set_timer(key, Some(until));
        self.actions.push(Action::Abort { instance });
    }

    /// When an instance that is aborted now counts as stuck.
    pub(super) fn stuck_at(&self) -> Duration {
        match self.budget {
            Some(budget) if budget.grace <= self.now => {
                let left = u32::try_from(self.left_to_end() + 1).unwrap_or(u32::MAX);
                let share = budget.abort.saturating_sub(self.now) / left;
                (self.now + share.max(SHARE_MIN)).min(budget.abort)
            }
            Some(budget) => (self.now + self.settings.stuck_after).min(budget.abort),
            None => self.now + self.settings.stuck_after,
        }
    }

    /// The time of a child is over.
    pub(super) fn due(&mut self, key: Key) {
        match self.state(key) {
            Some(State::Starting { instance, why }) => self.abort(key, instance, StopWhy::TimedOut(why)),
            Some(State::Stopping { instance, stage: Stage::Asked, why }) => self.abort(key, instance, why),
            Some(State::Stopping { stage: Stage::Aborted, .. }) => self.become_stuck(key),
            Some(State::Waiting) => self.delay_passed(key),
            Some(State::Down | State::Running { .. } | State::Lost { .. } | State::Retrying | State::Stuck { .. })
            | None => {}
        }
    }

    /// Nothing is left of an instance that was being stopped.
    pub(super) fn stopped(&mut self, key: Key, why: StopWhy, exit: Exit) {
        self.children.set_timer(key, None);
        match why {
            StopWhy::TimedOut(start) => {
                let limit = self.children.get(key).and_then(|child| child.spec.start_limit).unwrap_or_default();
                return self.start_ended(key, start, Exit::StartTimedOut { limit });
            }
            StopWhy::StartEnd(start) => return self.start_ended(key, start, exit),
            StopWhy::OwnEnd => return self.ended_by_itself(key, exit),
            StopWhy::Call(_) | StopWhy::Group | StopWhy::Ending => self.report_stop(key, &exit),
            StopWhy::Cancel { .. } => {}
        }
        match why {
            StopWhy::Call(call) => self.reply_stopped(call, false),
            StopWhy::Cancel { start, by, is_delete } => {
                self.reply_start(key, start, Err(StartFault::Cancelled));
                self.reply_stopped(by, is_delete);
            }
            StopWhy::TimedOut(_) | StopWhy::StartEnd(_) | StopWhy::OwnEnd | StopWhy::Group | StopWhy::Ending => {}
        }
        if let Phase::Stopping(_) = self.phase {
            return self.gone_in_end(key);
        }
        match why {
            StopWhy::Cancel { start: StartWhy::New(_), .. } | StopWhy::Cancel { is_delete: true, .. } => {
                self.set(key, State::Down);
                self.forget(key);
                self.settled(key);
            }
            StopWhy::Cancel { start: StartWhy::Restart, .. } => {
                self.rest(key);
                self.leave_group(key);
            }
            _ => {
                self.rest(key);
                self.settled(key);
            }
        }
    }

    /// Reports a stop that went otherwise than it should; of a template's instances only how many in the end.
    pub(super) fn report_stop(&mut self, key: Key, exit: &Exit) {
        let Some(child) = self.children.get(key) else { return };
        if exit.is_expected(child.spec.restart.kind, child.spec.shutdown) {
            return;
        }
        match &mut self.phase {
            Phase::Stopping(end) if self.template.is_some() => end.count_unexpected(exit),
            _ => self.report(key, ReportContext::ShutdownError, ReportReason::Exit(exit.clone())),
        }
    }

    fn reply_stopped(&mut self, call: CallId, is_delete: bool) {
        let reply = if is_delete { Reply::Delete(Ok(())) } else { Reply::Terminate(Ok(())) };
        self.actions.push(Action::Reply(call, reply));
    }

    /// Answers who waited for an instance that is stuck, and says what is done once it has gone.
    pub(super) fn reply_stuck(&mut self, key: Key, instance: InstanceId, why: StopWhy) -> Then {
        let Some(child) = self.children.get(key) else { return Then::Rest };
        let is_temporary = child.spec.restart.kind == RestartType::Temporary;
        let child =
            if self.is_by_instance() { ChildRef::Instance(instance) } else { ChildRef::Id(child.spec.id.clone()) };
        let stuck = TerminateChildError::Stuck { child: child.clone(), instance };
        match why {
            StopWhy::Call(call) => {
                self.actions.push(Action::Reply(call, Reply::Terminate(Err(stuck))));
                Then::Rest
            }
            StopWhy::Cancel { start, by, is_delete } => {
                self.reply_start(key, start, Err(StartFault::Cancelled));
                let reply = match is_delete {
                    true => Reply::Delete(Err(DeleteChildError::Stuck { child, instance })),
                    false => Reply::Terminate(Err(stuck)),
                };
                self.actions.push(Action::Reply(by, reply));
                if is_delete || matches!(start, StartWhy::New(_)) { Then::Remove } else { Then::Rest }
            }
            StopWhy::TimedOut(start) | StopWhy::StartEnd(start) => {
                self.reply_start(key, start, Err(StartFault::Failed(Exit::Straggler)));
                match start {
                    StartWhy::New(_) => Then::Remove,
                    StartWhy::Restart => Then::Restart,
                    StartWhy::Initial | StartWhy::Again(_) => Then::Rest,
                }
            }
            StopWhy::OwnEnd => Then::Judge,
            // A temporary child is not started again after a group restart.
            StopWhy::Group if is_temporary => Then::Rest,
            StopWhy::Group => Then::Restart,
            StopWhy::Ending => Then::Rest,
        }
    }
}
