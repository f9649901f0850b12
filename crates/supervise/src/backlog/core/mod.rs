//! The requests of a backlog as a pure machine: what happened and the time go in, what has come of whom comes out.
//!
//! It has no clock, tells nobody and drops nothing of a user's: whoever holds its lock performs that later.

#[cfg(test)]
mod model;
mod request;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(super) use self::request::{Ended, Given, Held, Why};
use self::request::{Out, Stage, Waiting};
use super::limits::{Limits, WhenFull};
#[cfg(landfall_faults)]
use crate::faults::{self, Fault};

/// Which request; a later one has a greater number, and no number is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Number(u64);

/// Why a request is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It alone is more than may be held.
    TooLarge,
    /// So many requests are held, or so many bytes with it, that it does not fit.
    Full {
        requests: usize,
        bytes: usize,
    },
    Closed,
}

/// What the backlog lets happen.
///
/// | phase    | event                                 | next     | requests that wait                    |
/// |----------|---------------------------------------|----------|---------------------------------------|
/// | `Open`   | close                                 | `Drains` | are still given                       |
/// | any      | hand back                             | `Closed` | end; later ones too, as they are lost |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Nothing more is taken in; what waits is still given.
    Drains,
    /// Nothing waits any more.
    Closed,
}

/// What was counted since the backlog was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) taken_in: u64,
    pub(super) refused: u64,
    pub(super) answered: u64,
    pub(super) unknown: u64,
    pub(super) expired: u64,
    pub(super) dropped: u64,
    pub(super) withdrawn: u64,
    pub(super) handed_back: u64,
    pub(super) put_back: u64,
}

/// `Q` is a request, `R` is how its caller is told.
#[derive(Debug)]
pub(super) struct Core<Q, R> {
    limits: Limits,
    phase: Phase,
    /// In order of arrival, also what was put back.
    waiting: BTreeMap<Number, Waiting<Q, R>>,
    /// With the child.
    out: BTreeMap<Number, Out<R>>,
    /// Of those whose callers have not been told.
    deadlines: BTreeSet<(Duration, Number)>,
    /// Of all that wait or are out.
    bytes: usize,
    next: u64,
    counts: Counts,
    /// Who ended, and is to be told once the lock is free.
    ended: Vec<Ended<Q, R>>,
}

