//! What a simple-one-for-one supervisor makes its children from.

use std::error::Error;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use landfall_lifecycle::Terminate;

use crate::builder::IntoSupervisor;
use crate::child_cx::ChildCx;
use crate::child_id::ChildId;
#[cfg(doc)]
use crate::child_spec::ChildSpec;
use crate::exit::IntoExit;
use crate::make::{self, Make};
use crate::policy::{ChildKind, Restart, ShutdownPolicy, SpecInfo};

type Factory<A> = dyn Fn(A) -> Make + Send + Sync;

/// What a simple-one-for-one supervisor makes its children from: a spec whose factory takes arguments.
///
/// The arguments of a child are kept for its restarts, except for temporary children, which have none. Each instance has
/// a clone of its own.
#[must_use = "a template does nothing until a supervisor has it"]
pub struct Template<A> {
    info: SpecInfo,
    place: &'static Location<'static>,
    factory: Arc<Factory<A>>,
    arguments: PhantomData<fn(A)>,
}

impl<A: Clone + Send + Sync + 'static> Template<A> {
    #[track_caller]
    fn new(id: ChildId, kind: ChildKind, factory: impl Fn(A) -> Make + Send + Sync + 'static) -> Self {
        let (info, place) = (SpecInfo::new(id, kind), Location::caller());
        Self { info, place, factory: Arc::new(factory), arguments: PhantomData }
    }

    /// A worker made from arguments; see [`ChildSpec::worker`].
    #[track_caller]
    pub fn worker<F, Fut>(id: impl Into<ChildId>, factory: F) -> Self
    where
        F: Fn(ChildCx, A) -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoExit,
    {
        let factory = Arc::new(factory);
        Self::new(id.into(), ChildKind::Worker, move |arguments| {
            let factory = Arc::clone(&factory);
            let factory = move |cx| factory(cx, arguments.clone());
            Make::Worker { factory: Arc::new(factory), signals_ready: false }
        })
    }

    /// An owner of background work made from arguments; see [`ChildSpec::component`].
    #[track_caller]
    pub fn component<F, Fut, T, E>(id: impl Into<ChildId>, factory: F) -> Self
    where
        F: Fn(A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Terminate + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let factory = Arc::new(factory);
        Self::new(id.into(), ChildKind::Component, move |arguments| {
            let factory = Arc::clone(&factory);
            Make::Component(Arc::new(move || make::starting(factory(arguments.clone()))))
        })
    }

    /// A supervisor made from arguments; see [`ChildSpec::supervisor`].
    #[track_caller]
    pub fn supervisor<B: IntoSupervisor>(
        id: impl Into<ChildId>,
        factory: impl Fn(A) -> B + Send + Sync + 'static,
    ) -> Self {
        let factory = Arc::new(factory);
        Self::new(id.into(), ChildKind::Supervisor, move |arguments| {
            let factory = Arc::clone(&factory);
            Make::Supervisor(Arc::new(move || factory(arguments.clone()).into_supervisor()))
        })
    }

    /// Sets when instances are restarted; see [`ChildSpec::restart`].
    pub fn restart(mut self, restart: impl Into<Restart>) -> Self {
        self.info.restart = restart.into();
        self
    }

    /// Sets how long instances get to stop, all at once; see [`ChildSpec::shutdown`].
    pub fn shutdown(mut self, shutdown: impl Into<ShutdownPolicy>) -> Self {
        self.info.shutdown = shutdown.into();
        self
    }

    /// Sets how long instances get to be up; see [`ChildSpec::start_limit`].
    pub fn start_limit(mut self, limit: Duration) -> Self {
        self.info.start_limit = Some(limit);
        self
    }

    /// Lets workers be up only when they say so; see [`ChildSpec::signals_ready`].
    pub fn signals_ready(mut self, limit: Duration) -> Self {
        if self.info.kind != ChildKind::Worker {
            return self;
        }
        self.info.start_limit = Some(limit);
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
        &self.info
    }

    pub(crate) fn into_parts(self) -> (SpecInfo, &'static Location<'static>, Arc<Factory<A>>) {
        (self.info, self.place, self.factory)
    }
}

impl<A> fmt::Debug for Template<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("info", &self.info).finish_non_exhaustive()
    }
}
