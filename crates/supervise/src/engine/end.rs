//! The end of the supervisor: children in reverse order, one after the other; instances of a template all at once.

use std::time::Duration;

use super::children::Key;
use super::event::{Action, Budget};
use super::starts::StartFault;
use super::state::{Stage, State, StopWhy};
use super::{Deferred, Engine, Phase};
use crate::call_error::Refused;
use crate::exit::Exit;
#[cfg(landfall_faults)]
use crate::faults::{self, Fault};
use crate::report::{EndCause, Offender, ReportContext, ReportReason};

/// An end under way.
#[derive(Debug)]
pub(super) struct End {
    cause: EndCause,
    /// Oldest first: the next one is the last.
    left: Vec<Key>,
    /// The child that is being stopped.
    pub(super) current: Option<Key>,
    /// The abort instant was reached: there is no order any more.
    is_cut: bool,
    has_told_of_straggling: bool,
    /// How instances of a template ended that did not end as asked, and how many did so.
    unexpected: Vec<(Exit, usize)>,
}

impl End {
    pub(super) fn count_unexpected(&mut self, exit: &Exit) {
        match self.unexpected.iter_mut().find(|(known, _)| known == exit) {
            Some((_, count)) => *count += 1,
            None => self.unexpected.push((exit.clone(), 1)),
        }
    }

    /// How instances ended, where nobody is to hear of it any more.
    pub(super) fn into_exits(self) -> impl Iterator<Item = Exit> {
        self.unexpected.into_iter().map(|(exit, _)| exit)
    }
}

impl<M: Clone> Engine<M> {
    /// Ends the supervisor by these instants; or lets an end under way come no later than by them.
    pub(super) fn terminate(&mut self, budget: Budget) {
        let tightest =
            |before: Budget| Budget { grace: before.grace.min(budget.grace), abort: before.abort.min(budget.abort) };
        match self.phase {
            Phase::New => {
                self.phase = Phase::Ended;
                self.clear();
                self.actions.push(Action::Ended(EndCause::Terminated));
            }
            Phase::Ended => {}
            Phase::Stopping(_) => {
                self.budget = Some(self.budget.map_or(budget, tightest));
                self.tighten();
            }
            Phase::Starting(_) | Phase::Running | Phase::Busy(_) | Phase::Restarting(_) => {
                self.budget = Some(budget);
                self.end(EndCause::Terminated);
            }
        }
    }

    /// Begins the end, unless it has begun.
    pub(super) fn end(&mut self, cause: EndCause) {
        if matches!(self.phase, Phase::Stopping(_) | Phase::Ended) {
            return;
        }
        for deferred in std::mem::take(&mut self.deferred) {
            if let Deferred::Call(id, call) = deferred {
                self.refuse(id, call, Refused::Terminating);
            }
        }
        self.calls = 0;
        let keys = self.children.keys();
        #[cfg(landfall_faults)]
        let keys = if faults::is_armed(Fault::StopInStartOrder) { keys.into_iter().rev().collect() } else { keys };
        let (all_at_once, left) = if self.is_by_instance() { (keys, Vec::new()) } else { (Vec::new(), keys) };
        let (current, unexpected) = (None, Vec::new());
        self.phase =
            Phase::Stopping(End { cause, left, current, is_cut: false, has_told_of_straggling: false, unexpected });
        for key in all_at_once {
            self.stop_in_end(key);
        }
        self.step();
    }

    pub(super) fn step_end(&mut self) {
        loop {
            let Phase::Stopping(end) = &mut self.phase else { return };
            if end.current.is_some() {
                return;
            }
            let Some(key) = end.left.pop() else { return self.finish_end() };
            end.current = Some(key);
            if self.stop_in_end(key) {
                return;
            }
            if let Phase::Stopping(end) = &mut self.phase {
                end.current = None;
            }
        }
    }

