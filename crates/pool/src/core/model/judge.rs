//! What holds after each step, and when everything has come to rest.

use super::{Conn, Model, Place, Tamper};
use crate::core::standing::Tried;
use crate::core::{Kind, Returned, Slot, SlotState, Wait};
use crate::policy::Policy;

impl Model {
    /// What holds after each step.
    pub(super) fn judge(&self) {
        let counted = |kind| self.core.slots.iter().filter(|slot| slot.state.kind() == kind).count();
        use Kind::{Checking, Claimed, Closing, Connecting, Granted, Idle};
        for kind in [Checking, Claimed, Closing, Connecting, Granted, Idle] {
            assert_eq!(self.core.counts.of(kind), counted(kind), "{kind:?} drifted");
        }
        for (place, entry) in self.core.backends.each_with_place() {
            let of_it = |slot: &&Slot<Conn>| slot.backend as usize == place && slot.state.kind() != Kind::Vacant;
            let slots = || self.core.slots.iter().filter(of_it).map(|slot| slot.state.kind());
            let out = slots().filter(|kind| matches!(kind, Claimed | Granted)).count();
            assert_eq!((entry.counts.used(), entry.counts.out()), (slots().count(), out), "{} drifted", entry.backend);
        }
        assert_eq!(counted(Claimed), self.held.len(), "handles");
        assert_eq!(counted(Connecting), self.connecting.len(), "connects");
        assert_eq!(counted(Checking), self.checking.len(), "checks");
        assert_eq!(counted(Closing), self.closing.len(), "closes");
        let in_core = self.conns.values().filter(|place| **place == Place::Core).count();
        assert_eq!(counted(Idle) + counted(Granted), in_core, "connections in the core");
        let used = self.conns.len() + self.connecting.len();
        assert!(used <= self.slots_max, "{used} are more than the cap ever was");
        assert_eq!(self.core.counts.used(), used, "what counts against the cap");
        assert_eq!(self.core.queue.queued(), self.line.len(), "the line");
        assert_eq!(self.core.queue.len(), self.line.len() + self.aside.len(), "all who wait");
        assert!(counted(Idle) == 0 || self.line.is_empty(), "idle connections beside claims in line");
        self.judge_service();
        let is_failing = |index: &u32| self.core.backends.get(*index).is_failing();
        let has_failing = self.core.backends.current.iter().any(is_failing);
        assert!(self.is_closed || self.core.backends.has_failing == has_failing, "whether a backend is failing");
        let probes: u32 = self.core.backends.each().map(|entry| entry.probes).sum();
        assert_eq!(self.core.backends.probes, probes, "probes");
        if self.is_closed {
            let is_told = |wait| matches!(wait, Wait::Failed(_));
            assert!(self.core.queue.each().all(|(_, wait, ..)| is_told(wait)), "somebody waits after the end");
        }
        let with_idle: usize = self.core.backends.each().map(|entry| entry.idle.len()).sum();
        assert_eq!(with_idle, counted(Idle), "idle lists");
    }

    /// Whoever waits is being served: by a check for him, or by a connect if there is room for one where it is
    /// answered.
    fn judge_service(&self) {
        let checked_for = |id| {
            let until =
                |slot: &Slot<Conn>| matches!(slot.state, SlotState::Checking { until, .. } if until == Some(id));
            self.core.slots.iter().any(until)
        };
        let waits = self.aside.iter().filter(|id| self.core.queue.wait(**id) == Some(Wait::Checking));
        let mut busy = self.held.len() + self.core.counts.of(Kind::Granted);
        for id in waits {
            busy += 1;
            assert!(checked_for(*id), "{id:?} waits for a check that there is not");
        }
        let policy = self.core.policy();
        let has_room = |index: &u32| {
            let entry = self.core.backends.get(*index);
            entry.is_available()
                && self.is_preferred(&entry.backend)
                && entry.counts.used() < policy.slots_per_backend()
        };
        let can_connect = self.core.counts.used() < policy.slots_max && self.core.backends.current.iter().any(has_room);
        let is_served = self.core.counts.live() - self.core.backends.probes as usize >= busy + self.line.len();
        assert!(self.line.is_empty() || is_served || !can_connect, "claims wait, there is room, and nothing is opened");
    }

    /// Everything comes to rest: then all capacity is there, or nothing is left after a close.
    pub(super) fn settle(mut self) {
        if !self.is_closed {
            let policy = Policy { slots_per_backend_max: None, ..self.core.policy().clone() };
            let effects = self.core.resize(policy, self.now);
            self.absorb(effects);
            self.set = 0b111;
            self.resolve();
        }
        let tamper = self.tamper;
        for _ in 0..10_000 {
            if let Some(id) = self.line.pop_front().or_else(|| self.aside.pop()) {
                let effects = self.core.cancel(id, self.now);
                self.absorb(effects);
            } else if let Some((slot, conn)) = self.held.pop() {
                self.moves(conn, Place::Core);
                self.used(slot, conn, true);
                let hold = self.hold_of();
                let back = self.core.give_back(slot, conn, Returned::Fit, hold, self.now);
                self.absorb_back(back);
            } else if let Some((slot, conn)) = self.checking.pop() {
                self.moves(conn, Place::Core);
                self.tried(slot, Tried::Check, true);
                let effects = self.core.checked(slot, conn, self.now);
                self.absorb(effects);
            } else if let Some(slot) = self.connecting.pop() {
                self.next += 1;
                self.conns.insert(Conn(self.next), Place::Core);
                let effects = self.core.connected(slot, Conn(self.next), None, self.now);
                self.absorb(effects);
            } else if !self.closing.is_empty() {
                self.closed();
            } else {
                break;
            }
            if tamper == Tamper::Nothing {
                self.listener.follow(&self.core, self.now, tamper);
                self.judge();
            }
        }
        self.judge();
        if self.is_closed {
            assert_eq!(self.core.counts.used(), 0, "left after the end: {:?}", self.core.slots);
            assert!(self.conns.is_empty());
            return;
        }
        self.claim_all();
    }

    fn claim_all(mut self) {
        let wanted = self.core.policy().slots_max;
        for _ in 0..wanted {
            self.claim();
        }
        for _ in 0..1_000 {
            if self.held.len() == wanted {
                return;
            }
            self.pass_time();
            while let Some(slot) = self.connecting.pop() {
                self.next += 1;
                self.conns.insert(Conn(self.next), Place::Core);
                let effects = self.core.connected(slot, Conn(self.next), None, self.now);
                self.absorb(effects);
            }
            while let Some((slot, conn)) = self.checking.pop() {
                self.moves(conn, Place::Core);
                self.tried(slot, Tried::Check, true);
                let effects = self.core.checked(slot, conn, self.now);
                self.absorb(effects);
            }
            while !self.closing.is_empty() {
                self.closed();
            }
            for _ in 0..self.aside.len() {
                self.poll();
            }
            while self.core.queue.len() + self.held.len() < wanted {
                self.claim();
            }
        }
        panic!("of {wanted} slots {} could be claimed", self.held.len());
    }
}
