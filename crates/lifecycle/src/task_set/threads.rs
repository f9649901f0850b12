//! Threads whose work is done and that are still to be joined.

use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Mutex, is_finished};

/// One list for a set and all sets below it, so that whoever waits for one of them joins what its work left.
#[derive(Debug, Default)]
pub(super) struct EndedThreads(Mutex<Vec<JoinHandle<()>>>);

impl EndedThreads {
    /// Takes over a thread that has nothing but its epilogue left.
    pub(super) fn push(&self, thread: JoinHandle<()>) {
        self.0.lock().push(thread);
    }

    /// Joins those that are gone already, so that a set which makes many threads keeps few handles.
    pub(super) fn join_gone(&self) {
        let mut threads = self.0.lock();
        for thread in threads.extract_if(.., |thread| is_finished(thread)) {
            join(thread);
        }
    }

    /// Joins all. Under the lock, so that a second caller returns no earlier than the first.
    pub(super) fn join_all(&self) {
        // A thread that ends others while it ends, in a waker, cannot wait for itself.
        let own = thread::current().id();
        for thread in self.0.lock().extract_if(.., |thread| thread.thread().id() != own) {
            join(thread);
        }
    }
}

fn join(thread: JoinHandle<()>) {
    // A panic of the closure was caught inside; one of a thread-local's destructor has nobody to tell.
    drop(thread.join());
}
