//! What became of the lines.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use landfall_kafka::Sent;
use landfall_supervise::backlog::Unanswered;

/// What became of the lines.
#[derive(Debug, Default)]
pub(super) struct Tally {
    read: AtomicU64,
    sent: AtomicU64,
    refused: AtomicU64,
    expired: AtomicU64,
    dropped: AtomicU64,
    unsent: AtomicU64,
    unknown: AtomicU64,
}

impl Tally {
    pub(super) fn read(&self) -> u64 {
        self.read.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Lines that were read, and whose end came before they were sent.
    pub(super) fn left(&self, lines: usize) {
        let lines = u64::try_from(lines).unwrap_or(u64::MAX);
        self.read.fetch_add(lines, Ordering::Relaxed);
        self.unsent.fetch_add(lines, Ordering::Relaxed);
    }

    /// A line that was not taken in.
    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count(&self, told: Result<Sent, Unanswered>) {
        let counter = match told {
            Ok(Ok(_)) => &self.sent,
            Ok(Err(_)) => &self.refused,
            Err(Unanswered::Expired) => &self.expired,
            Err(Unanswered::Dropped) => &self.dropped,
            Err(Unanswered::Terminating) => &self.unsent,
            // Whatever else may come to be told, that it was not sent is not among it.
            Err(_) => &self.unknown,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether no line was lost, and none may be.
    pub(super) fn is_whole(&self) -> bool {
        let lost = [&self.refused, &self.expired, &self.dropped, &self.unsent, &self.unknown];
        lost.into_iter().all(|count| count.load(Ordering::Relaxed) == 0)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        write!(
            f,
            "lines: {} read, {} sent, {} refused, {} expired, {} dropped, {} not sent, {} unknown",
            count(&self.read),
            count(&self.sent),
            count(&self.refused),
            count(&self.expired),
            count(&self.dropped),
            count(&self.unsent),
            count(&self.unknown),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_that_was_not_sent_is_a_loss() {
        let whole = Tally::default();
        whole.count(Ok(Ok(7)));
        assert!(whole.is_whole());
        for lost in [Unanswered::Expired, Unanswered::Dropped, Unanswered::Terminating, Unanswered::Unknown] {
            let tally = Tally::default();
            tally.count(Err(lost));
            assert!(!tally.is_whole(), "{tally}");
        }
        let left = Tally::default();
        left.left(3);
        assert_eq!((left.is_whole(), left.to_string().contains("3 read")), (false, true));
        let refused = Tally::default();
        refused.refused();
        assert_eq!((refused.is_whole(), refused.to_string().contains("1 refused")), (false, true));
    }
}
