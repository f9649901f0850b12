//! What may happen to a pool, each as one step.

use std::panic::Location;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::ranks::Ranks;
use super::{Conn, Model, Place, Tamper};
use crate::backend::Backend;
use crate::claim::ConnectError;
use crate::core::standing::Tried;
use crate::core::{Begun, Effects, Failure, Kind, Polled, Returned, Taken};
use crate::policy::Policy;

impl Model {
    pub(super) fn claim(&mut self) {
        let (had_idle, in_line) = (self.core.counts.of(Kind::Idle), self.core.queue.queued());
        let best_idle = self.best_idle();
        // The short way is one of two that have to come to the same.
        let waiter = if self.random.below(4) == 0 {
            Err(self.waiter())
        } else {
            let waiter = self.waiter();
            self.core.line_up(waiter, &mut false)
        };
        let waiter = match waiter {
            Ok(id) => {
                assert_eq!(had_idle, 0, "it waits beside idle connections");
                self.line.push_back(id);
                return;
            }
            Err(waiter) => waiter,
        };
        let (begun, effects) = self.core.take_or_wait(self.now, waiter, Location::caller(), false);
        match begun {
            Begun::Hit(grip, conn) => {
                assert!(had_idle > 0 && in_line == 0, "{in_line} were overtaken");
                self.judge_hit(grip.id, best_idle);
                self.hold(grip.id, conn);
            }
            Begun::Waits(id) => self.line.push_back(id),
            Begun::Full { waiting } => assert!(waiting >= self.core.policy().waiters_max),
            Begun::Closed => assert!(self.is_closed),
        }
        self.absorb(effects);
    }

    pub(super) fn try_claim(&mut self) {
        let best_idle = self.best_idle();
        match self.core.take(self.recent(), Location::caller(), false, &mut false) {
            Taken::Hit(grip, conn) => {
                self.judge_hit(grip.id, best_idle);
                self.hold(grip.id, conn);
            }
            Taken::Miss => {}
            Taken::Closed => assert!(self.is_closed),
        }
    }

    pub(super) fn give_back(&mut self) {
        let Some((slot, conn)) = Self::pick(&mut self.random, &mut self.held) else { return };
        if self.random.below(10) == 0 {
            self.conns.remove(&conn);
            self.reported.remove(&conn);
            let hold = self.hold_of();
            let effects = self.core.take_out(slot, hold, self.now);
            return self.absorb(effects);
        }
        let how =
            [Returned::Fit, Returned::Fit, Returned::Fit, Returned::Recycle, Returned::Broken][self.random.below(5)];
        self.moves(conn, Place::Core);
        let told = if self.tamper == Tamper::BrokenIsFit { Returned::Fit } else { how };
        self.used(slot, conn, told != Returned::Broken);
        if how == Returned::Broken {
            self.spoilt.insert(conn);
        }
        let (hold, recent) = (self.hold_of(), self.recent());
        let now = if hold.is_timed || told != Returned::Fit { self.now } else { recent };
        let back = self.core.give_back(slot, conn, told, hold, now);
        self.absorb_back(back);
    }

    pub(super) fn poll(&mut self) {
        let Some(id) = Self::pick(&mut self.random, &mut self.aside) else { return };
        let now = self.now;
        let (polled, effects) = match self.core.collect(id, Location::caller(), || now) {
            Some(polled) => (polled, Effects::none()),
            None => self.core.poll_waiter(id, Waker::noop().clone(), Location::caller(), || now),
        };
        match polled {
            Polled::Hit { grip, connection, .. } => self.hold(grip.id, connection),
            Polled::Waits => self.aside.push(id),
            Polled::Failed(Failure::Closed) => assert!(self.is_closed),
            Polled::Failed(Failure::TimedOut(_) | Failure::Offline) => {}
        }
        self.absorb(effects);
    }

    pub(super) fn cancel(&mut self) {
        let from_line = !self.line.is_empty() && self.random.below(2) == 0;
        let id = if from_line {
            let place = self.random.below(self.line.len());
            self.line.remove(place)
        } else {
            Self::pick(&mut self.random, &mut self.aside)
        };
        let Some(id) = id else { return };
        if self.tamper == Tamper::ForgetCancelledGrant {
            drop(self.core.queue.remove(id));
            return;
        }
        let effects = self.core.cancel(id, self.now);
        self.absorb(effects);
    }

