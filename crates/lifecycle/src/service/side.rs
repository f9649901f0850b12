//! A thread beside the main thread, for what may block: the main thread must hear the next signal at any time.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::sync::{Arc, Mutex};

/// How long a message to the operator may take to be written before it is given up.
const SAY_MAX: Duration = Duration::from_millis(500);

/// A thread that is waited for only so long; one that hangs is left to the end of the process.
pub(super) struct SideThread {
    handle: JoinHandle<()>,
    ended: Receiver<()>,
}

impl SideThread {
    /// Runs `body` on a thread of its own; gives it back if no thread can be made.
    #[expect(
        clippy::disallowed_methods,
        reason = "joined by join_within, or left to the end of the process if it hangs"
    )]
    pub(super) fn start<F: FnOnce() + Send + 'static>(name: &str, body: F) -> Result<Self, F> {
        let (alive, ended) = channel();
        let cell = Arc::new(Mutex::new(Some(body)));
        let taken = Arc::clone(&cell);
        let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _alive = alive;
            let body = taken.lock().take();
            if let Some(body) = body {
                // Its panic has been printed by the hook; who waits sees that the body did not get to its end.
                drop(catch_unwind(AssertUnwindSafe(body)));
            }
        });
        match spawned {
            Ok(handle) => Ok(Self { handle, ended }),
            Err(_) => Err(cell.lock().take().expect("only the thread takes it, and there is none")),
        }
    }

    /// Waits until the thread has ended, for so long; says whether it has.
    pub(super) fn join_within(self, max: Duration) -> bool {
        let has_ended = matches!(self.ended.recv_timeout(max), Err(RecvTimeoutError::Disconnected));
        if has_ended {
            // Nothing but the thread's epilogue is left, and panics were caught.
            drop(self.handle.join());
        }
        has_ended
    }
}

/// Writes a line to standard error, but waits only so long for a reader that does not read.
pub(super) fn say(line: String) {
    let write = move || {
        // There is nobody left to tell that nobody listens.
        let _unheard = writeln!(std::io::stderr(), "{line}");
    };
    match SideThread::start("landfall-say", write) {
        Ok(thread) => drop(thread.join_within(SAY_MAX)),
        Err(write) => write(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_hangs_is_left() {
        let (release, held) = channel::<()>();
        let hanging =
            SideThread::start("hangs", move || held.recv().unwrap_or_default()).unwrap_or_else(|_| panic!("no thread"));
        assert!(!hanging.join_within(Duration::from_millis(10)));
        drop(release);
    }

    #[test]
    fn a_thread_that_panics_has_ended() {
        let panics = SideThread::start("panics", || panic!("on purpose")).unwrap_or_else(|_| panic!("no thread"));
        assert!(panics.join_within(Duration::from_secs(60)));
    }
}
