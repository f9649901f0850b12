//! What a supervisor needs to start, restart and stop one child.

use std::error::Error;
use std::fmt;
use std::future::ready;
use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, FutureExt};
use landfall_lifecycle::Terminate;

use crate::builder::IntoSupervisor;
#[cfg(doc)]
use crate::builder::SupervisorBuilder;
use crate::child_cx::ChildCx;
use crate::child_id::ChildId;
use crate::exit::{Exit, IntoExit};
use crate::make::{self, Given, Make, Once};
use crate::policy::{ChildKind, Restart, RestartType, ShutdownPolicy, SpecInfo};
use crate::spec::Spec;

/// What a supervisor needs to start, restart and stop one child.
///
/// A child is given as a factory, because a restart makes a new one. Defaults are OTP's: permanent, 5 s to stop, for
/// supervisors the remaining budget. Reports of a child's tasks name the place where its spec was made.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use landfall_supervise::{Backoff, ChildSpec, RestartType};
///
/// let ticker = ChildSpec::worker("ticker", |cx| async move {
///     cx.token().cancelled().await;
/// });
/// let ingest = ChildSpec::worker("ingest", |_cx| async { Err::<(), _>("no broker") })
///     .restart(RestartType::Transient.delayed(Backoff::default()))
///     .shutdown(Duration::from_secs(2));
/// ```
#[must_use = "a spec does nothing until a supervisor has it"]
pub struct ChildSpec {
    pub(crate) info: SpecInfo,
    pub(crate) make: Make,
    place: &'static Location<'static>,
    /// It makes one instance, and no other.
    pub(crate) is_once: bool,
}

impl ChildSpec {
    #[track_caller]
    fn new(id: ChildId, kind: ChildKind, make: Make) -> Self {
        Self { info: SpecInfo::new(id, kind), make, place: Location::caller(), is_once: false }
    }

    pub(crate) fn into_parts(self) -> (Spec, Make) {
        (Spec::new(self.info, self.place), self.make)
    }

    /// A future. The factory and the future run in a task of the supervisor's; a panic of either is an outcome.
    ///
    /// It is up as soon as it runs, unless it [signals](Self::signals_ready). Asked to stop, its
    /// [token](ChildCx::token) is cancelled; aborted, it is dropped. It has ended when it, its output, and everything
    /// in its [task set](ChildCx::tasks) are gone.
    #[track_caller]
    pub fn worker<F, Fut>(id: impl Into<ChildId>, factory: F) -> Self
    where
        F: Fn(ChildCx) -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoExit,
    {
        let make = Make::Worker { factory: Arc::new(factory), signals_ready: false };
        Self::new(id.into(), ChildKind::Worker, make)
    }

    /// A future that is made once, so it is temporary, and can be nothing else; otherwise as a [worker](Self::worker).
    #[track_caller]
    pub fn task<F, Fut>(id: impl Into<ChildId>, factory: F) -> Self
    where
        F: FnOnce(ChildCx) -> Fut + Send + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoExit,
    {
        let factory = Mutex::new(Some(factory));
        let factory = move |cx| match factory.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(factory) => Either::Left(factory(cx).map(Given::by)),
            None => Either::Right(ready(Given::by(Exit::failed("the task was started before")))),
        };
        let make = Make::Worker { factory: Arc::new(factory), signals_ready: false };
        let spec = Self::new(id.into(), ChildKind::Worker, make).restart(RestartType::Temporary);
        Self { is_once: true, ..spec }
    }

    /// An owner of background work. It is up when the future gives it; its `ended` tells the supervisor of its end.
    ///
    /// A component that ended by itself ended normally, unless its report shows an error or a panic. An error that is
    /// [`Declined`](crate::Declined) declines the start. A start that is cancelled is dropped.
    #[track_caller]
    pub fn component<F, Fut, T, E>(id: impl Into<ChildId>, factory: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Terminate + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let factory = move || make::starting(factory());
        Self::new(id.into(), ChildKind::Component, Make::Component(Arc::new(factory)))
    }

    /// A supervisor. The factory is called by the supervisor itself and must not block.
    ///
    /// It gives a [builder](SupervisorBuilder), or an error, which is a failed start, or one that is
    /// [`Declined`](crate::Declined). The supervisor is up when its static children are. Each of these has its own start
    /// limit, so it has none unless told.
    #[track_caller]
    pub fn supervisor<B: IntoSupervisor>(
        id: impl Into<ChildId>,
        factory: impl Fn() -> B + Send + Sync + 'static,
    ) -> Self {
        let factory = move || factory().into_supervisor();
        Self::new(id.into(), ChildKind::Supervisor, Make::Supervisor(Arc::new(factory)))
    }

    /// A component that is there already. It can be started once only, so it is temporary, and can be nothing else.
    #[track_caller]
    pub fn instance(id: impl Into<ChildId>, component: impl Terminate + 'static) -> Self {
        let make = Make::Once(Once::new(Arc::new(component)));
        let spec = Self::new(id.into(), ChildKind::Component, make).restart(RestartType::Temporary);
        Self { is_once: true, ..spec }
    }

    /// The same with another id.
    pub(crate) fn with_id(mut self, id: impl Into<ChildId>) -> Self {
        self.info.id = id.into();
        self
    }

    /// Sets when it is restarted, and how such restarts are delayed. Default: permanent, not delayed.
    pub fn restart(mut self, restart: impl Into<Restart>) -> Self {
        self.info.restart = restart.into();
        self
    }

    /// Sets how long it gets to stop. Default: 5 s; the remaining budget for supervisors.
    pub fn shutdown(mut self, shutdown: impl Into<ShutdownPolicy>) -> Self {
        self.info.shutdown = shutdown.into();
        self
    }

    /// Lets its end by itself count for the supervisor's auto-shutdown. Default: it does not.
    pub fn significant(mut self) -> Self {
        self.info.significant = true;
        self
    }

    /// Sets how long it gets to be up; then it is aborted, and its start has failed. Default: 30 s for components,
    /// none for workers that do not signal and for supervisors.
    pub fn start_limit(mut self, limit: Duration) -> Self {
        self.info.start_limit = Some(limit);
        self
    }

    /// Lets a worker be up only when it calls [`ChildCx::ready`], within `limit`. Changes nothing for others, which
    /// have their own way to be up.
    pub fn signals_ready(mut self, limit: Duration) -> Self {
        if let Make::Worker { signals_ready, .. } = &mut self.make {
            *signals_ready = true;
            self.info.start_limit = Some(limit);
        }
        self
    }

    /// What is set, with its defaults.
    #[must_use]
    pub fn info(&self) -> &SpecInfo {
        &self.info
    }
}

impl fmt::Debug for ChildSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildSpec").field("info", &self.info).finish_non_exhaustive()
    }
}
