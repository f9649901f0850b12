//! The signals that ask a process to end.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::task::{Context, Poll};

use crate::report::signal_name;
use crate::shutdown::Reason;

/// A signal that asks the process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signal(i32);

impl Signal {
    /// `SIGINT`, which Ctrl-C sends.
    pub const INTERRUPT: Self = Self(2);
    /// `SIGTERM`, which service managers send.
    pub const TERMINATE: Self = Self(15);

    /// The signal's number; a process that it ended has the exit status 128 + this number.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0
    }

    /// The signal's name: `SIGTERM`.
    #[must_use]
    pub fn name(self) -> &'static str {
        signal_name(self.0).expect("only the two constants above are ever made")
    }
}

/// Its name.
impl Display for Signal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Signal> for Reason {
    fn from(signal: Signal) -> Self {
        Self::Signal(signal.number())
    }
}

/// Receives `SIGTERM` and `SIGINT`; on Windows, Ctrl-C as [`Signal::INTERRUPT`].
///
/// No handler is installed before [`new`](Self::new) is called. From then on the two signals do not end the process by
/// themselves any more, **not even after this value was dropped**: handlers stay installed for the process's life
/// (tokio: `signal`), so whoever calls `new` takes on to end the process.
///
/// A signal that comes while `new` runs is received if no other thread may take it: threads that live by then should have
/// it blocked, or start later, as those of a [`service`](crate::service) do.
///
/// Every value receives every signal. A burst counts once: signals of one number that arrive before the one before was
/// received become one, in the kernel or in tokio. Signals of different numbers are all received, `SIGTERM` first.
///
/// Signals are seen by a thread that drives a runtime with io. If all of its threads are held by busy tasks nobody sees
/// them; [`service`](crate::service) therefore keeps a runtime for them on the main thread.
#[derive(Debug)]
pub struct Signals(sys::Signals);

impl Signals {
    /// Installs the handlers and begins to listen, on the current runtime.
    ///
    /// # Errors
    ///
    /// Outside of a runtime, on one that was built without io or is shutting down, and when the handlers cannot be
    /// installed.
    pub fn new() -> io::Result<Self> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(io::Error::other("signals need a runtime"));
        }
        // Tokio panics when the runtime has no io, and does not let us ask.
        let signals = std::panic::catch_unwind(sys::Signals::new);
        signals.unwrap_or_else(|_| Err(io::Error::other("signals need a runtime with io enabled"))).map(Self)
    }

    /// Waits for the next signal.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a signal that was not returned is returned by the next call.
    pub async fn recv(&mut self) -> Signal {
        std::future::poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Polls for the next signal, for futures written by hand.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Signal> {
        self.0.poll_recv(cx)
    }
}

#[cfg(unix)]
mod sys {
    //! Signals on Unix.

    use std::io;
    use std::task::{Context, Poll};

    use nix::sys::signal::{SigSet, SigmaskHow, Signal};
    use tokio::signal::unix::{self, SignalKind};

    /// Has the kernel keep this thread's signals until it is dropped.
    ///
    /// A signal that comes when its handler is installed but does not know yet whom to tell is lost
    /// (signal-hook-registry: `register`): neither ended nor heard, the process would run on.
    pub(super) struct HeldBack(SigSet);

    impl HeldBack {
        pub(super) fn begin() -> io::Result<Self> {
            let both = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]);
            Ok(Self(both.thread_swap_mask(SigmaskHow::SIG_BLOCK)?))
        }
    }

    impl Drop for HeldBack {
        fn drop(&mut self) {
            // It cannot fail: the mask is one that was set before.
            let _set = self.0.thread_set_mask();
        }
    }

    #[derive(Debug)]
    pub(super) struct Signals {
        terminate: unix::Signal,
        interrupt: unix::Signal,
    }

    impl Signals {
        pub(super) fn new() -> io::Result<Self> {
            let _held_back = HeldBack::begin()?;
            Ok(Self {
                terminate: unix::signal(SignalKind::terminate())?,
                interrupt: unix::signal(SignalKind::interrupt())?,
            })
        }

        pub(super) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<super::Signal> {
            // Tokio's streams of signals never end.
            if self.terminate.poll_recv(cx).is_ready() {
                Poll::Ready(super::Signal::TERMINATE)
            } else {
                self.interrupt.poll_recv(cx).map(|_| super::Signal::INTERRUPT)
            }
        }
    }
}

#[cfg(not(unix))]
mod sys {
    //! Ctrl-C where there are no signals.

    use std::io;
    use std::task::{Context, Poll};

    use tokio::signal::windows::{CtrlC, ctrl_c};

    use super::Signal;

    #[derive(Debug)]
    pub(super) struct Signals(CtrlC);

    impl Signals {
        pub(super) fn new() -> io::Result<Self> {
            ctrl_c().map(Self)
        }

        pub(super) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Signal> {
            self.0.poll_recv(cx).map(|_| Signal::INTERRUPT)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_numbers_and_names() {
        assert_eq!((Signal::TERMINATE.number(), Signal::TERMINATE.to_string()), (15, "SIGTERM".to_owned()));
        assert_eq!((Signal::INTERRUPT.number(), Signal::INTERRUPT.name()), (2, "SIGINT"));
        assert_eq!(Reason::from(Signal::TERMINATE), Reason::Signal(15));
    }

    #[test]
    fn without_a_runtime_there_is_an_error() {
        assert_eq!(Signals::new().unwrap_err().to_string(), "signals need a runtime");
    }

    #[test]
    fn without_io_there_is_an_error() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _entered = runtime.enter();
        assert_eq!(Signals::new().unwrap_err().to_string(), "signals need a runtime with io enabled");
    }

    #[cfg(unix)]
    #[test]
    fn a_signal_that_comes_while_handlers_are_installed_is_received() {
        use nix::sys::signal::{SigSet, Signal as Number, raise};

        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let before = SigSet::thread_get_mask().unwrap();
        let mut signals = runtime.block_on(async {
            let held_back = sys::HeldBack::begin().unwrap();
            // It would end this process here.
            raise(Number::SIGTERM).unwrap();
            let signals = Signals::new().unwrap();
            drop(held_back);
            signals
        });
        assert_eq!(runtime.block_on(signals.recv()), Signal::TERMINATE);
        assert_eq!(SigSet::thread_get_mask().unwrap(), before, "the mask is as it was");
    }
}
