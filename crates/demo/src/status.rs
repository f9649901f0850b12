//! What the relay says of itself while it runs.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use landfall_lifecycle::{SpawnError, TaskSet};
use tokio::time::MissedTickBehavior;

use crate::storage::Storage;

/// What was counted since the start.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    accepted: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    delivered: AtomicU64,
}

impl Tally {
    pub(crate) fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn delivered(&self) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
    }
}

/// Prints one line a second.
pub(crate) fn start(set: &TaskSet, storage: Storage, tally: Arc<Tally>) -> Result<(), SpawnError> {
    let stop = set.token();
    let status = async move {
        let begin = Instant::now();
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        ticks.tick().await;
        loop {
            tokio::select! {
                // Stop first: no line may follow the report.
                biased;
                () = stop.cancelled() => return,
                _ = ticks.tick() => say(&line(begin.elapsed(), &tally, &storage)),
            }
        }
    };
    set.spawn("status", status).map(|_| ())
}

fn line(elapsed: Duration, tally: &Tally, storage: &Storage) -> String {
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (counts, commits) = (storage.progress().counts, storage.progress().commits);
    format!(
        "{:>4} s  accepted {}  refused {}  delivered {}  failed attempts {}  waiting {}  under way {}  dead {}  \
         commits {commits}",
        elapsed.as_secs_f64().round(),
        count(&tally.accepted),
        count(&tally.refused),
        count(&tally.delivered),
        count(&tally.failed),
        counts.waiting,
        counts.leased,
        counts.dead,
    )
}

/// Writes a line for people on standard error. A closed terminal is no reason to fail.
pub(crate) fn say(line: &str) {
    let text = format!("{line}\n");
    _ = std::io::stderr().write_all(text.as_bytes());
}
