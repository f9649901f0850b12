//! The tasks of a runtime that no set of ours started: named where tokio tells of them, which stable tokio does not.

use std::time::Duration;

use serde::Serialize;
use tokio::runtime::Builder;

use super::Standing;

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

/// What a runtime's hooks tell of the tasks on it: for [`Standing::with_foreign`].
///
/// On stable tokio there are no hooks, and nothing is told.
#[derive(Clone, Debug)]
pub struct Foreigners(sys::Seen);

impl Foreigners {
    /// Installs the hooks, instead of any that the builder has.
    pub fn of(builder: &mut Builder) -> Self {
        Self(sys::Seen::of(builder))
    }

    /// Those alive now, oldest first; none on stable tokio. As tokio's count, this lags by some milliseconds.
    pub(crate) fn alive(&self) -> Option<Vec<ForeignTask>> {
        self.0.alive()
    }
}

impl Standing {
    /// Adds the live tasks that no set of ours started, and, if the runtime counts more than these and the known ones,
    /// those that a set of ours started and knows no more. Nothing on stable tokio.
    ///
    /// What this is called on must have all that is known: see [`with_set`](Self::with_set) and
    /// [`with_report`](Self::with_report).
    #[must_use]
    pub fn with_foreign(mut self, foreigners: &Foreigners) -> Self {
        let unknown = self.alive.unwrap_or_default().saturating_sub(self.registered);
        self.foreign = foreigners.alive().map(|mut foreign| {
            let lost = unknown.saturating_sub(foreign.len());
            if lost > 0 {
                foreign.extend(foreigners.0.own_beside(&self.tasks).into_iter().take(lost));
            }
            foreign
        });
        self
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
    use crate::leak_check::HeldTask;
    use crate::sync::{Arc, Mutex};

    thread_local! {
        static SPAWNS_OWN: Cell<bool> = const { Cell::new(false) };
    }

    #[derive(Clone, Debug, Default)]
    pub(super) struct Seen(Arc<Mutex<HashMap<Id, Spawned>>>);

    #[derive(Clone, Copy, Debug)]
    struct Spawned {
        place: &'static Location<'static>,
        since: Instant,
        /// A set of ours did it.
        is_own: bool,
    }

    impl Seen {
        pub(super) fn of(builder: &mut Builder) -> Self {
            let seen = Self::default();
            let (spawned, ended) = (Arc::clone(&seen.0), Arc::clone(&seen.0));
            builder.on_task_spawn(move |task| {
                // Taken back: what a destructor of the user's spawns inside of our spawn is not ours.
                let is_own = SPAWNS_OWN.take();
                let (place, since) = (task.spawned_at(), Instant::now());
                spawned.lock().insert(task.id(), Spawned { place, since, is_own });
            });
            // Called for blocking jobs and for workers too, which were not announced.
            builder.on_task_terminate(move |task| {
                ended.lock().remove(&task.id());
            });
            seen
        }

        pub(super) fn alive(&self) -> Option<Vec<ForeignTask>> {
            Some(self.oldest_first(|spawned| !spawned.is_own))
        }

        /// Our own, without as many of each place as are known there.
        pub(super) fn own_beside(&self, known: &[HeldTask]) -> Vec<ForeignTask> {
            let mut own = self.oldest_first(|spawned| spawned.is_own);
            for task in known {
                if let Some(at) = own.iter().position(|own| own.place == task.place) {
                    own.remove(at);
                }
            }
            own
        }

        fn oldest_first(&self, is_wanted: fn(&Spawned) -> bool) -> Vec<ForeignTask> {
            let mut alive: Vec<Spawned> = self.0.lock().values().copied().filter(is_wanted).collect();
            alive.sort_by_key(|spawned| spawned.since);
            let describe = |Spawned { place, since, .. }: Spawned| ForeignTask {
                place: format!("{}:{}", place.file(), place.line()),
                age: since.elapsed(),
            };
            alive.into_iter().map(describe).collect()
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
    use crate::leak_check::HeldTask;

    #[derive(Clone, Debug)]
    pub(super) struct Seen;

    impl Seen {
        pub(super) fn of(_: &mut Builder) -> Self {
            Self
        }

        pub(super) fn alive(&self) -> Option<Vec<ForeignTask>> {
            None
        }

        pub(super) fn own_beside(&self, _: &[HeldTask]) -> Vec<ForeignTask> {
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::panic::Location;

    use super::*;
    use crate::task_set::TaskSet;
    use crate::{Shutdown, Terminate};

    /// The planted loss: a set that is not asked is one that does not know its task any more.
    #[test]
    fn a_task_of_ours_that_no_set_knows_is_told_with_its_place_where_tokio_tells() {
        let mut builder = Builder::new_current_thread();
        let foreigners = Foreigners::of(&mut builder);
        let runtime = builder.build().unwrap();
        let set = TaskSet::new("set");
        let entered = runtime.enter();
        let (spawned, place) = (set.spawn("own", pending::<()>()), Location::caller());
        spawned.unwrap();
        drop(entered);

        let known = Standing::of(runtime.handle()).with_set(&set).with_foreign(&foreigners);
        let lost = Standing::of(runtime.handle()).with_foreign(&foreigners);
        let places = |standing: Standing| {
            standing.foreign.map(|foreign| foreign.into_iter().map(|task| task.place).collect::<Vec<_>>())
        };
        let told = cfg!(tokio_unstable);
        assert_eq!(places(known), told.then(Vec::new));
        assert_eq!(places(lost), told.then(|| vec![format!("{}:{}", place.file(), place.line())]));

        set.begin_terminate(&Shutdown::now());
        drop(runtime);
    }
}