    /// Stops one child; whether its end is to be waited for.
    fn stop_in_end(&mut self, key: Key) -> bool {
        match self.state(key) {
            Some(State::Running { .. }) => self.begin_stop(key, StopWhy::Ending),
            Some(State::Starting { why, .. }) => {
                self.reply_start(key, why, Err(StartFault::Cancelled));
                self.begin_stop(key, StopWhy::Ending);
            }
            Some(State::Stopping { .. }) => self.tighten_one(key),
            Some(State::Lost { exit }) => {
                self.report_stop(key, &exit);
                self.set(key, State::Down);
                return false;
            }
            Some(State::Retrying | State::Waiting) => {
                self.children.set_timer(key, None);
                self.set(key, State::Down);
                return false;
            }
            Some(State::Down | State::Stuck { .. }) | None => return false,
        }
        true
    }

    /// Nothing is left of a child while the supervisor ends.
    pub(super) fn gone_in_end(&mut self, key: Key) {
        self.children.set_timer(key, None);
        self.set(key, State::Down);
        self.settled(key);
    }

    fn finish_end(&mut self) {
        let counts = self.children.counts();
        let Phase::Stopping(end) = &mut self.phase else { return };
        if counts.living > 0 {
            if counts.living == counts.stuck && !end.has_told_of_straggling {
                end.has_told_of_straggling = true;
                self.actions.push(Action::Straggling);
            }
            return;
        }
        if let Some(template) = &self.template {
            for (exit, count) in end.unexpected.drain(..) {
                let offender = Offender::new(template, None, Some(count));
                let reason = ReportReason::Exit(exit);
                self.actions.push(Action::Report { context: ReportContext::ShutdownError, reason, offender });
            }
        }
        let cause = end.cause.clone();
        self.phase = Phase::Ended;
        self.clear();
        self.actions.push(Action::Ended(cause));
    }

    /// How many children have not had their turn.
    pub(super) fn left_to_end(&self) -> usize {
        match &self.phase {
            Phase::Stopping(end) => end.left.len(),
            _ => 0,
        }
    }

    /// When order ends and all that is left is aborted.
    pub(super) fn cut_due(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Stopping(end) if !end.is_cut => self.budget.map(|budget| budget.abort),
            _ => None,
        }
    }

    /// Aborts all that is left at once.
    pub(super) fn cut(&mut self) {
        let Phase::Stopping(end) = &mut self.phase else { return };
        end.is_cut = true;
        end.left.clear();
        end.current = None;
        for key in self.children.keys() {
            self.children.set_timer(key, None);
            let (instance, why) = match self.state(key) {
                Some(State::Running { instance, .. }) => (instance, StopWhy::Ending),
                Some(State::Starting { instance, why }) => {
                    self.reply_start(key, why, Err(StartFault::Cancelled));
                    (instance, StopWhy::Ending)
                }
                Some(State::Stopping { instance, stage: Stage::Asked, why }) => (instance, why),
                Some(State::Lost { .. } | State::Retrying | State::Waiting) => {
                    self.set(key, State::Down);
                    continue;
                }
                Some(State::Stopping { stage: Stage::Aborted, .. } | State::Stuck { .. } | State::Down) | None => {
                    continue;
                }
            };
            self.set(key, State::Stopping { instance, stage: Stage::Aborted, why });
            self.actions.push(Action::Abort { instance });
        }
        self.step();
    }

    /// Lets what is being stopped keep the instants that hold now.
    fn tighten(&mut self) {
        for key in self.children.keys() {
            self.tighten_one(key);
        }
    }

    fn tighten_one(&mut self, key: Key) {
        let Some(budget) = self.budget else { return };
        match self.state(key) {
            Some(State::Stopping { stage: Stage::Asked, .. }) => self.children.tighten_timer(key, budget.grace),
            Some(State::Stopping { stage: Stage::Aborted, .. }) => {
                let at = self.stuck_at();
                self.children.tighten_timer(key, at);
            }
            _ => {}
        }
    }
}
