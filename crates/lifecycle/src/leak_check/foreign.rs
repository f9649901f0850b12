//! The tasks of a runtime that no set of ours started: named where tokio tells of them, which stable tokio does not.

use std::time::Duration;

use serde::Serialize;
use tokio::runtime::Builder;

/// A live task that no set of ours started.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ForeignTask {
    /// Where it was spawned, as `file:line`.
    pub place: String,
    /// How long ago, as `age_ms`.
    #[serde(rename = "age_ms", serialize_with = "super::millis")]
    pub age: Duration,
}

/// What a runtime's hooks tell of the tasks on it.
#[derive(Clone, Debug)]
pub(crate) struct Foreigners(sys::Seen);

impl Foreigners {
    /// Installs the hooks, instead of any that the builder has.
    pub(crate) fn of(builder: &mut Builder) -> Self {
        Self(sys::Seen::of(builder))
    }

    /// Those alive now, oldest first; none on stable tokio. As tokio's count, this lags by some milliseconds.
    pub(crate) fn alive(&self) -> Option<Vec<ForeignTask>> {
        self.0.alive()
    }
}

/// Runs what spawns a task of ours, so that it is not taken for a foreign one.
#[cfg(tokio_unstable)]
pub(crate) use self::sys::own;

#[cfg(tokio_unstable)]
mod sys {
    use std::cell::Cell;
    use std::collections::HashMap;
    use std::panic::Location;
    use std::time::Instant;

    use tokio::runtime::Builder;
    use tokio::task::Id;

    use super::ForeignTask;
    use crate::sync::{Arc, Mutex};

    thread_local! {
        static SPAWNS_OWN: Cell<bool> = const { Cell::new(false) };
    }

    #[derive(Clone, Debug, Default)]
    pub(super) struct Seen(Arc<Mutex<HashMap<Id, (&'static Location<'static>, Instant)>>>);

    impl Seen {
        pub(super) fn of(builder: &mut Builder) -> Self {
            let seen = Self::default();
            let (spawned, ended) = (Arc::clone(&seen.0), Arc::clone(&seen.0));
            builder.on_task_spawn(move |task| {
                // Taken back: what a destructor of the user's spawns inside of our spawn is not ours.
                if !SPAWNS_OWN.take() {
                    spawned.lock().insert(task.id(), (task.spawned_at(), Instant::now()));
                }
            });
            // Called for blocking jobs and for workers too, which were not announced.
            builder.on_task_terminate(move |task| {
                ended.lock().remove(&task.id());
            });
            seen
        }

        pub(super) fn alive(&self) -> Option<Vec<ForeignTask>> {
            let mut alive: Vec<_> = self.0.lock().values().copied().collect();
            alive.sort_by_key(|(_, since)| *since);
            let describe = |(place, since): (&Location<'_>, Instant)| ForeignTask {
                place: format!("{}:{}", place.file(), place.line()),
                age: since.elapsed(),
            };
            Some(alive.into_iter().map(describe).collect())
        }
    }

    /// Marks the spawns of this thread as ours until it is dropped or the first spawn was seen.
    pub(crate) struct Own;

    pub(crate) fn own() -> Own {
        SPAWNS_OWN.set(true);
        Own
    }

    impl Drop for Own {
        fn drop(&mut self) {
            SPAWNS_OWN.set(false);
        }
    }
}

#[cfg(not(tokio_unstable))]
mod sys {
    use tokio::runtime::Builder;

    use super::ForeignTask;

    #[derive(Clone, Debug)]
    pub(super) struct Seen;

    impl Seen {
        pub(super) fn of(_: &mut Builder) -> Self {
            Self
        }

        pub(super) fn alive(&self) -> Option<Vec<ForeignTask>> {
            None
        }
    }
}
