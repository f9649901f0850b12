//! What both sides of a connection know of its end: who uses it, and the task that speaks for it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

/// How a connection ends, between its user and the task that speaks for it.
#[derive(Debug, Default)]
pub(super) struct Ends {
    is_cut: AtomicBool,
    waits: AtomicBool,
    leaving: CancellationToken,
    over: CancellationToken,
    why: OnceLock<String>,
}

impl Ends {
    /// Nobody uses the connection any more: the task says goodbye.
    pub(super) fn leave(&self) {
        self.leaving.cancel();
    }

    /// As [`leave`](Self::leave), and whatever the server does for it: nothing more is sent.
    pub(super) fn cut(&self) {
        self.is_cut.store(true, Ordering::Release);
        self.leave();
    }

    pub(super) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Acquire)
    }

    /// Says whether the protocol waits for what the server sends.
    pub(super) fn read(&self, waits: bool) {
        self.waits.store(waits, Ordering::Relaxed);
    }

    pub(super) fn waits(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
    }

    pub(super) async fn left(&self) {
        self.leaving.cancelled().await;
    }

    /// Whether the task has ended, and with it the session on the server.
    pub(super) fn are_over(&self) -> bool {
        self.over.is_cancelled()
    }

    pub(super) async fn over(&self) {
        self.over.cancelled().await;
    }

    /// Why it is of no use any more, if it is not.
    pub(super) fn why(&self) -> Option<&str> {
        self.why.get().map(String::as_str)
    }

    pub(super) fn fail(&self, why: String) {
        // The first reason is the one.
        drop(self.why.set(why));
    }

    pub(super) fn end(&self) {
        self.fail("it has ended".to_owned());
        self.over.cancel();
    }
}
