//! What the targets of the observed scenarios do, and which faults of the product each has to show.
//!
//! A task that heeds nothing, and so is aborted, has a name that begins with [`HEEDLESS`](crate::observed::judge::HEEDLESS);
//! every other one has to finish. What a twin is to be found by its place stands on one line with that place.

pub mod backlog;
pub mod blocking;
pub mod child_process;
pub mod diesel;
pub mod pool;
pub mod service;
pub mod serving;
pub mod stack;
pub mod supervise;
pub mod task_set;

use landfall_lifecycle::{SpawnError, TaskId, TaskSet};

/// Something that is spawned, with its place.
type Placed = (fn(&TaskSet) -> Result<TaskId, SpawnError>, &'static str);
