//! Models of a set's core. The model is the runtime: it polls the futures on threads of its own.

mod abort;
mod gate;
mod jobs;
mod output;
#[cfg(landfall_shuttle)]
mod whole;

use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use super::core::Core;
use super::error::SpawnError;
use super::owned::Owned;
use super::task::{Detached, OutputCell, Task};
use super::{TaskId, TaskSetOptions};
use crate::ending::Ending;
use crate::report::{Report, TaskKind};
use crate::shutdown::{Clock, Reason, Shutdown};
use crate::sync::{Arc, thread};

fn core() -> Arc<Core> {
    Core::new("set".into(), TaskSetOptions::default(), None)
}

/// Aborts at once, with nobody to keep the time.
fn at_once() -> Shutdown {
    Shutdown::within_on(Clock::model(), Duration::ZERO, Duration::ZERO).because(Reason::Dropped)
}

/// Lets what runs end by itself. The thread that keeps the time has a model of its own: this one goes without.
fn begin_draining(core: &Arc<Core>) {
    let hour = Duration::from_secs(3_600);
    let how = Shutdown::within_on(Clock::model(), hour, hour);
    // As `Ending::begin` does, but for the watch. False if it has ended by another's begin.
    Ending::join(core, &how);
}

fn enter(core: &Arc<Core>) -> Result<TaskId, SpawnError> {
    core.enter(TaskKind::Task, "task".into(), Location::caller())
}

fn detached<F: Future>(core: &Arc<Core>, id: TaskId, future: F) -> Owned<F, Detached> {
    Owned::new(Arc::clone(core), id, TaskKind::Task, Detached, future)
}

fn with_handle<F: Future>(
    core: &Arc<Core>,
    id: TaskId,
    future: F,
) -> (Owned<F, Arc<OutputCell<F::Output>>>, Task<F::Output>) {
    let cell = OutputCell::new();
    let owned = Owned::new(Arc::clone(core), id, TaskKind::Task, Arc::clone(&cell), future);
    (owned, Task::new(id, Arc::clone(core), cell))
}

fn begins(core: &Arc<Core>, how: fn(&Arc<Core>)) -> thread::JoinHandle<()> {
    let core = Arc::clone(core);
    thread::spawn(move || how(&core))
}

/// Is dropped once, or the model fails.
#[derive(Clone, Debug, Default)]
struct Drops(Arc<AtomicUsize>);

impl Drops {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

struct CountsDrop(Drops);

impl Drop for CountsDrop {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Pends for ever and counts its drop.
struct Pends(CountsDrop);

impl Pends {
    fn new(drops: &Drops) -> Self {
        Self(CountsDrop(drops.clone()))
    }
}

impl Future for Pends {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        let CountsDrop(_) = &self.0;
        Poll::Pending
    }
}

/// Waits for the end and gives the report.
fn joined(core: &Arc<Core>) -> Report {
    crate::block_on::block_on(Ending::ended(Arc::clone(core)));
    assert_eq!(core.len(), 0, "it has ended while something lives");
    Ending::report(core)
}
