//! What must hold whatever happens in whatever order, checked on the actions alone as far as that goes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::state::{StartWhy, State, StopWhy};
use super::super::{Action, Call, CallId, Event, Phase};
use super::world::Machine;
use crate::child_id::InstanceId;
use crate::child_state::ChildState;

#[derive(Clone, Debug, Default)]
pub(super) struct Living {
    id: String,
    is_asked: bool,
    is_aborted: bool,
    is_told_stuck: bool,
}

/// Watches a machine.
#[derive(Debug)]
pub(super) struct Audit<E> {
    pub(super) machine: E,
    pub(super) now: Duration,
    pub(super) live: BTreeMap<InstanceId, Living>,
    waiting: BTreeSet<u64>,
    calls: u64,
    pub(super) has_ended: bool,
    /// When one-for-one restarts were made, for the arithmetic of the window.
    restarts: Vec<Duration>,
    is_plain: bool,
}

impl<E: Machine> Audit<E> {
    /// `is_plain`: a one-for-one supervisor in true time without delays, whose restarts can be counted from outside.
    pub(super) fn new(machine: E, is_plain: bool) -> Self {
        let (live, waiting) = (BTreeMap::new(), BTreeSet::new());
        let now = Duration::ZERO;
        Self { machine, now, live, waiting, calls: 0, has_ended: false, restarts: Vec::new(), is_plain }
    }

    pub(super) fn call(&mut self, call: Call<&'static str>) -> Result<(), String> {
        self.calls += 1;
        self.waiting.insert(self.calls);
        self.tell(Event::Call(CallId(self.calls), call))
    }

    pub(super) fn tell(&mut self, event: Event<&'static str>) -> Result<(), String> {
        match &event {
            Event::Exited(instance, _) => drop(self.live.remove(instance)),
            Event::Stuck(instance) => {
                if let Some(living) = self.live.get_mut(instance) {
                    living.is_told_stuck = true;
                }
            }
            _ => {}
        }
        let had_ended = self.has_ended;
        let restarting: Vec<_> = self.rows(ChildState::is_restarting);
        for action in self.machine.on(event, self.now) {
            if had_ended && !matches!(action, Action::Reply(..)) {
                return Err(format!("after the end: {action:?}"));
            }
            self.look_at(action, &restarting)?;
        }
        self.look_at_state()
    }

    fn rows(&self, is: fn(ChildState) -> bool) -> Vec<String> {
        let rows = self.machine.engine().rows();
        rows.iter().filter(|row| is(row.state)).map(|row| row.spec.id.to_string()).collect()
    }

    fn look_at(&mut self, action: Action<&'static str>, restarting: &[String]) -> Result<(), String> {
        match action {
            Action::Start { instance, spec, .. } => {
                let id = spec.id.to_string();
                if !self.machine.engine().is_by_instance() && self.live.values().any(|living| living.id == id) {
                    return Err(format!("a second instance of {id}"));
                }
                if self.live.insert(instance, Living { id, ..Living::default() }).is_some() {
                    return Err(format!("{instance} was used twice"));
                }
                self.count_restart(instance, restarting)?;
            }
            Action::Stop { instance, .. } => {
                self.check_order(instance)?;
                let living = self.live.get_mut(&instance).ok_or_else(|| format!("a stop of {instance}, gone"))?;
                if std::mem::replace(&mut living.is_asked, true) || living.is_aborted {
                    return Err(format!("{instance} is asked to stop again"));
                }
            }
            Action::Abort { instance } => {
                self.check_order(instance)?;
                let living = self.live.get_mut(&instance).ok_or_else(|| format!("an abort of {instance}, gone"))?;
                if std::mem::replace(&mut living.is_aborted, true) {
                    return Err(format!("{instance} is aborted again"));
                }
            }
            Action::Reply(call, _) => {
                if !self.waiting.remove(&call.0) {
                    return Err(format!("{call:?} has its answer already"));
                }
            }
            Action::Ended(_) => {
                self.has_ended = true;
                if !self.live.is_empty() {
                    return Err(format!("ended with {:?}", self.live));
                }
            }
            Action::Report { .. }
            | Action::Progress { .. }
            | Action::Changed { .. }
            | Action::Up
            | Action::Straggling => {}
        }
        Ok(())
    }

