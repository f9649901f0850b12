//! Restarts: of one child, or of a group that is stopped in reverse order and started in order.

use std::collections::VecDeque;

use super::children::Key;
use super::state::{StartWhy, State, StopWhy};
use super::{Engine, Phase};
use crate::policy::Strategy;

/// A group restart: first the stops, newest first, then the starts.
#[derive(Debug)]
pub(super) struct Group {
    /// Oldest first: the next one is the last.
    pub(super) stops: Vec<Key>,
    pub(super) starts: VecDeque<Key>,
    /// The child that is being stopped or started.
    pub(super) current: Option<Key>,
}

impl<M: Clone> Engine<M> {
    /// Restarts a child that has no instance, and whom the strategy puts with it.
    pub(super) fn attempt(&mut self, key: Key) {
        let (stops, starts) = match self.settings.strategy {
            Strategy::OneForOne | Strategy::SimpleOneForOne | Strategy::Dynamic => {
                return self.start(key, StartWhy::Restart);
            }
            Strategy::RestForOne => {
                let after = self.children.keys_after(key);
                let starts = std::iter::once(key).chain(after.iter().copied()).collect();
                (after, starts)
            }
            Strategy::OneForAll => {
                let all = self.children.keys();
                let starts = all.iter().copied().collect();
                (all.into_iter().filter(|other| *other != key).collect(), starts)
            }
        };
        self.phase = Phase::Restarting(Group { stops, starts, current: None });
        self.step();
    }

    pub(super) fn step_group(&mut self) {
        loop {
            let Phase::Restarting(group) = &mut self.phase else { return };
            if group.current.is_some() {
                return;
            }
            if let Some(key) = group.stops.pop() {
                group.current = Some(key);
                if self.stop_in_group(key) {
                    return;
                }
            } else if let Some(key) = group.starts.pop_front() {
                group.current = Some(key);
                // One that is stuck is left out, and so is one that went because it was temporary.
                if matches!(self.state(key), Some(State::Down | State::Retrying)) {
                    self.start(key, StartWhy::Restart);
                    return;
                }
            } else {
                self.phase = Phase::Running;
                return;
            }
            if let Phase::Restarting(group) = &mut self.phase {
                group.current = None;
            }
        }
    }

    /// Stops a child for a group restart; whether its end is to be waited for.
    fn stop_in_group(&mut self, key: Key) -> bool {
        match self.state(key) {
            Some(State::Running { .. }) => {
                self.begin_stop(key, StopWhy::Group);
                true
            }
            Some(State::Stopping { instance, stage, why: StopWhy::OwnEnd }) => {
                self.set(key, State::Stopping { instance, stage, why: StopWhy::Group });
                true
            }
            Some(State::Lost { exit }) => {
                self.report_stop(key, &exit);
                self.rest(key);
                false
            }
            Some(State::Down | State::Retrying | State::Waiting) => {
                self.rest(key);
                false
            }
            // In a group strategy a call's start or stop is over before a group restart begins.
            Some(State::Starting { .. } | State::Stopping { .. } | State::Stuck { .. }) | None => false,
        }
    }

    /// The child at which a group restart is failed to start, or was told not to: the restart ends here, and those
    /// after it stay down until somebody wants them, as in OTP.
    pub(super) fn leave_group(&mut self, key: Key) {
        match &self.phase {
            Phase::Restarting(group) if group.current == Some(key) => self.phase = Phase::Running,
            _ => self.settled(key),
        }
    }
}
