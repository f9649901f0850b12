//! The backends as the core sees them: how many slots each has, which are idle, whether it answers.

use std::sync::Arc;

use super::at::At;
use super::slots::Counts;
use super::standing::{Ejections, Holds, Record, Standing};
use crate::backend::Backend;
use crate::claim::ConnectError;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};

/// How many attempts in a row must fail before a backend is taken for failing: one failure among successes says
/// nothing, and must not hold up the others.
pub(crate) const FAILING_FROM: u32 = 2;

/// One backend. What changes with each claim is its first cache line, for the reason given at [`Core`](super::Core).
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Entry {
    pub(crate) counts: Counts,
    /// What goes well with it is of interest too: see [`Self::note_watched`].
    pub(crate) is_watched: bool,
    /// Slots with an idle connection; the last one is the one used last.
    pub(crate) idle: Vec<u32>,
    /// Where it is among those with idle connections.
    pub(crate) idle_at: Option<u32>,
    pub(crate) backend: Arc<Backend>,
    /// The resolver has it no longer: its connections are closed when they come back, nothing new is opened.
    pub(crate) is_removed: bool,
    /// How many attempts have failed in a row.
    pub(crate) failures: u32,
    /// How many connections in a row were no good from the start: they were opened, and then failed to be made ready.
    pub(crate) unsound: u32,
    pub(crate) standing: Standing,
    pub(crate) record: Record,
    pub(crate) ejections: Ejections,
    pub(crate) holds: Holds,
    pub(crate) uses_failed: u64,
    /// Grows with each failure that counts, so that attempts begun before it are not counted as further ones.
    pub(crate) round: u64,
    /// When the next attempt may begin, while it is failing.
    pub(crate) retry_at: At,
    /// When the last attempt began.
    pub(crate) tried_at: At,
    /// A connect was given up because it was not answered, and none has been answered since.
    pub(crate) was_silent: bool,
    /// How many probes are on their way.
    pub(crate) probes: u32,
    pub(crate) last_error: Option<ConnectError>,
    pub(crate) failed_at: At,
    pub(crate) connects: u64,
    pub(crate) connects_failed: u64,
    /// Of connections that are gone; the others are counted where they are.
    pub(crate) claims: u64,
    /// How many were shown last.
    pub(crate) claims_shown: u64,
}

impl Entry {
    pub(super) fn new(backend: Arc<Backend>) -> Self {
        Self {
            backend,
            // The set that brings it says otherwise.
            is_removed: true,
            counts: Counts::default(),
            idle: Vec::new(),
            idle_at: None,
            failures: 0,
            is_watched: false,
            unsound: 0,
            standing: Standing::Full,
            record: Record::default(),
            ejections: Ejections::default(),
            holds: Holds::default(),
            uses_failed: 0,
            round: 0,
            retry_at: At::default(),
            tried_at: At::default(),
            was_silent: false,
            probes: 0,
            last_error: None,
            failed_at: At::default(),
            connects: 0,
            connects_failed: 0,
            claims: 0,
            claims_shown: 0,
        }
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.failures_in_a_row() >= FAILING_FROM
    }

    pub(crate) fn is_ejected(&self) -> bool {
        matches!(self.standing, Standing::Ejected { .. })
    }

    /// Whether it answers, and takes part in full.
    pub(crate) fn is_available(&self) -> bool {
        !self.is_failing() && self.standing == Standing::Full
    }

    pub(crate) fn stand(&mut self, standing: Standing) {
        self.standing = standing;
        self.note_watched();
    }

    /// Forgets how its uses went.
    pub(crate) fn begin_anew(&mut self) {
        self.record = Record::default();
        self.ejections.begin_anew();
        self.stand(Standing::Full);
    }

    /// To be called after a change of what it is made of: releases look at nothing else.
    pub(crate) fn note_watched(&mut self) {
        self.is_watched = self.unsound > 0 || self.record.is_open() || self.standing != Standing::Full;
    }

    pub(crate) fn failures_in_a_row(&self) -> u32 {
        self.failures.max(self.unsound)
    }

    /// How busy it is: what is out, and a little for each failure.
    pub(crate) fn load(&self) -> usize {
        self.counts.out() + self.failures_in_a_row() as usize
    }

