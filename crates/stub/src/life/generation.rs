//! One generation: everything that runs for one connection.

use std::sync::{Arc, OnceLock};

use landfall_lifecycle::{ChildError, TaskSet};
use tokio_util::sync::CancellationToken;

use super::closed::Closed;
use super::phase::Ended;

/// What one start begins: its generation, and those that follow it by the policy of who asked for one.
#[derive(Debug, Default)]
pub(crate) struct Series {
    /// Is cancelled when somebody stops it.
    pub(crate) stop: CancellationToken,
    /// How its last generation ended, once no other will follow.
    pub(crate) over: OnceLock<Closed>,
}

/// What runs for one connection, as sets of tasks that end together.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) number: u64,
    /// Holds the two below, and the connect.
    pub(crate) tasks: TaskSet,
    pub(crate) handlers: TaskSet,
    /// Reader and writer, which end after the handlers.
    pub(crate) wire: TaskSet,
    pub(crate) series: Arc<Series>,
    /// How it ended, once nothing of it runs.
    pub(crate) ended: OnceLock<Arc<Ended>>,
}

impl Generation {
    /// Makes the sets of a generation inside of the stub's.
    pub(crate) fn new(stub: &TaskSet, number: u64, series: Arc<Series>) -> Result<Self, ChildError> {
        let tasks = stub.child(format!("generation {number}"))?;
        let (handlers, wire) = (tasks.child("handlers")?, tasks.child("wire")?);
        Ok(Self { number, tasks, handlers, wire, series, ended: OnceLock::new() })
    }

    /// The names of what still runs.
    pub(crate) fn running(&self) -> Vec<String> {
        let sets = [&self.tasks, &self.handlers, &self.wire];
        sets.into_iter().flat_map(TaskSet::live).map(|task| task.name.to_string()).collect()
    }
}
