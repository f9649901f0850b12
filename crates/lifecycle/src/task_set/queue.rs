//! The closures of a set: those that wait in a runtime's queue, and those that run on a thread of ours.

use super::blocking::Job;
use super::core::Core;
use super::phase::Phase;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::report::Activity;
use crate::sync::Arc;
use crate::sync::thread::JoinHandle;

impl Core {
    /// Lets a termination find a closure that is about to be queued; false if it has looked already.
    pub(super) fn add_queued(&self, index: u32, job: Arc<dyn Job>) -> bool {
        let (mut inner, phase) = self.at_gate();
        if phase >= Phase::Aborting {
            return false;
        }
        inner.queued.insert(index, job);
        true
    }

    /// A closure that was taken out of the queue is being dropped now.
    pub(super) fn note_dropping(&self, index: u32) {
        self.inner.lock().taken.insert(index, Activity::Dropping);
    }

    /// A queued closure is about to run; false if it must not.
    pub(super) fn start_queued(&self, index: u32) -> bool {
        let mut inner = self.inner.lock();
        let job = inner.queued.remove(&index);
        #[cfg(landfall_faults)]
        if is_armed(Fault::KeepJob)
            && let Some(job) = &job
        {
            inner.queued.insert(index, Arc::clone(job));
        }
        let may_start = inner.phase < Phase::Aborting && !inner.registry.is_marked(index);
        drop(inner);
        drop(job);
        may_start
    }

    /// Keeps the handle of a thread whose entry lives.
    pub(super) fn add_thread(&self, index: u32, handle: JoinHandle<()>) {
        self.inner.lock().threads.insert(index, handle);
        self.ended_threads.join_gone();
    }
}
