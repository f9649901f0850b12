//! How a transaction is begun, and tried again.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt::Debug;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error};
use thiserror::Error as ThisError;

/// How a transaction is begun, and tried again when it met another one.
///
/// Tried again is what fails with a serialization failure, a deadlock or a lock of SQLite's: the error itself or one of its
/// sources has to be Diesel's. Diesel has no kinds for deadlocks and SQLite's locks; these are known by their messages, which
/// PostgreSQL gives in English only if its `lc_messages` is so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retry {
    /// What the transaction is called in logs and errors. Default `transaction`.
    pub name: Cow<'static, str>,
    /// How often it is tried in all. From 1 to 1,000. Default 10.
    pub attempts_max: u32,
    /// The pause after the first attempt; doubled with each further one, and shortened by up to half at random. From 0 to
    /// `backoff_max`. Default 1 ms.
    pub backoff_min: Duration,
    /// The longest pause. At most 1 min. Default 50 ms.
    pub backoff_max: Duration,
    /// Whether it may change anything. Default: as the function says that made this.
    pub access: Access,
    /// What it sees of others on PostgreSQL; on SQLite nothing, whatever this says. Default [`Isolation::Serializable`].
    pub isolation: Isolation,
}

/// What a transaction sees of others that run beside it: the levels of PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Isolation {
    /// Nothing: as if they ran one after the other.
    Serializable,
    /// What was committed when its first statement began.
    RepeatableRead,
    /// What was committed when the statement began.
    ReadCommitted,
}

/// What a transaction may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// It reads and writes. On SQLite it takes the lock for writing when it begins: one that took it later could meet a
    /// writer with which waiting does not help.
    ReadWrite,
    /// It only reads; a statement that writes fails.
    ReadOnly,
}

/// A field of a [`Retry`] has a value that it cannot have.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error("retry field {field} of transaction {name:?} is {value}; allowed: {allowed}")]
#[non_exhaustive]
pub struct RetryError {
    /// The transaction's name.
    pub name: String,
    /// The field.
    pub field: &'static str,
    /// What it was set to.
    pub value: String,
    /// What it may be set to.
    pub allowed: &'static str,
}

impl Retry {
    /// A transaction that sees nothing of others that run beside it, and may write.
    #[must_use]
    pub fn serializable() -> Self {
        Self {
            name: "transaction".into(),
            attempts_max: 10,
            backoff_min: Duration::from_millis(1),
            backoff_max: Duration::from_millis(50),
            access: Access::ReadWrite,
            isolation: Isolation::Serializable,
        }
    }

    /// As [`serializable`](Self::serializable), and may not write.
    #[must_use]
    pub fn read_only() -> Self {
        Self { access: Access::ReadOnly, ..Self::serializable() }
    }

    pub(crate) fn check(&self) -> Result<(), RetryError> {
        let refuse = |field, value: &dyn Debug, allowed| {
            Err(RetryError { name: self.name.to_string(), field, value: format!("{value:?}"), allowed })
        };
        if !(1..=1_000).contains(&self.attempts_max) {
            return refuse("attempts_max", &self.attempts_max, "1 to 1,000");
        }
        if self.backoff_max > Duration::from_secs(60) {
            return refuse("backoff_max", &self.backoff_max, "0 s to 1 min");
        }
        if self.backoff_min > self.backoff_max {
            return refuse("backoff_min", &self.backoff_min, "0 s to backoff_max");
        }
        Ok(())
    }

    /// The pause after so many attempts.
    pub(crate) fn backoff(&self, attempts: u32) -> Duration {
        let doubled = 1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
        let longest = self.backoff_min.saturating_mul(doubled).min(self.backoff_max);
        // The standard library's only source of chance.
        let chance = u32::try_from(RandomState::new().hash_one(attempts) >> 32).unwrap_or(u32::MAX);
        longest - longest.mul_f64(f64::from(chance) / f64::from(u32::MAX) / 2.0)
    }
}

/// Whether an error, or what it came from, says that the same transaction may go well another time.
pub(crate) fn is_transient(error: &(dyn StdError + 'static)) -> bool {
    const LOCKED: [&str; 4] =
        ["database is locked", "database table is locked", "database schema is locked", "deadlock detected"];
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(Error::DatabaseError(kind, details)) = error.downcast_ref() {
            let message = details.message();
            return matches!(kind, DatabaseErrorKind::SerializationFailure)
                || LOCKED.iter().any(|locked| message.starts_with(locked));
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_are_at_most_halved() {
        let retry = Retry::serializable();
        for (attempts, longest_ms) in [(1, 1), (2, 2), (6, 32), (7, 50), (40, 50), (1_000, 50)] {
            let longest = Duration::from_millis(longest_ms);
            let pause = retry.backoff(attempts);
            assert!(pause <= longest && pause >= longest / 2, "{pause:?} after {attempts}");
        }
    }

    #[test]
    fn only_errors_that_may_pass_are_transient() {
        let of = |kind, message: &str| Error::DatabaseError(kind, Box::new(message.to_owned()));
        assert!(is_transient(&of(DatabaseErrorKind::SerializationFailure, "could not serialize access")));
        assert!(is_transient(&of(DatabaseErrorKind::Unknown, "deadlock detected")));
        assert!(is_transient(&of(DatabaseErrorKind::Unknown, "database table is locked: orders")));
        assert!(!is_transient(&of(DatabaseErrorKind::Unknown, "interrupted")));
        assert!(!is_transient(&of(DatabaseErrorKind::UniqueViolation, "UNIQUE constraint failed")));
        assert!(!is_transient(&Error::NotFound));
    }
}
