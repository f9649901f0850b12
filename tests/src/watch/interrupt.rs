//! Somebody who presses Ctrl-C: the program that is watched runs in a group of its own and would not hear it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use landfall_lifecycle::Signals;

use crate::deadline::Deadline;

use super::problem::Problem;

/// How often the listening thread looks up from its wait.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Whether SIGINT or SIGTERM came.
#[derive(Debug, Default)]
pub(super) struct Interrupt {
    came: AtomicBool,
    over: AtomicBool,
}

impl Interrupt {
    fn came(&self) -> bool {
        self.came.load(Ordering::Relaxed)
    }

    /// Looks until there is something, until the deadline, or until it came.
    pub(super) fn poll<T>(
        &self,
        deadline: Deadline,
        mut look: impl FnMut() -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let found = deadline.poll(|| if self.came() { Some(None) } else { look().map(Some) });
        if self.came() { Err(Problem::Interrupted) } else { Ok(found.flatten()) }
    }
}

/// Listens for it while something is done.
pub(super) fn heard<T>(work: impl FnOnce(&Interrupt) -> Result<T, Problem>) -> Result<T, Problem> {
    let listens = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let signals = runtime.block_on(async { Signals::new() })?;
        Ok::<_, io::Error>((runtime, signals))
    };
    let (runtime, mut signals) = listens().map_err(Problem::machine("listen for signals"))?;
    let interrupt = Interrupt::default();
    thread::scope(|scope| {
        let _listening = Listening(&interrupt);
        scope.spawn(|| {
            while !interrupt.over.load(Ordering::Relaxed) {
                let heard = runtime.block_on(async { tokio::time::timeout(LOOK_EVERY, signals.recv()).await });
                if heard.is_ok() {
                    interrupt.came.store(true, Ordering::Relaxed);
                }
            }
        });
        work(&interrupt)
    })
}

/// Ends the listening thread, also if the work panics: the scope waits for it.
struct Listening<'a>(&'a Interrupt);

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}
