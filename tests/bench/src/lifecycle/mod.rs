//! `TaskSet` beside `tokio::spawn`, `JoinSet` and `TaskTracker` with a clone of one shared token a task.

mod bytes;
mod live;
mod spawn;
mod terminate;
mod threads;
mod tools;

pub use bytes::bytes;

use crate::{Cell, Options};

/// Measures all that takes time.
#[must_use]
pub fn times(options: &Options) -> Vec<Cell> {
    let mut cells = spawn::cells(options, spawn::TASKS);
    cells.extend(threads::cells(options));
    cells.extend(terminate::cells(options));
    cells.extend(live::cells(options));
    cells
}