    /// In a group, or at the end: nobody is stopped while a later one lives, unless that one is stuck or order is over.
    fn check_order(&self, instance: InstanceId) -> Result<(), String> {
        let engine = self.machine.engine();
        let is_ordered = match &engine.phase {
            Phase::Restarting(_) => true,
            Phase::Stopping(_) => {
                !engine.is_by_instance() && engine.budget.is_none_or(|budget| self.now < budget.abort)
            }
            _ => false,
        };
        let Some(key) = engine.children.of_instance(instance).filter(|_| is_ordered) else { return Ok(()) };
        // One that is stopped for a reason of its own, a call or what its end left behind, has no turn to wait for.
        if !matches!(engine.state(key), Some(State::Stopping { why: StopWhy::Group | StopWhy::Ending, .. })) {
            return Ok(());
        }
        for later in engine.children.keys_after(key) {
            let state = engine.children.get(later).map(super::super::Child::state);
            let is_stuck = matches!(state, Some(State::Stuck { .. }));
            if let Some(living) = state.and_then(|state| self.live.get(&state.instance()?))
                && !is_stuck
            {
                return Err(format!("{instance} is stopped before {living:?}"));
            }
        }
        Ok(())
    }

    /// No period has more restarts than the intensity allows.
    fn count_restart(&mut self, instance: InstanceId, restarting: &[String]) -> Result<(), String> {
        let engine = self.machine.engine();
        let starting = engine.children.of_instance(instance).and_then(|key| engine.state(key));
        let is_restart = matches!(starting, Some(State::Starting { why: StartWhy::Restart, .. }));
        if !self.is_plain || !is_restart {
            return Ok(());
        }
        self.restarts.push(self.now);
        let (intensity, period) = (engine.settings().intensity as usize, engine.settings().period);
        let count = self.restarts.iter().filter(|at| self.now - **at <= period).count();
        if count > intensity {
            return Err(format!("{count} restarts in {period:?}, with {restarting:?} restarting before"));
        }
        Ok(())
    }

    fn look_at_state(&self) -> Result<(), String> {
        let engine = self.machine.engine();
        if engine.next_due().is_some_and(|due| due <= self.now) {
            return Err("a timer that is due was not taken".to_owned());
        }
        if engine.rows().len() > engine.settings().children_max {
            return Err(format!("{} children", engine.rows().len()));
        }
        if engine.calls > engine.settings().calls_max {
            return Err(format!("{} calls wait", engine.calls));
        }
        for row in engine.rows() {
            let living = row.instance.map(|instance| self.live.get(&instance));
            match (row.state, living) {
                (_, Some(None)) => return Err(format!("{row:?} has an instance that has gone")),
                (ChildState::Stuck, Some(Some(living))) if !living.is_aborted && !living.is_told_stuck => {
                    return Err(format!("{living:?} is stuck and was never aborted"));
                }
                _ => {}
            }
        }
        let counts = engine.rows().iter().filter(|row| row.state.is_active()).count();
        if counts != engine.counts().active {
            return Err(format!("{counts} are active and {} are counted", engine.counts().active));
        }
        Ok(())
    }

    /// Whatever was going on, a termination whose children end at last comes to its end, with every call answered.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        let budget = super::super::Budget { grace: self.now, abort: self.now };
        self.tell(Event::Terminate(budget))?;
        for _ in 0..1_000 {
            let Some(instance) = self.live.keys().next().copied() else { break };
            self.tell(Event::Exited(instance, crate::exit::Exit::Aborted))?;
        }
        if !self.has_ended {
            return Err("it never ended".to_owned());
        }
        if !self.waiting.is_empty() {
            return Err(format!("no answer to {:?}", self.waiting));
        }
        Ok(())
    }
}
