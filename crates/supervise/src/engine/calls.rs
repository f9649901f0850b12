//! Calls that change something, and OTP's answers to them.

use super::children::Key;
use super::event::{Action, Call, CallId, Reply};
use super::state::{StartWhy, State, StopWhy};
use super::{Deferred, Engine, Phase};
use crate::call_error::{DeleteChildError, Refused, RestartChildError, StartChildError, TerminateChildError};
use crate::child_id::{ChildRef, InstanceId};
use crate::spec::Spec;

impl<M: Clone> Engine<M> {
    /// Takes a call: does it, keeps it for later, or refuses it.
    pub(super) fn accept(&mut self, id: CallId, call: Call<M>) {
        if matches!(self.phase, Phase::New | Phase::Stopping(_) | Phase::Ended) {
            return self.refuse(id, call, Refused::Terminating);
        }
        let is_running = matches!(self.phase, Phase::Running);
        if self.cancels_a_start(&call) || (is_running && !self.waits_for_its_child(&call)) {
            return self.perform(id, call);
        }
        let calls_max = self.settings.calls_max;
        if self.calls >= calls_max {
            return self.refuse(id, call, Refused::Busy { calls_max });
        }
        self.calls += 1;
        self.deferred.push_back(Deferred::Call(id, call));
    }

    /// Whether a call is about a child that is starting, and ends that start: it need not wait for it.
    fn cancels_a_start(&self, call: &Call<M>) -> bool {
        match call {
            Call::Terminate(_) | Call::Delete(_) => {
                matches!(self.state_of_target(call), Some(State::Starting { .. }))
            }
            Call::Start { .. } | Call::StartInstance { .. } | Call::Restart(_) => false,
        }
    }

    /// Whether a call is about a child that is in the midst of what another call asked for.
    pub(super) fn waits_for_its_child(&self, call: &Call<M>) -> bool {
        match self.state_of_target(call) {
            Some(State::Stopping { .. }) => true,
            Some(State::Starting { why: StartWhy::New(_) | StartWhy::Again(_), .. }) => {
                matches!(call, Call::Start { .. } | Call::Restart(_))
            }
            _ => false,
        }
    }

    fn state_of_target(&self, call: &Call<M>) -> Option<State> {
        let key = match call {
            Call::Start { spec, .. } => self.children.of_id(&spec.id),
            Call::StartInstance { .. } => None,
            Call::Restart(child) | Call::Delete(child) => self.by_id(child),
            Call::Terminate(child) if self.is_by_instance() => self.children.find(child),
            Call::Terminate(child) => self.by_id(child),
        };
        self.state(key?)
    }

    pub(super) fn perform(&mut self, id: CallId, call: Call<M>) {
        match call {
            Call::Start { spec, make } => self.start_child(id, spec, make),
            Call::StartInstance { make } => self.start_instance(id, make),
            Call::Restart(child) => self.restart_child(id, child),
            Call::Delete(child) => self.delete_child(id, child),
            Call::Terminate(child) => self.terminate_child(id, child),
        }
    }

    fn start_child(&mut self, id: CallId, spec: Spec, make: M) {
        let fault = if self.template.is_some() {
            Some(StartChildError::SimpleOneForOne)
        } else if let Some(key) = self.children.of_id(&spec.id) {
            Some(match self.state(key) {
                Some(State::Running { instance, .. } | State::Stuck { instance, .. }) => {
                    StartChildError::AlreadyStarted { id: spec.id.clone(), instance }
                }
                _ => StartChildError::AlreadyPresent { id: spec.id.clone() },
            })
        } else {
            self.children_max()
        };
        if let Some(fault) = fault {
            self.spent.makes.push(make);
            return self.reply(id, Reply::Start(Err(fault)));
        }
        let key = self.children.insert(spec, make, !self.is_by_instance());
        self.start_by_call(key, StartWhy::New(id));
    }

    fn start_instance(&mut self, id: CallId, make: M) {
        let template = self.template.clone().ok_or(StartChildError::NoTemplate);
        match template.and_then(|template| self.children_max().map_or(Ok(template), Err)) {
            Ok(template) => {
                let key = self.children.insert(template, make, false);
                self.start_by_call(key, StartWhy::New(id));
            }
            Err(fault) => {
                self.spent.makes.push(make);
                self.reply(id, Reply::Start(Err(fault)));
            }
        }
    }

    fn children_max(&self) -> Option<StartChildError> {
        let children_max = self.settings.children_max;
        (self.children.len() >= children_max).then_some(StartChildError::ChildrenMax { children_max })
    }

    fn start_by_call(&mut self, key: Key, why: StartWhy) {
        self.be_busy(key);
        self.start(key, why);
    }

