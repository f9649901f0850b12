//! What a simple-one-for-one supervisor makes its children from.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crate::child_cx::ChildCx;
use crate::child_id::ChildId;
use crate::child_spec::ChildSpec;
use crate::exit::IntoExit;
use crate::make::Make;
use crate::policy::{Restart, ShutdownPolicy, SpecInfo};

type Factory<A> = dyn Fn(A) -> Make + Send + Sync;

/// What a simple-one-for-one supervisor makes its children from: a spec whose factory takes arguments.
///
/// The arguments of a child are kept for its restarts, except for temporary children, which have none.
#[must_use = "a template does nothing until a supervisor has it"]
pub struct Template<A> {
    pub(crate) spec: ChildSpec,
    pub(crate) factory: Arc<Factory<A>>,
    arguments: PhantomData<fn(A)>,
}

impl<A: Clone + Send + Sync + 'static> Template<A> {
    /// A worker made from arguments; see [`ChildSpec::worker`].
    #[track_caller]
    pub fn worker<F, Fut>(id: impl Into<ChildId>, factory: F) -> Self
    where
        F: Fn(ChildCx, A) -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoExit,
    {
        let spec = ChildSpec::worker(id, |_cx| async {});
        let factory = Arc::new(factory);
        let factory = move |arguments: A| {
            let factory = Arc::clone(&factory);
            let factory = move |cx| factory(cx, arguments.clone());
            Make::Worker { factory: Arc::new(factory), signals_ready: false }
        };
        Self { spec, factory: Arc::new(factory), arguments: PhantomData }
    }

    /// Sets when instances are restarted; see [`ChildSpec::restart`].
    pub fn restart(mut self, restart: impl Into<Restart>) -> Self {
        self.spec = self.spec.restart(restart);
        self
    }

    /// Sets how long instances get to stop, all at once; see [`ChildSpec::shutdown`].
    pub fn shutdown(mut self, shutdown: impl Into<ShutdownPolicy>) -> Self {
        self.spec = self.spec.shutdown(shutdown);
        self
    }

    /// Lets instances be up only when they say so; see [`ChildSpec::signals_ready`].
    pub fn signals_ready(mut self, limit: Duration) -> Self {
        self.spec = self.spec.signals_ready(limit);
        let inner = self.factory;
        self.factory = Arc::new(move |arguments| match inner(arguments) {
            Make::Worker { factory, .. } => Make::Worker { factory, signals_ready: true },
            other => other,
        });
        self
    }

    /// What is set, with its defaults.
    #[must_use]
    pub fn info(&self) -> &SpecInfo {
        &self.spec.info
    }
}

impl<A> fmt::Debug for Template<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("info", &self.spec.info).finish_non_exhaustive()
    }
}