impl<Q, R> Core<Q, R> {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            phase: Phase::Open,
            waiting: BTreeMap::new(),
            out: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            bytes: 0,
            next: 0,
            counts: Counts::default(),
            ended: Vec::new(),
        }
    }

    /// Takes a request in; with `DropNewest` it may have ended already.
    pub(super) fn put(
        &mut self,
        request: Q,
        reply: R,
        (bytes, deadline): (usize, Duration),
        now: Duration,
    ) -> Result<Number, (Q, R, Refused)> {
        self.tick(now);
        let is_dropped = match self.room_for(bytes) {
            Ok(()) => false,
            Err(Refused::Full { .. }) if self.limits.when_full == WhenFull::DropNewest => true,
            Err(refused) => {
                self.counts.refused += 1;
                return Err((request, reply, refused));
            }
        };
        let number = self.next_number();
        self.counts.taken_in += 1;
        let held = Held { bytes, deadline, given: 0, reply: Some(reply) };
        if is_dropped {
            self.end(held, Some(request), Why::Dropped);
            return Ok(number);
        }
        self.bytes += bytes;
        self.deadlines.insert((deadline, number));
        self.waiting.insert(number, Waiting { request, stage: Stage::Queued, held });
        Ok(number)
    }

    /// Makes room for a request, if that is what is wanted and there is enough that may be dropped.
    fn room_for(&mut self, bytes: usize) -> Result<(), Refused> {
        if self.phase != Phase::Open {
            return Err(Refused::Closed);
        }
        if bytes > self.limits.bytes_max {
            return Err(Refused::TooLarge);
        }
        let full = Refused::Full { requests: self.held(), bytes: self.bytes };
        let fits =
            |requests: usize, held: usize| requests < self.limits.requests_max && held <= self.limits.bytes_max - bytes;
        let (mut requests, mut held) = (self.held(), self.bytes);
        let mut oldest = Vec::new();
        let mut queued = self.waiting.iter().filter(|(_, waiting)| waiting.stage == Stage::Queued);
        while !fits(requests, held) {
            if self.limits.when_full != WhenFull::DropOldest {
                return Err(full);
            }
            // What was committed is not dropped for a newcomer.
            let Some((number, waiting)) = queued.next() else { return Err(full) };
            oldest.push(*number);
            requests -= 1;
            held -= waiting.held.bytes;
        }
        for number in oldest {
            self.end_waiting(number, Why::Dropped);
        }
        Ok(())
    }

    /// The transition: what is given from here on is committed, and does not expire any more. As many as fit, in order,
    /// the first one however large it is.
    pub(super) fn commit(&mut self, requests_max: usize, bytes_max: usize, now: Duration) -> Vec<Given<Q>> {
        self.tick(now);
        let (mut given, mut bytes) = (Vec::new(), 0_usize);
        while given.len() < requests_max
            && let Some(first) = self.waiting.first_entry()
        {
            bytes = bytes.saturating_add(first.get().held.bytes);
            if bytes > bytes_max && !given.is_empty() {
                break;
            }
            let (number, Waiting { request, mut held, .. }) = first.remove_entry();
            held.given = held.given.saturating_add(1);
            given.push(Given { number, request, deadline: held.deadline, given: held.given });
            self.out.insert(number, Out { held });
        }
        given
    }

    /// An answer has come: who is to have it, if its caller was not told otherwise before.
    pub(super) fn answer(&mut self, number: Number) -> Option<R> {
        let mut held = self.leave(number)?;
        let reply = held.reply.take();
        if reply.is_some() {
            self.counts.answered += 1;
        }
        reply
    }

    /// The child does not want to try it again.
    pub(super) fn give_up(&mut self, number: Number, request: Q) {
        let Some(held) = self.leave(number) else { return self.spend(request) };
        self.end(held, Some(request), Why::Unknown);
    }

    /// The child lost it: it goes back to its place, committed as it is.
    pub(super) fn put_back(&mut self, number: Number, request: Q, now: Duration) {
        self.tick(now);
        let Some(held) = self.leave(number) else { return self.spend(request) };
        self.counts.put_back += 1;
        // Nobody waits for one whose caller was told.
        if held.reply.is_none() || self.phase == Phase::Closed {
            return self.end(held, Some(request), Why::Unknown);
        }
        self.bytes += held.bytes;
        self.deadlines.insert((held.deadline, number));
        #[cfg(landfall_faults)]
        let stage = if faults::is_armed(Fault::ForgetCommit) { Stage::Queued } else { Stage::Back };
        #[cfg(not(landfall_faults))]
        let stage = Stage::Back;
        self.waiting.insert(number, Waiting { request, stage, held });
    }

    /// A caller does not wait any more: what was not committed is not sent.
    pub(super) fn withdraw(&mut self, number: Number) {
        match self.waiting.get(&number).map(|waiting| waiting.stage) {
            Some(Stage::Queued) => self.end_waiting(number, Why::Withdrawn),
            Some(Stage::Back) | None => {}
        }
    }

    /// Ends what is due.
    pub(super) fn tick(&mut self, now: Duration) {
        while self.next_due().is_some_and(|due| due <= now)
            && let Some((_, number)) = self.deadlines.pop_first()
        {
            match self.waiting.get(&number).map(|waiting| waiting.stage) {
                Some(Stage::Queued) => self.end_waiting(number, Why::Expired),
                Some(Stage::Back) => self.end_waiting(number, Why::Unknown),
                None => self.end_out(number),
            }
        }
    }

    /// Which requests that wait are due, and what would come of them; for a planted fault.
    #[cfg(landfall_faults)]
    pub(super) fn due(&self, now: Duration) -> Vec<Number> {
        self.deadlines.iter().take_while(|(due, _)| *due <= now).map(|(_, number)| *number).collect()
    }

    /// Ends what waits and takes more in; for a planted fault.
    #[cfg(landfall_faults)]
    pub(super) fn hand_back_open(&mut self) {
        self.end_all_waiting();
    }

    /// Tells the callers that these have expired, wherever they are by now; for a planted fault.
    #[cfg(landfall_faults)]
    pub(super) fn expire_unlooked(&mut self, due: Vec<Number>) {
        for number in due {
            self.end_waiting(number, Why::Expired);
            if let Some(reply) = self.out.get_mut(&number).and_then(|out| out.held.reply.take()) {
                self.ended.push(Ended { reply: Some(reply), request: None, why: Why::Expired });
            }
        }
    }

    /// When the next request is due.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Takes nothing more in.
    pub(super) fn close(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Drains;
        }
    }

    /// Ends all that waits. What was never committed is handed back.
    pub(super) fn hand_back(&mut self) {
        self.phase = Phase::Closed;
        #[cfg(landfall_faults)]
        if faults::is_armed(Fault::KeepWaiting) {
            return;
        }
        self.end_all_waiting();
    }

    fn end_all_waiting(&mut self) {
        while let Some((number, waiting)) = self.waiting.first_key_value() {
            let (number, why) = (*number, waiting.stage.end(Why::HandedBack));
            self.end_waiting(number, why);
        }
    }

    /// Nobody is to be told anything later: what is out ends too.
    pub(super) fn cut(&mut self) {
        self.hand_back();
        let out: Vec<_> = self.out.keys().copied().collect();
        out.into_iter().for_each(|number| self.end_out(number));
    }

    /// Who ended since this was asked last.
    pub(super) fn take_ended(&mut self) -> Vec<Ended<Q, R>> {
        std::mem::take(&mut self.ended)
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn out(&self) -> usize {
        self.out.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Nothing more comes.
    pub(super) fn is_closed(&self) -> bool {
        self.phase != Phase::Open
    }

    /// Nothing comes any more, and nothing is left.
    pub(super) fn is_over(&self) -> bool {
        self.is_closed() && self.held() == 0
    }

    fn held(&self) -> usize {
        self.waiting.len() + self.out.len()
    }

    /// One that is out is the child's no more.
    fn leave(&mut self, number: Number) -> Option<Held<R>> {
        let Out { held } = self.out.remove(&number)?;
        self.deadlines.remove(&(held.deadline, number));
        self.bytes -= held.bytes;
        Some(held)
    }

    fn end_waiting(&mut self, number: Number, why: Why) {
        let Some(Waiting { request, held, .. }) = self.waiting.remove(&number) else { return };
        self.deadlines.remove(&(held.deadline, number));
        self.bytes -= held.bytes;
        self.end(held, Some(request), why);
    }

    /// The caller of one that is out is told; the request is still the child's.
    fn end_out(&mut self, number: Number) {
        let Some(Out { held }) = self.out.get_mut(&number) else { return };
        self.deadlines.remove(&(held.deadline, number));
        if let Some(reply) = held.reply.take() {
            self.counts.unknown += 1;
            self.ended.push(Ended { reply: Some(reply), request: None, why: Why::Unknown });
        }
    }

    fn end(&mut self, mut held: Held<R>, request: Option<Q>, why: Why) {
        let reply = held.reply.take();
        if reply.is_some() {
            *self.counts.of(why) += 1;
        }
        self.ended.push(Ended { reply, request, why });
    }

    fn spend(&mut self, request: Q) {
        self.ended.push(Ended { reply: None, request: Some(request), why: Why::Unknown });
    }

    fn next_number(&mut self) -> Number {
        self.next += 1;
        Number(self.next)
    }
}

impl Counts {
    fn of(&mut self, why: Why) -> &mut u64 {
        match why {
            Why::Unknown => &mut self.unknown,
            Why::Expired => &mut self.expired,
            Why::Dropped => &mut self.dropped,
            Why::Withdrawn => &mut self.withdrawn,
            Why::HandedBack => &mut self.handed_back,
        }
    }
}