    /// Whether one more use is to be expected to come back from it no later than from another one: by how many there are
    /// before it, for its weight, and how long each takes if that is known of both.
    pub(crate) fn is_no_slower_than(&self, other: &Self, now: At) -> bool {
        let (here, there) = (self.holds.usual(now), other.holds.usual(now));
        #[cfg(landfall_faults)]
        let here = if is_armed(Fault::ForgetHolds) { 0 } else { here };
        let [here, there] = if here == 0 || there == 0 { [1, 1] } else { [here, there] };
        let until_back = |entry: &Self, each: u64| entry.weighed((entry.load() + 1).saturating_mul(each as usize));
        until_back(self, here) <= until_back(other, there)
    }
}

/// The backends, in places that stay the same while anything refers to them.
#[derive(Debug, Default)]
pub(crate) struct Backends {
    pub(super) entries: Vec<Option<Entry>>,
    /// Places without one.
    pub(super) vacant: Vec<u32>,
    /// Those that the resolver has.
    pub(crate) current: Vec<u32>,
    /// How many probes are on their way to any of them.
    pub(crate) probes: u32,
    /// One of those that the resolver has is failing.
    pub(crate) has_failing: bool,
    /// Those with idle connections, in no order.
    pub(crate) with_idle: Vec<u32>,
    /// The resolver has given a set, be it empty.
    pub(crate) is_resolved: bool,
    /// Those that the resolver has differ in priority.
    pub(super) has_priorities: bool,
}

impl Backends {
    #[inline]
    pub(crate) fn get(&self, index: u32) -> &Entry {
        self.entries[index as usize].as_ref().expect("a slot refers to it")
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> &mut Entry {
        self.entries[index as usize].as_mut().expect("a slot refers to it")
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().flatten()
    }

    /// For how many there are places.
    pub(crate) fn places(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn each_with_place(&self) -> impl Iterator<Item = (usize, &Entry)> {
        self.entries.iter().enumerate().filter_map(|(place, entry)| Some((place, entry.as_ref()?)))
    }

    pub(crate) fn each_with_place_mut(&mut self) -> impl Iterator<Item = (usize, &mut Entry)> {
        self.entries.iter_mut().enumerate().filter_map(|(place, entry)| Some((place, entry.as_mut()?)))
    }

    /// What the last failed attempt came to, of those backends that are in use.
    pub(crate) fn last_error(&self) -> Option<ConnectError> {
        let failed = self.current.iter().map(|index| self.get(*index)).filter(|entry| entry.last_error.is_some());
        failed.max_by_key(|entry| entry.failed_at).and_then(|entry| entry.last_error.clone())
    }

    /// Notes that a slot has become idle.
    pub(crate) fn add_idle(&mut self, index: u32, slot: u32) {
        let entry = self.get_mut(index);
        entry.idle.push(slot);
        if entry.idle_at.is_none() {
            self.join_idle(index);
        }
    }

    /// Takes a backend in among those with idle slots.
    pub(crate) fn join_idle(&mut self, index: u32) {
        self.get_mut(index).idle_at = Some(self.with_idle.len() as u32);
        self.with_idle.push(index);
    }

    #[inline]
    pub(crate) fn has_idle(&self) -> bool {
        !self.with_idle.is_empty()
    }

    /// Takes the idle slot used last.
    pub(crate) fn pop_idle(&mut self, index: u32) -> Option<u32> {
        let entry = self.get_mut(index);
        let slot = entry.idle.pop();
        if entry.idle.is_empty() {
            self.leave_idle(index);
        }
        slot
    }

    /// Takes one particular idle slot.
    pub(crate) fn remove_idle(&mut self, index: u32, slot: u32) {
        let idle = &mut self.get_mut(index).idle;
        if let Some(place) = idle.iter().position(|it| *it == slot) {
            idle.remove(place);
        }
        if idle.is_empty() {
            self.leave_idle(index);
        }
    }

    /// Takes all idle slots but these out.
    pub(crate) fn keep_idle(&mut self, which: impl Fn(u32) -> bool) {
        for place in (0..self.with_idle.len()).rev() {
            let index = self.with_idle[place];
            let idle = &mut self.get_mut(index).idle;
            idle.retain(|slot| which(*slot));
            if idle.is_empty() {
                self.leave_idle(index);
            }
        }
    }

    /// Takes a backend out from among those with idle slots.
    pub(crate) fn leave_idle(&mut self, index: u32) {
        if let Some(place) = self.get_mut(index).idle_at.take() {
            self.with_idle.swap_remove(place as usize);
            if let Some(moved) = self.with_idle.get(place as usize).copied() {
                self.get_mut(moved).idle_at = Some(place);
            }
        }
    }

    /// Whether no backend can be expected to give a connection: there is none, or all are failing.
    pub(crate) fn is_offline(&self) -> bool {
        self.is_resolved && self.current.iter().all(|index| self.get(*index).is_failing())
    }
}
