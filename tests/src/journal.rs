//! What was accepted against what arrived: whether an event was lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::findings::{Findings, Kind};

/// What the relay calls an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventId(pub i64);

/// What we call an event: it stands in its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(pub u64);

/// The arrivals of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What stood in its body.
    pub number: Number,
    /// When it arrived first.
    pub first: Instant,
    /// When it arrived last.
    pub last: Instant,
    /// How often.
    pub times: u64,
}

/// What the relay says of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It will be delivered.
    Pending,
    /// It is a dead letter.
    Dead,
    /// It was delivered.
    Delivered,
    /// It is not known, or there is no answer.
    Unknown,
}

impl Sight {
    /// The relay's word for it.
    pub fn of(word: &str) -> Self {
        match word {
            "waiting" | "leased" => Self::Pending,
            "dead" => Self::Dead,
            "delivered" => Self::Delivered,
            _ => Self::Unknown,
        }
    }
}

/// The events that were answered with 202.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    accepted: BTreeMap<EventId, Number>,
    /// Ids that were given twice.
    reused: Vec<EventId>,
}

/// What became of them.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// What is wrong.
    pub findings: Findings,
    /// Arrivals of an event after its first.
    pub redelivered: u64,
    /// Events that arrived though their acceptance was never seen: the answer got lost.
    pub unseen: u64,
}

impl Journal {
    /// Notes that an event was accepted.
    pub fn accept(&mut self, id: EventId, number: Number) {
        if self.accepted.insert(id, number).is_some() {
            self.reused.push(id);
        }
    }

    /// How many events were accepted.
    pub fn len(&self) -> usize {
        self.accepted.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.accepted.is_empty()
    }

    /// Those that have not arrived.
    pub fn missing(&self, arrived: &BTreeMap<EventId, Delivery>) -> Vec<EventId> {
        self.accepted.keys().filter(|id| !arrived.contains_key(id)).copied().collect()
    }

    /// Judges: every event that was accepted has arrived as it was posted, or the relay still knows it.
    pub fn judge(&self, arrived: &BTreeMap<EventId, Delivery>, mut sight: impl FnMut(EventId) -> Sight) -> Account {
        let mut account = Account::default();
        for id in &self.reused {
            account.findings.add(Kind::Mixed, format!("the id {} was given twice", id.0));
        }
        for id in self.missing(arrived) {
            match sight(id) {
                Sight::Pending => account.findings.add(Kind::Undelivered, format!("event {} is pending", id.0)),
                Sight::Dead => account.findings.add(Kind::Undelivered, format!("event {} is a dead letter", id.0)),
                Sight::Delivered => {
                    account.findings.add(Kind::Lost, format!("event {} has not arrived; said to be delivered", id.0));
                }
                Sight::Unknown => account.findings.add(Kind::Lost, format!("event {} has not arrived", id.0)),
            }
        }
        let posted: BTreeSet<Number> = self.accepted.values().copied().collect();
        for (id, delivery) in arrived {
            account.redelivered += delivery.times.saturating_sub(1);
            match self.accepted.get(id) {
                Some(number) if *number == delivery.number => {}
                Some(number) => account.findings.add(
                    Kind::Mixed,
                    format!("event {} was posted as {} and arrived as {}", id.0, number.0, delivery.number.0),
                ),
                // Its answer got lost, so it was posted again, until it was accepted.
                None if posted.contains(&delivery.number) => account.unseen += 1,
                None => account.findings.add(Kind::Mixed, format!("event {} was posted by nobody", id.0)),
            }
        }
        account
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(accepted: &[(i64, u64)]) -> Journal {
        let mut journal = Journal::default();
        accepted.iter().for_each(|(id, number)| journal.accept(EventId(*id), Number(*number)));
        journal
    }

    fn arrived(deliveries: &[(i64, u64, u64)]) -> BTreeMap<EventId, Delivery> {
        let at = Instant::now();
        let delivery = |(id, number, times): &(i64, u64, u64)| {
            (EventId(*id), Delivery { number: Number(*number), first: at, last: at, times: *times })
        };
        deliveries.iter().map(delivery).collect()
    }

    #[track_caller]
    fn check(accepted: &[(i64, u64)], deliveries: &[(i64, u64, u64)], sight: Sight, expected: Option<Kind>) {
        let account = journal(accepted).judge(&arrived(deliveries), |_| sight);
        let findings = account.findings;
        assert!(expected.map_or(findings.is_empty(), |kind| findings.has(kind)), "{findings}");
    }

    #[test]
    fn all_that_arrived_is_fine() {
        check(&[(1, 10), (2, 11)], &[(1, 10, 1), (2, 11, 1)], Sight::Unknown, None);
    }

    /// The planted fault: a journal in which one is missing.
    #[test]
    fn one_that_is_nowhere_is_lost() {
        check(&[(1, 10), (2, 11)], &[(1, 10, 1)], Sight::Unknown, Some(Kind::Lost));
    }

    #[test]
    fn what_was_not_delivered_though_the_relay_says_so_is_lost() {
        check(&[(1, 10)], &[], Sight::Delivered, Some(Kind::Lost));
    }

    #[test]
    fn what_the_relay_still_knows_is_not_lost() {
        for sight in [Sight::Pending, Sight::Dead] {
            check(&[(1, 10)], &[], sight, Some(Kind::Undelivered));
            assert!(!journal(&[(1, 10)]).judge(&arrived(&[]), |_| sight).findings.has(Kind::Lost));
        }
    }

    #[test]
    fn bodies_and_ids_belong_together() {
        check(&[(1, 10), (2, 11)], &[(1, 11, 1), (2, 10, 1)], Sight::Unknown, Some(Kind::Mixed));
        check(&[(1, 10), (1, 11)], &[(1, 11, 1)], Sight::Unknown, Some(Kind::Mixed));
        check(&[(1, 10)], &[(1, 10, 1), (2, 12, 1)], Sight::Unknown, Some(Kind::Mixed));
    }

    #[test]
    fn duplicates_are_counted_by_how_they_came_about() {
        let account = journal(&[(1, 10)]).judge(&arrived(&[(1, 10, 3), (2, 10, 1)]), |_| Sight::Unknown);
        assert!(account.findings.is_empty(), "{}", account.findings);
        assert_eq!((account.redelivered, account.unseen), (2, 1));
    }

    #[test]
    fn the_relays_words_are_known() {
        let words = ["waiting", "leased", "dead", "delivered", "other"].map(Sight::of);
        assert_eq!(words, [Sight::Pending, Sight::Pending, Sight::Dead, Sight::Delivered, Sight::Unknown]);
    }
}
