//! Threads whose work is done and that are still to be joined.

use crate::sync::thread::{self, JoinHandle, ThreadId};
use crate::sync::{Condvar, Mutex, is_finished};

/// Joins each thread once, and lets nobody who asks for all of them go on before all that were there are gone.
///
/// A set and all sets below it have one list, so that whoever waits for one of them joins what its work left.
///
/// Joined with no lock held: a thread that has ended its work still wakes those who waited for it, and a waker may come
/// back here. Such a thread waits for no other, since others may wait for it.
#[derive(Debug, Default)]
pub(crate) struct EndedThreads {
    ended: Mutex<Ended>,
    joined: Condvar,
}

#[derive(Debug, Default)]
struct Ended {
    threads: Vec<JoinHandle<()>>,
    joining: Vec<ThreadId>,
}

impl EndedThreads {
    /// Takes over a thread that has nothing but its epilogue left.
    pub(crate) fn push(&self, thread: JoinHandle<()>) {
        self.ended.lock().threads.push(thread);
    }

    /// Starts a thread, and takes it over before anybody can look for it.
    pub(crate) fn start(&self, start: impl FnOnce() -> Option<JoinHandle<()>>) {
        let mut ended = self.ended.lock();
        ended.threads.extend(start());
    }

    /// Whether none is left to be joined.
    #[cfg(all(test, any(landfall_loom, landfall_shuttle)))]
    pub(crate) fn is_empty(&self) -> bool {
        let ended = self.ended.lock();
        ended.threads.is_empty() && ended.joining.is_empty()
    }

    /// Joins those that are gone already, so that a set which makes many threads keeps few handles.
    pub(crate) fn join_gone(&self) {
        self.join(is_finished);
    }

    /// Joins all.
    pub(crate) fn join_all(&self) {
        let others = self.join(|_| true);
        let mut ended = self.ended.lock();
        while others.iter().any(|other| ended.joining.contains(other)) {
            ended = self.joined.wait(ended);
        }
    }

    /// Joins those that are wanted, and gives those that others are joining.
    fn join(&self, is_wanted: impl Fn(&JoinHandle<()>) -> bool) -> Vec<ThreadId> {
        let own = thread::current().id();
        let mut ended = self.ended.lock();
        let is_ended = ended.joining.contains(&own) || ended.threads.iter().any(|thread| id(thread) == own);
        if is_ended {
            return Vec::new();
        }
        let others = ended.joining.clone();
        let threads: Vec<_> = ended.threads.extract_if(.., |thread| is_wanted(thread)).collect();
        ended.joining.extend(threads.iter().map(id));
        drop(ended);
        for thread in threads {
            let id = id(&thread);
            // A panic of the closure was caught inside; one of a thread-local's destructor has nobody to tell.
            drop(thread.join());
            self.ended.lock().joining.retain(|joining| *joining != id);
            self.joined.notify_all();
        }
        others
    }
}

fn id(thread: &JoinHandle<()>) -> ThreadId {
    thread.thread().id()
}
