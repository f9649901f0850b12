//! The batches that are with the broker, in order, with their numbers.

use std::collections::VecDeque;

use kafka_protocol::messages::ProduceRequest;
use landfall_supervise::backlog::Committed;
use tokio::time::Instant;

use super::{Refused, Sent};
use crate::connection::Answer;
use crate::message::Message;

/// Where a producer's numbers begin anew.
const SEQUENCE_MAX: i32 = 1_000_000_000;

/// A batch whose fate is not known.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) sequence: i32,
    records: Vec<Committed<Message, Sent>>,
    /// None until it is sent on the connection that is there now.
    pub(super) answer: Option<Answer<ProduceRequest>>,
    /// It was sent and recalled: it may have been written.
    is_doubtful: bool,
}

/// Who the broker takes the producer for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) producer: i64,
    pub(super) epoch: i16,
}

/// The batches whose fate is not known, oldest first.
#[derive(Debug, Default)]
pub(super) struct Window {
    batches: VecDeque<Batch>,
    identity: Option<Identity>,
    /// Whether the broker has accepted something of this identity: until then it would accept any number.
    is_known: bool,
    next: i32,
}

impl Batch {
    pub(super) fn messages(&self) -> Vec<&Message> {
        self.records.iter().map(Committed::request).collect()
    }

    fn count(&self) -> i32 {
        i32::try_from(self.records.len()).expect("a batch has at most 100,000 records")
    }
}

impl Window {
    /// Who the producer is now. Whoever has nothing out and has used up many numbers is to become somebody else.
    pub(super) fn identity(&mut self) -> Option<Identity> {
        if self.batches.is_empty() && self.next > SEQUENCE_MAX {
            self.identity = None;
        }
        self.identity
    }

    /// Becomes somebody else. What is out is numbered anew: it is known not to be written.
    pub(super) fn become_known_as(&mut self, identity: Identity) {
        self.identity = Some(identity);
        self.is_known = false;
        self.next = 0;
        for batch in &mut self.batches {
            batch.sequence = self.next;
            self.next += batch.count();
        }
    }

    /// Whether another batch may be sent. The first of an identity goes alone: before it is accepted, a broker takes the
    /// one behind it for the first.
    pub(super) fn has_room(&self, in_flight_max: usize) -> bool {
        // With its numbers used up, what is out comes to its end first.
        self.next <= SEQUENCE_MAX && self.batches.len() < self.sent_max(in_flight_max)
    }

    fn sent_max(&self, in_flight_max: usize) -> usize {
        if self.is_known { in_flight_max } else { 1 }
    }

    pub(super) fn push(&mut self, records: Vec<Committed<Message, Sent>>) {
        let batch = Batch { sequence: self.next, records, answer: None, is_doubtful: false };
        self.next += batch.count();
        self.batches.push_back(batch);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    pub(super) fn front_mut(&mut self) -> Option<&mut Batch> {
        self.batches.front_mut()
    }

    /// How many records the oldest batch has.
    pub(super) fn front_count(&self) -> usize {
        self.batches.front().map_or(0, |batch| batch.records.len())
    }

    /// The first that is not sent on the connection that is there now, if one more may be.
    pub(super) fn unsent(&mut self, in_flight_max: usize) -> Option<&mut Batch> {
        let sent_max = self.sent_max(in_flight_max);
        self.batches.iter_mut().take(sent_max).find(|batch| batch.answer.is_none())
    }

    /// What was sent is to be sent again: answers that come are for nobody.
    pub(super) fn recall(&mut self) {
        for batch in &mut self.batches {
            batch.is_doubtful |= batch.answer.take().is_some();
        }
    }

    /// Whether the oldest batch may have been written before, so that a refusal says nothing.
    pub(super) fn is_doubtful(&self) -> bool {
        self.batches.front().is_some_and(|batch| batch.is_doubtful)
    }

    /// What is out becomes somebody else's, all of which is known not to be written: its numbers have a gap before it.
    fn forget_identity(&mut self) {
        self.identity = None;
        for batch in &mut self.batches {
            (batch.answer, batch.is_doubtful) = (None, false);
        }
    }

    /// When nobody waits any more for any of the records.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.batches.iter().flat_map(|batch| &batch.records).map(Committed::deadline).max()
    }

    /// The oldest batch was written, from that offset on.
    pub(super) fn written(&mut self, first: i64) {
        let Some(batch) = self.batches.pop_front() else { return };
        self.is_known = true;
        for (record, offset) in batch.records.into_iter().zip(first..) {
            record.answer(Ok(offset));
        }
    }

    /// The oldest batch was refused for good, so those behind it were not written either. They are sent again by somebody
    /// else: what came before over a lost connection may still be read by the broker, and must not pass for something
    /// that has taken over its number.
    pub(super) fn refused(&mut self, refused: &Refused) {
        let Some(batch) = self.batches.pop_front() else { return };
        self.forget_identity();
        for record in batch.records {
            record.answer(Err(refused.clone()));
        }
    }

    /// The oldest batch is too large for the broker: it is sent again in halves. False if it is a single record.
    pub(super) fn halve(&mut self) -> bool {
        let Some(batch) = self.batches.front_mut().filter(|batch| batch.records.len() > 1) else { return false };
        let records = batch.records.split_off(batch.records.len() / 2);
        // Both are numbered when the producer has become somebody else.
        let rest = Batch { sequence: batch.sequence, records, answer: None, is_doubtful: false };
        self.batches.insert(1, rest);
        self.forget_identity();
        true
    }

    /// Nothing of what is out is sent again: it may have been written, or may not. What comes later is by somebody else.
    pub(super) fn give_up(&mut self) {
        self.identity = None;
        for batch in self.batches.drain(..) {
            for record in batch.records {
                record.give_up();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window that is never empty would count on beyond what a number can be.
    #[test]
    fn with_its_numbers_used_up_a_producer_sends_no_more_until_it_is_somebody_else() {
        let identity = Identity { producer: 1, epoch: 0 };
        let mut window = Window { identity: Some(identity), is_known: true, next: SEQUENCE_MAX, ..Window::default() };
        assert!(window.has_room(5));
        window.push(Vec::new());
        window.next += 1;
        assert_eq!((window.has_room(5), window.identity()), (false, Some(identity)));
        window.written(0);
        assert_eq!(window.identity(), None);
        window.become_known_as(identity);
        assert!(window.has_room(5));
    }
}