    /// In a group strategy no restart may cut in while a call starts or stops one of the group.
    fn be_busy(&mut self, key: Key) {
        if self.settings.strategy.is_group() && matches!(self.phase, Phase::Running) {
            self.phase = Phase::Busy(key);
        }
    }

    fn restart_child(&mut self, id: CallId, child: ChildRef) {
        let fault = match self.by_id(&child).and_then(|key| Some((key, self.state(key)?))) {
            _ if self.is_by_instance() => RestartChildError::SimpleOneForOne,
            None => RestartChildError::NotFound { child },
            Some((key, State::Down)) => return self.start_by_call(key, StartWhy::Again(id)),
            Some((_, State::Running { instance, .. } | State::Stopping { instance, .. })) => {
                RestartChildError::Running { child, instance }
            }
            Some((_, State::Stuck { instance, .. })) => RestartChildError::Stuck { child, instance },
            Some((_, State::Starting { .. } | State::Lost { .. } | State::Retrying | State::Waiting)) => {
                RestartChildError::Restarting { child }
            }
        };
        self.reply(id, Reply::Restart(Err(fault)));
    }

    fn delete_child(&mut self, id: CallId, child: ChildRef) {
        let result = match self.by_id(&child).and_then(|key| Some((key, self.state(key)?))) {
            _ if self.is_by_instance() => Err(DeleteChildError::SimpleOneForOne),
            None => Err(DeleteChildError::NotFound { child }),
            Some((key, State::Down)) => {
                self.forget(key);
                Ok(())
            }
            Some((key, State::Starting { why, .. })) if why != StartWhy::Restart => {
                return self.begin_stop(key, StopWhy::Cancel { start: why, by: id, is_delete: true });
            }
            Some((_, State::Running { instance, .. } | State::Stopping { instance, .. })) => {
                Err(DeleteChildError::Running { child, instance })
            }
            Some((_, State::Stuck { instance, .. })) => Err(DeleteChildError::Stuck { child, instance }),
            Some((_, State::Starting { .. } | State::Lost { .. } | State::Retrying | State::Waiting)) => {
                Err(DeleteChildError::Restarting { child })
            }
        };
        self.reply(id, Reply::Delete(result));
    }

    fn terminate_child(&mut self, id: CallId, child: ChildRef) {
        let key = match &child {
            ChildRef::Id(_) if self.is_by_instance() => {
                return self.reply(id, Reply::Terminate(Err(TerminateChildError::SimpleOneForOne)));
            }
            ChildRef::Instance(instance) if self.is_by_instance() => {
                let key = self.children.of_instance(*instance);
                if key.is_none() && self.is_of_the_past(*instance) {
                    return self.reply(id, Reply::Terminate(Ok(())));
                }
                key
            }
            child => self.by_id(child),
        };
        let Some((key, state)) = key.and_then(|key| Some((key, self.state(key)?))) else {
            return self.reply(id, Reply::Terminate(Err(TerminateChildError::NotFound { child })));
        };
        match state {
            State::Running { .. } => {
                self.be_busy(key);
                self.begin_stop(key, StopWhy::Call(id));
            }
            State::Starting { why, .. } => {
                self.begin_stop(key, StopWhy::Cancel { start: why, by: id, is_delete: false });
            }
            State::Lost { .. } | State::Retrying | State::Waiting | State::Down => {
                self.rest(key);
                self.reply(id, Reply::Terminate(Ok(())));
            }
            State::Stuck { instance, .. } | State::Stopping { instance, .. } => {
                self.reply(id, Reply::Terminate(Err(TerminateChildError::Stuck { child, instance })));
            }
        }
    }

    /// An instance that was one of this supervisor's: terminating it again is done already.
    fn is_of_the_past(&self, instance: InstanceId) -> bool {
        instance.supervisor == self.number && instance.number <= self.instances
    }

    /// A child by its id; an instance is none.
    fn by_id(&self, child: &ChildRef) -> Option<Key> {
        match child {
            ChildRef::Id(id) => self.children.of_id(id),
            ChildRef::Instance(_) => None,
        }
    }

    pub(super) fn refuse(&mut self, id: CallId, call: Call<M>, refused: Refused) {
        let reply = match call {
            Call::Start { make, .. } | Call::StartInstance { make } => {
                self.spent.makes.push(make);
                Reply::Start(Err(refused.into()))
            }
            Call::Restart(_) => Reply::Restart(Err(refused.into())),
            Call::Delete(_) => Reply::Delete(Err(refused.into())),
            Call::Terminate(_) => Reply::Terminate(Err(refused.into())),
        };
        self.reply(id, reply);
    }

    fn reply(&mut self, id: CallId, reply: Reply) {
        self.actions.push(Action::Reply(id, reply));
    }
}
