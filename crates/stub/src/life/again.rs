//! The wait between a generation and the next one that the policy has follow.

use std::sync::Arc;
use std::time::Duration;

use landfall_lifecycle::TaskSet;
use tokio::time::sleep;

use super::closed::CloseCause;
use super::drive::{Core, For};
use super::generation::Generation;
use super::phase::{Event, Life};
use super::start_error::StartError;
use crate::stub::Stub;

/// What the policy has follow a generation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    pub(super) delay: Duration,
    /// How many starts the policy has made in a row by then.
    pub(super) attempts: u32,
}

/// Waits, and begins the next generation of the series, unless somebody stops it or begins another in the meantime.
pub(super) async fn again(core: &Arc<Core>, before: &Generation, next: Next, mut who: For) {
    // Wherever this is dropped, nobody waits any more.
    let _delay = Delay { core, before };
    // The stub is not kept for it: when its last handle goes, this is aborted.
    let Some(tasks) = core.stub.upgrade().map(|stub| Stub::of(stub).tasks().clone()) else { return };
    let Next { delay, attempts } = next;
    let name = &core.plugin.identity.name;
    tracing::info!(plugin.name = name, generation = before.number, attempts, ?delay, "plugin will start again");
    let waited = tokio::select! {
        // The stop first.
        biased;
        error = taken(core, before, &tasks) => Err(error),
        () = who.gone() => Err(StartError::Stopped),
        () = sleep(delay) => Ok(()),
    };
    let Some(stub) = core.stub.upgrade().map(Stub::of) else { return };
    let series = Arc::clone(&before.series);
    match waited.and_then(|()| stub.follow(before.number, series, attempts)) {
        Ok(course) => {
            // Refused only by a stub that ends.
            drop(stub.launch(course, who));
        }
        Err(error) => drop(who.tell(Err(error))),
    }
}

/// Waits until it is not for this series to start what comes next, and says why.
async fn taken(core: &Core, before: &Generation, tasks: &TaskSet) -> StartError {
    let mut changes = core.life.subscribe();
    let terminating = tasks.token();
    tokio::select! {
        () = terminating.cancelled() => StartError::Terminating,
        life = changes.wait_for(|life| !life.is_delayed_after(before.number)) => {
            life.map_or(StartError::Terminating, |life| life.taken())
        }
    }
}

impl Life {
    /// Why a start has to leave it as it is.
    pub(crate) fn taken(&self) -> StartError {
        match self.generation() {
            Some(generation) => StartError::AlreadyStarted { generation: generation.number },
            None => StartError::Stopped,
        }
    }
}

struct Delay<'a> {
    core: &'a Core,
    before: &'a Generation,
}

impl Drop for Delay<'_> {
    fn drop(&mut self) {
        self.core.on(self.before, Event::End(CloseCause::Stopped));
    }
}
