//! `Supervisor` beside a loop over a `JoinSet` that spawns again whatever ends: the least that a restart can cost.

mod all;
mod bytes;
mod children;
mod peers;
mod restarts;
mod storm;

use std::time::Duration;

use landfall_lifecycle::Shutdown;
use tokio::runtime::{Builder, Runtime};

pub use bytes::bytes;
pub use storm::storm;

use crate::{Cell, Options};

const OURS: &str = "Supervisor";
const JOIN_SET: &str = "JoinSet loop";

/// Children of the large trees.
const CHILDREN: usize = 100_000;

/// Measures all that takes time.
#[must_use]
pub fn times(options: &Options) -> Vec<Cell> {
    let mut cells = restarts::cells(options);
    cells.extend(all::cells(options));
    cells
}

fn runtime() -> Runtime {
    let built = Builder::new_multi_thread().worker_threads(2).enable_time().build();
    built.expect("the machine has threads for a runtime")
}

/// Time enough for everything to drain.
fn in_peace() -> Shutdown {
    Shutdown::within(Duration::from_secs(600), Duration::from_secs(601))
}
