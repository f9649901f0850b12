//! Which handlers are alive when their generation has gone, and what has grown over the generations.

use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::deadline::Deadline;
use crate::findings::{Finding, Findings, Kind};

/// What grows when something is kept.
pub(super) const LIVE_BYTES: &str = "live bytes";

/// What live bytes may differ by from one moment to another: buffers, and the reports of generations, of which so many
/// are kept.
const BYTES: usize = 64 << 10;
/// How long what has ended may take to be gone: tokio's count lags behind.
const SETTLE: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// The handlers that wait, and what is wrong with them.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    alive: usize,
    generations: u64,
    findings: Findings,
}

/// A handler that is alive.
#[derive(Debug)]
pub(super) struct Alive(Journal);

impl Journal {
    /// A handler begins.
    pub(super) fn begin(&self) -> Alive {
        self.lock().alive += 1;
        Alive(self.clone())
    }

    /// How many handlers are alive.
    pub(super) fn alive(&self) -> usize {
        self.lock().alive
    }

    /// A generation has gone: none of its handlers may be left.
    pub(super) fn gone(&self, handler: &str, place: &str) {
        let mut state = self.lock();
        state.generations += 1;
        // What is left of an older one is known.
        if state.alive > 0 && state.findings.is_empty() {
            let text = format!("{} handlers of a generation that has ended live on", state.alive);
            state.findings.push(Finding::new(Kind::Task, text).named(handler).at(Some(place.to_owned())));
        }
    }

    /// What is wrong, and how many generations there were.
    pub(super) fn close(&self) -> (Findings, u64) {
        let mut state = self.lock();
        (std::mem::take(&mut state.findings), state.generations)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.lock().alive -= 1;
    }
}

/// What may not grow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    bytes: usize,
    descriptors: usize,
    tasks: usize,
}

impl Level {
    /// What there is now.
    pub(super) fn now(live: fn() -> usize) -> Self {
        let descriptors = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        Self { bytes: live(), descriptors, tasks: Handle::current().metrics().num_alive_tasks() }
    }

    /// What is above this level, and stays there.
    pub(super) async fn growth(self, live: fn() -> usize) -> Findings {
        let deadline = Deadline::after(SETTLE);
        loop {
            let findings = self.below(Self::now(live));
            if findings.is_empty() || deadline.is_over() {
                return findings;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn below(self, now: Self) -> Findings {
        let mut findings = Findings::default();
        let levels = [
            (LIVE_BYTES, self.bytes + BYTES, now.bytes),
            ("descriptors", self.descriptors, now.descriptors),
            ("tasks", self.tasks, now.tasks),
        ];
        for (what, most, now) in levels.into_iter().filter(|(_, most, now)| now > most) {
            let text = format!("{now} {what} after all generations; at most {most} may be");
            findings.push(Finding::new(Kind::Growth, text).named(what));
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Sought;

    #[test]
    fn a_handler_that_outlives_its_generation_is_found_once() {
        let journal = Journal::default();
        drop(journal.begin());
        journal.gone("waits", "x.rs:1");
        let alive = journal.begin();
        journal.gone("waits", "x.rs:1");
        journal.gone("waits", "x.rs:1");
        drop(alive);
        let (findings, generations) = journal.close();
        assert_eq!(generations, 3);
        assert!(findings.includes(&Sought { kind: Kind::Task, name: Some("waits"), place: Some("x.rs:1") }));
        assert_eq!(findings.all_to_json().len(), 1);
    }

    #[test]
    fn what_grows_is_found_by_its_name() {
        let level = Level { bytes: 1, descriptors: 9, tasks: 4 };
        assert!(level.below(Level { bytes: BYTES, ..level }).is_empty());
        for (now, name) in [
            (Level { bytes: BYTES + 2, ..level }, LIVE_BYTES),
            (Level { descriptors: 10, ..level }, "descriptors"),
            (Level { tasks: 5, ..level }, "tasks"),
        ] {
            assert!(level.below(now).includes(&Sought { kind: Kind::Growth, name: Some(name), place: None }));
        }
    }
}