    pub(super) fn connect_over(&mut self) {
        let Some(slot) = Self::pick(&mut self.random, &mut self.connecting) else { return };
        let effects = match self.random.below(6) {
            0 => self.core.vacated(slot, false, self.now),
            1..=2 => {
                let backend = Backend::from(std::net::SocketAddr::from(([127, 0, 0, 1], 1)));
                let source: Box<dyn std::error::Error + Send + Sync> = "planned".into();
                let failure = ConnectError::Failed { backend, source: Arc::from(source) };
                self.core.connect_failed(slot, failure, self.now)
            }
            _ => {
                self.next += 1;
                let conn = Conn(self.next);
                self.conns.insert(conn, Place::Core);
                self.core.connected(slot, conn, None, self.now)
            }
        };
        self.absorb(effects);
    }

    pub(super) fn check_over(&mut self) {
        let Some((slot, conn)) = Self::pick(&mut self.random, &mut self.checking) else { return };
        let effects = match self.random.below(4) {
            0 => {
                self.conns.remove(&conn);
                self.core.vacated(slot, false, self.now)
            }
            1 => {
                self.spoilt.insert(conn);
                self.closing.push((slot, conn));
                self.tried(slot, Tried::Check, false);
                self.core.check_failed(slot, self.now)
            }
            _ => {
                self.moves(conn, Place::Core);
                self.tried(slot, Tried::Check, true);
                self.core.checked(slot, conn, self.now)
            }
        };
        self.absorb(effects);
    }

    pub(super) fn closed(&mut self) {
        let Some((slot, conn)) = Self::pick(&mut self.random, &mut self.closing) else { return };
        self.conns.remove(&conn);
        if self.tamper == Tamper::ForgetClosed {
            return;
        }
        let effects = self.core.vacated(slot, false, self.now);
        self.absorb(effects);
    }

    pub(super) fn pass_time(&mut self) {
        self.now = self.now.plus(Duration::from_millis(self.random.below(150) as u64));
        let (_, effects) = self.core.tick(self.now);
        self.absorb(effects);
        self.judge_preference();
    }

    pub(super) fn rare(&mut self) {
        let effects = match self.random.below(24) {
            0 if !self.is_closed => {
                self.is_closed = true;
                self.core.close(self.now)
            }
            1..=6 => {
                self.set = self.random.below(8) as u8;
                if self.random.below(2) == 0 {
                    self.ranks = Ranks::draw(&mut self.random);
                }
                return self.resolve();
            }
            7..=10 => {
                let slots_max = 1 + self.random.below(6);
                let policy = Policy { slots_max, slots_per_backend_max: None, ..self.core.policy().clone() };
                self.slots_max = self.slots_max.max(slots_max);
                self.core.resize(policy, self.now)
            }
            11..=14 => {
                // What is granted is as good as claimed: its claim may still take it.
                let known = self.conns.iter().filter(|(_, place)| **place != Place::Core).map(|(conn, _)| *conn);
                self.spoilt.extend(known);
                self.core.evict(self.now)
            }
            15..=18 => {
                // Something that a holder was waiting to be prepared.
                let Some((slot, conn)) = Self::pick(&mut self.random, &mut self.held) else { return };
                if self.reported.contains(&conn) {
                    return self.held.push((slot, conn));
                }
                self.moves(conn, Place::Core);
                let waiter = self.waiter();
                let (id, effects) = self.core.check_for_claim(slot, conn, None, waiter, self.now);
                self.aside.push(id);
                effects
            }
            _ => {
                // A holder tells of a failure.
                let Some((slot, conn)) = Self::pick(&mut self.random, &mut self.held) else { return };
                self.held.push((slot, conn));
                self.reported.insert(conn);
                self.tried(slot, Tried::Use, false);
                self.core.report_failure(slot, self.now)
            }
        };
        self.absorb(effects);
    }
}
