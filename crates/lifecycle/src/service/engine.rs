//! The user's runtime: built, driven and ended here.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};
use tokio::sync::oneshot;

use super::side::SideThread;
use crate::panics::into_message;

/// A runtime that works without the main thread, whichever flavour it has.
pub(super) struct Engine {
    handle: Handle,
    drive: Drive,
}

enum Drive {
    /// It has threads of its own.
    Workers(Runtime),
    /// A current-thread runtime runs only while somebody is in its `block_on`.
    Thread { thread: SideThread, stop: oneshot::Sender<Stop> },
}

/// How a runtime is to go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    /// Waits this long for what runs on it.
    Within(Duration),
    /// Waits for nothing.
    AtOnce,
}

impl Engine {
    /// Builds the runtime and sets it going.
    pub(super) fn start(mut builder: Builder) -> io::Result<Self> {
        // Tokio panics when it cannot make a worker thread.
        let built = catch_unwind(AssertUnwindSafe(|| builder.build()));
        let runtime = built.unwrap_or_else(|payload| Err(io::Error::other(into_message(payload))))?;
        let handle = runtime.handle().clone();
        let drive = match handle.runtime_flavor() {
            RuntimeFlavor::CurrentThread => Drive::on_a_thread(runtime)?,
            _ => Drive::Workers(runtime),
        };
        Ok(Self { handle, drive })
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Ends the runtime. Tasks on it that belong to nobody are dropped; one that hangs is left to the process's end.
    pub(super) fn end(self, stop: Stop) {
        match self.drive {
            Drive::Workers(runtime) => stop.runtime(runtime),
            Drive::Thread { thread, stop: sender } => {
                // It is there unless its thread has gone, and then the runtime has gone with it.
                let _gone = sender.send(stop);
                if let Stop::Within(max) = stop {
                    thread.join_within(max);
                }
            }
        }
    }
}

impl Drive {
    fn on_a_thread(runtime: Runtime) -> io::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let drive = move || {
            let stop = runtime.block_on(stopped).unwrap_or(Stop::AtOnce);
            stop.runtime(runtime);
        };
        let thread = SideThread::start("landfall-runtime", drive);
        let thread = thread.map_err(|_| io::Error::other("no thread for the current-thread runtime"))?;
        Ok(Self::Thread { thread, stop })
    }
}

impl Stop {
    fn runtime(self, runtime: Runtime) {
        match self {
            Self::Within(max) => runtime.shutdown_timeout(max),
            Self::AtOnce => runtime.shutdown_background(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(builder: Builder) {
        let engine = Engine::start(builder).unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        #[expect(clippy::disallowed_methods, reason = "it ends with the engine, within this test")]
        engine.handle().spawn(async move { sender.send(1) });
        assert_eq!(receiver.recv(), Ok(1));
        engine.end(Stop::Within(Duration::from_secs(60)));
    }

    #[test]
    fn either_flavour_runs_by_itself() {
        check(Builder::new_multi_thread());
        check(Builder::new_current_thread());
    }
}
