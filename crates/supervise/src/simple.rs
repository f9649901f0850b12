//! Supervisors whose children are instances of one template.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use landfall_lifecycle::{Clock, Report, SelfJoin, Shutdown, Terminate};

use crate::builder::{IntoSupervisor, SupervisorBuilder};
use crate::call_error::StartChildError;
use crate::engine::Call;
use crate::exit::Exit;
use crate::make::Make;
use crate::policy::{StuckPolicy, WindowClock};
use crate::start_error::StartError;
use crate::supervisor::{StartedChild, Supervisor};

type Factory<A> = Arc<dyn Fn(A) -> Make + Send + Sync>;

/// A simple-one-for-one supervisor as it will be. Made by [`SupervisorBuilder::template`].
#[must_use = "a supervisor does nothing until it is started"]
pub struct SimpleBuilder<A> {
    pub(crate) inner: SupervisorBuilder,
    pub(crate) factory: Factory<A>,
}

impl<A: Clone + Send + Sync + 'static> SimpleBuilder<A> {
    /// See [`SupervisorBuilder::intensity`].
    pub fn intensity(mut self, restarts: u32, period: Duration) -> Self {
        self.inner = self.inner.intensity(restarts, period);
        self
    }

    /// See [`SupervisorBuilder::window_clock`].
    pub fn window_clock(mut self, clock: WindowClock) -> Self {
        self.inner = self.inner.window_clock(clock);
        self
    }

    /// See [`SupervisorBuilder::children_max`].
    pub fn children_max(mut self, children_max: usize) -> Self {
        self.inner = self.inner.children_max(children_max);
        self
    }

    /// See [`SupervisorBuilder::stuck`].
    pub fn stuck(mut self, policy: StuckPolicy, after: Duration) -> Self {
        self.inner = self.inner.stuck(policy, after);
        self
    }

    /// See [`SupervisorBuilder::clock`].
    pub fn clock(mut self, clock: Clock) -> Self {
        self.inner = self.inner.clock(clock);
        self
    }

    /// Starts the supervisor, without children.
    ///
    /// # Errors
    ///
    /// [`StartError`]: a fault of the setup, or no runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropping it aborts what was started.
    pub async fn start(self) -> Result<SimpleSupervisor<A>, StartError> {
        let factory = self.factory;
        Ok(SimpleSupervisor { supervisor: self.inner.start().await?, factory })
    }
}

impl<A> From<SimpleBuilder<A>> for SupervisorBuilder {
    fn from(builder: SimpleBuilder<A>) -> Self {
        builder.inner
    }
}

impl<A> IntoSupervisor for SimpleBuilder<A> {
    fn into_supervisor(self) -> Result<SupervisorBuilder, Exit> {
        Ok(self.inner)
    }
}

impl<A> fmt::Debug for SimpleBuilder<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimpleBuilder").field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// A simple-one-for-one supervisor: its children are made from one [`Template`](crate::Template), with arguments.
///
/// They have no ids and no order: calls name them by instance, and all are stopped at once. Everything but
/// [`start_child`](Self::start_child) is at the [`supervisor`](Self::supervisor) itself.
///
/// # Examples
///
/// ```
/// use landfall_lifecycle::{Shutdown, Terminate};
/// use landfall_supervise::{RestartType, Supervisor, Template};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let connections = Supervisor::builder("connections")
///     .template(Template::worker("connection", |cx, peer: String| async move {
///         println!("{peer}");
///         cx.token().cancelled().await
///     }).restart(RestartType::Temporary))
///     .start()
///     .await?;
/// let child = connections.start_child("127.0.0.1:9092".to_owned()).await?;
/// connections.supervisor().terminate_child(child.instance.expect("it did not decline")).await?;
/// # connections.terminate(&Shutdown::now()).await?;
/// # Ok(()) }
/// ```
pub struct SimpleSupervisor<A> {
    supervisor: Supervisor,
    factory: Factory<A>,
}

impl<A: Clone + Send + Sync + 'static> SimpleSupervisor<A> {
    /// The supervisor with its arguments known, for one that is a child of another; none if it has no template, or one
    /// with other arguments.
    #[must_use]
    pub fn of(supervisor: &Supervisor) -> Option<Self> {
        let factory = Arc::clone(supervisor.core().factory()?.downcast_ref::<Factory<A>>()?);
        Some(Self { supervisor: supervisor.clone(), factory })
    }

    /// Starts an instance of the template (OTP: `start_child`).
    ///
    /// # Errors
    ///
    /// [`StartChildError`]; then nothing is kept.
    ///
    /// # Cancel safety
    ///
    /// Dropping it forgets the answer; the child is started all the same.
    pub async fn start_child(&self, arguments: A) -> Result<StartedChild, StartChildError> {
        let make = (self.factory)(arguments);
        Supervisor::started(self.supervisor.core().call(Call::StartInstance { make }).await?)
    }

    /// The supervisor, for everything else.
    #[must_use]
    pub fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }
}

impl<A> Clone for SimpleSupervisor<A> {
    fn clone(&self) -> Self {
        Self { supervisor: self.supervisor.clone(), factory: Arc::clone(&self.factory) }
    }
}

impl<A> Terminate for SimpleSupervisor<A> {
    fn name(&self) -> Cow<'_, str> {
        self.supervisor.name()
    }

    fn begin_terminate(&self, how: &Shutdown) {
        self.supervisor.begin_terminate(how);
    }

    fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        self.supervisor.terminate(how)
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        self.supervisor.ended()
    }

    fn report(&self) -> Option<Report> {
        Terminate::report(&self.supervisor)
    }

    fn calling_task(&self) -> Option<String> {
        self.supervisor.calling_task()
    }
}

impl<A> fmt::Debug for SimpleSupervisor<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimpleSupervisor").field("supervisor", &self.supervisor).finish_non_exhaustive()
    }
}
