//! Ends of instances, and whether a child is restarted.

use super::children::Key;
use super::state::{StartWhy, State, StopWhy, Then};
use super::{Deferred, Engine, Phase};
use crate::child_id::InstanceId;
use crate::exit::Exit;
use crate::policy::{AutoShutdown, RestartType};
use crate::report::{EndCause, ReportContext, ReportReason};

impl<M: Clone> Engine<M> {
    pub(super) fn exited(&mut self, instance: InstanceId, exit: Exit) {
        if let Exit::Failed(_) = exit {
            // Whatever becomes of it in here, its error is not dropped in here.
            self.spent.exits.push(exit.clone());
        }
        let Some(key) = self.children.of_instance(instance) else { return };
        let Some(state) = self.state(key).filter(|state| state.instance() == Some(instance)) else { return };
        match state {
            State::Starting { why, .. } => self.start_ended(key, why, exit),
            State::Running { since, .. } => {
                self.note_run(key, since);
                // It is no start any more that it could decline.
                let exit = if exit == Exit::Declined { Exit::Normal } else { exit };
                self.ended_by_itself(key, exit);
            }
            State::Stopping { why, .. } => self.stopped(key, why, exit),
            State::Stuck { then, .. } => self.unstuck(key, then, exit),
            State::Down | State::Lost { .. } | State::Retrying | State::Waiting => {}
        }
    }

    /// An instance that ended by itself left something running: that is given the child's stop limit to end.
    pub(super) fn lingers(&mut self, instance: InstanceId) {
        let Some(key) = self.children.of_instance(instance) else { return };
        match self.state(key) {
            Some(State::Running { instance: running, since }) if running == instance => {
                self.note_run(key, since);
                self.begin_stop(key, StopWhy::OwnEnd);
            }
            Some(State::Starting { instance: starting, why }) if starting == instance => {
                self.begin_stop(key, StopWhy::StartEnd(why));
            }
            _ => {}
        }
    }

    /// After a healthy time the delays begin anew.
    fn note_run(&mut self, key: Key, since: std::time::Duration) {
        let ran = self.now.saturating_sub(since);
        if let Some(child) = self.children.get_mut(key)
            && child.spec.restart.backoff.is_some_and(|backoff| ran >= backoff.reset_after)
        {
            child.delays = 0;
        }
    }

    /// Nothing of an instance is left that nobody stopped.
    pub(super) fn ended_by_itself(&mut self, key: Key, exit: Exit) {
        match self.phase {
            Phase::Running => self.own_end(key, exit),
            Phase::Stopping(_) => {
                self.report_stop(key, &exit);
                self.gone_in_end(key);
            }
            Phase::New | Phase::Starting(_) | Phase::Busy(_) | Phase::Restarting(_) | Phase::Ended => {
                self.set(key, State::Lost { exit });
                self.deferred.push_back(Deferred::Exit(key));
                self.settled(key);
            }
        }
    }

    /// Decides what follows from the end of a child by itself.
    pub(super) fn own_end(&mut self, key: Key, exit: Exit) {
        let Some(child) = self.children.get(key) else { return };
        let (kind, significant, id) = (child.spec.restart.kind, child.spec.significant, child.spec.id.clone());
        let restarts = exit.restarts(kind);
        if exit.is_crash(kind) {
            self.report(key, ReportContext::ChildTerminated, ReportReason::Exit(exit));
        }
        if restarts {
            return self.restart(key);
        }
        self.rest(key);
        if kind == RestartType::Intrinsic {
            self.end(EndCause::Intrinsic { child: id });
            return;
        }
        let ends = match self.settings.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => significant,
            AutoShutdown::AllSignificant => significant && self.children.counts().significant == 0,
        };
        if ends {
            self.end(EndCause::AutoShutdown { child: id });
        }
    }

    /// Counts a restart that is due, and tries it, delays it, or gives up.
    pub(super) fn restart(&mut self, key: Key) {
        if self.window.allows_one_more(self.now) {
            self.set(key, State::Retrying);
            return self.attempt(key);
        }
        let Some(child) = self.children.get_mut(key) else { return };
        if let Some(backoff) = child.spec.restart.backoff {
            let delay = backoff.delay(child.delays, self.random.next_part());
            child.delays = child.delays.saturating_add(1);
            self.set(key, State::Waiting);
            self.children.set_timer(key, Some(self.now + delay));
            return;
        }
        let id = child.spec.id.clone();
        self.report(key, ReportContext::Shutdown, ReportReason::ReachedMaxRestartIntensity);
        self.rest(key);
        self.end(EndCause::IntensityReached { child: id });
    }

    /// The delay of a restart has passed. The window is emptied before the attempt, which is not counted itself: else
    /// a period longer than the delay would hold it up for ever (supervisor3).
    pub(super) fn delay_passed(&mut self, key: Key) {
        self.window.clear();
        self.deferred.push_back(Deferred::Uncounted(key));
    }

    /// A child outlived its stop limit and the abort. No second instance is started beside it.
    pub(super) fn become_stuck(&mut self, key: Key) {
        let Some(State::Stopping { instance, why, .. }) = self.state(key) else { return };
        let Some(child) = self.children.get(key) else { return };
        let id = child.spec.id.clone();
        self.report(key, ReportContext::ShutdownError, ReportReason::Exit(Exit::Straggler));
        let then = self.reply_stuck(key, instance, why);
        self.children.set_timer(key, None);
        self.set(key, State::Stuck { instance, then });
        if let Phase::Stopping(_) = self.phase {
            return self.settled(key);
        }
        let is_initial = matches!(why, StopWhy::TimedOut(StartWhy::Initial) | StopWhy::StartEnd(StartWhy::Initial));
        if is_initial {
            self.end(EndCause::StartFailed { child: id, cause: Exit::Straggler });
        } else if self.settings.stuck == crate::policy::StuckPolicy::Escalate {
            self.end(EndCause::Stuck { child: id });
        } else {
            self.settled(key);
        }
    }

    /// A supervisor below says that it cannot end for something that is stuck.
    pub(super) fn stuck_below(&mut self, instance: InstanceId) {
        let Some(key) = self.children.of_instance(instance) else { return };
        let Some(state) = self.state(key).filter(|state| state.instance() == Some(instance)) else { return };
        let why = match state {
            State::Starting { why, .. } => StopWhy::StartEnd(why),
            State::Running { .. } => StopWhy::OwnEnd,
            State::Stopping { why, .. } => why,
            State::Stuck { .. } | State::Down | State::Lost { .. } | State::Retrying | State::Waiting => return,
        };
        self.set(key, State::Stopping { instance, stage: super::state::Stage::Aborted, why });
        self.become_stuck(key);
    }

    /// A stuck instance has gone after all.
    fn unstuck(&mut self, key: Key, then: Then, exit: Exit) {
        if let Phase::Stopping(_) = self.phase {
            return self.gone_in_end(key);
        }
        match then {
            Then::Rest => self.rest(key),
            Then::Remove => {
                self.set(key, State::Down);
                self.forget(key);
            }
            Then::Restart => {
                self.set(key, State::Retrying);
                self.deferred.push_back(Deferred::Uncounted(key));
            }
            Then::Judge => self.ended_by_itself(key, exit),
        }
    }
}
