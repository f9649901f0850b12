//! What stands in for an executor and for a user's owner in models.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use crate::ending::{Ending, Owner};
use crate::report::Report;
use crate::shutdown::Shutdown;
use crate::sync::Arc;

/// Counts how often it was woken.
#[derive(Debug, Default)]
pub(crate) struct Bell(AtomicUsize);

impl Bell {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let bell = Arc::new(Self::default());
        (Arc::clone(&bell), Waker::from(bell))
    }

    pub(crate) fn rings(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// An owner of nothing, which counts what it is told.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    ending: Ending,
    pub(crate) begun: AtomicUsize,
    pub(crate) aborted: AtomicUsize,
}

impl Owner for Probe {
    fn name(&self) -> Cow<'_, str> {
        "probe".into()
    }

    fn ending(&self) -> &Ending {
        &self.ending
    }

    fn on_begin(self: &Arc<Self>, _how: &Shutdown) {
        self.begun.fetch_add(1, Ordering::SeqCst);
    }

    fn on_tighten(self: &Arc<Self>, _how: &Shutdown) {}

    fn on_grace_over(self: &Arc<Self>) {}

    fn on_abort(self: &Arc<Self>) {
        self.aborted.fetch_add(1, Ordering::SeqCst);
    }

    fn fill(&self, _report: &mut Report) {}

    fn calling_task(&self) -> Option<String> {
        None
    }
}
