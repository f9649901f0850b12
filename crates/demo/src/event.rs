//! What an event is, and the states it goes through.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::time::Duration;

/// Names an event; never used twice in one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub(crate) struct EventId(pub(crate) i64);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for EventId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

/// An event that is not stored yet. It has no `Debug`: bodies are the clients' matter.
pub(crate) struct NewEvent {
    /// The whole URL.
    pub(crate) target: String,
    /// JSON, as the client wrote it.
    pub(crate) body: String,
}

/// An event that was leased to be delivered.
#[derive(PartialEq, Eq)]
pub(crate) struct Leased {
    pub(crate) id: EventId,
    pub(crate) target: String,
    pub(crate) body: String,
    /// Attempts that failed before.
    pub(crate) attempts: u32,
}

/// What is said of an event to whoever asks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct EventView {
    pub(crate) id: EventId,
    pub(crate) target: String,
    pub(crate) state: State,
    pub(crate) attempts: u32,
    pub(crate) error: Option<String>,
}

/// Where an event is between its acceptance and its end.
///
/// | from      | change      | to          |
/// |-----------|-------------|-------------|
/// | `Waiting` | `Lease`     | `Leased`    |
/// | `Leased`  | `Deliver`   | `Delivered` |
/// | `Leased`  | `Retry`     | `Waiting`   |
/// | `Leased`  | `GiveBack`  | `Waiting`   |
/// | `Leased`  | `Exhaust`   | `Dead`      |
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Accepted, and to be leased when it is due.
    Waiting,
    /// Being delivered by one instance of the relay.
    Leased,
    /// Its target said yes. Final.
    Delivered,
    /// It was tried often enough: a dead letter. Final.
    Dead,
}

/// What happens to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Lease,
    Deliver,
    Retry,
    GiveBack,
    Exhaust,
}

impl State {
    pub(crate) const ALL: [Self; 4] = [Self::Waiting, Self::Leased, Self::Delivered, Self::Dead];

    pub(crate) fn on(self, change: Change) -> Option<Self> {
        Some(match (self, change) {
            (Self::Waiting, Change::Lease) => Self::Leased,
            (Self::Leased, Change::Deliver) => Self::Delivered,
            (Self::Leased, Change::Retry | Change::GiveBack) => Self::Waiting,
            (Self::Leased, Change::Exhaust) => Self::Dead,
            // A lease that was given back and one that was never had are settled alike: nothing changes.
            (Self::Waiting | Self::Delivered | Self::Dead, _) | (Self::Leased, Change::Lease) => return None,
        })
    }

    /// The word that stands for it in the database.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Leased => "leased",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// How a lease ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settlement {
    /// The target took it.
    Delivered,
    /// The attempt failed; try again after this long.
    Retry { after: Duration, error: String },
    /// The attempt failed and was the last.
    Dead { error: String },
    /// The attempt was not made, or its result is unknown; it does not count.
    GivenBack,
}

impl Settlement {
    pub(crate) fn change(&self) -> Change {
        match self {
            Self::Delivered => Change::Deliver,
            Self::Retry { .. } => Change::Retry,
            Self::Dead { .. } => Change::Exhaust,
            Self::GivenBack => Change::GiveBack,
        }
    }
}

/// How many events are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) waiting: u64,
    pub(crate) leased: u64,
    pub(crate) delivered: u64,
    pub(crate) dead: u64,
}

impl Counts {
    /// Events that are accepted and neither delivered nor dead.
    pub(crate) fn backlog(&self) -> u64 {
        self.waiting.saturating_add(self.leased)
    }

    pub(crate) fn of(&mut self, state: State) -> &mut u64 {
        match state {
            State::Waiting => &mut self.waiting,
            State::Leased => &mut self.leased,
            State::Delivered => &mut self.delivered,
            State::Dead => &mut self.dead,
        }
    }

    pub(crate) fn shift(&mut self, from: State, to: State) {
        let from = self.of(from);
        *from = from.saturating_sub(1);
        *self.of(to) += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lease_leads_anywhere_and_the_ends_are_final() {
        use Change::{Deliver, Exhaust, GiveBack, Lease, Retry};
        for state in State::ALL {
            let ways = [Lease, Deliver, Retry, GiveBack, Exhaust].map(|change| state.on(change));
            let (waiting, leased) = (Some(State::Waiting), Some(State::Leased));
            assert_eq!(
                ways,
                match state {
                    State::Waiting => [leased, None, None, None, None],
                    State::Leased => [None, Some(State::Delivered), waiting, waiting, Some(State::Dead)],
                    State::Delivered | State::Dead => [None; 5],
                }
            );
        }
    }

    #[test]
    fn the_words_in_the_database_read_back() {
        assert!(State::ALL.iter().all(|state| State::from_word(state.word()) == Some(*state)));
        assert_eq!(State::from_word("lost"), None);
    }
}
