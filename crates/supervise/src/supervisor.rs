//! The handle of a supervisor: calls, questions, its end.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use landfall_lifecycle::{Ending, Owner, Reason, Report, SelfJoin, Shutdown, Terminate};

use crate::builder::{SupervisorBuilder, check_child};
use crate::call_error::{DeleteChildError, RestartChildError, StartChildError, TerminateChildError};
use crate::child_id::{ChildRef, InstanceId};
use crate::child_spec::ChildSpec;
use crate::child_state::ChildCounts;
use crate::driver::{Answer, Core, Info};
use crate::engine::{Call, Reply};
use crate::events::Events;
use crate::policy::{AutoShutdown, SpecInfo, Strategy};
use crate::report::EndCause;
use crate::spec_error::SpecError;
use crate::tree::{LimitsError, Tree, TreeChild};

/// A supervisor: starts children in order, restarts them by rule, and ends them in reverse order.
///
/// It is [`Terminate`]: when [`terminate`](Terminate::terminate) returns, nothing of any child is running, or the
/// report names what is. It may also end by itself, when restarts come too often or a significant child ends;
/// [`ended`](Terminate::ended) tells, and [`end_cause`](Self::end_cause) says why.
///
/// A `Supervisor` is a handle; clones are the same supervisor. When the last one is dropped without a termination, all
/// children are aborted, with a warning, and nothing blocks.
///
/// Calls are answered when they are done, whatever becomes of the caller. Starts do not hold up a supervisor: each is
/// waited for by who asked for it. While a group is being restarted, calls that change something wait, in order, at
/// most [`calls_max`](SupervisorBuilder::calls_max) of them; questions never wait.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
/// use landfall_supervise::{ChildSpec, Strategy, Supervisor};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tree = Supervisor::builder("app")
///     .strategy(Strategy::RestForOne)
///     .intensity(3, Duration::from_secs(5))
///     .child(ChildSpec::component("cache", || async { Ok::<_, std::io::Error>(TaskSet::new("cache")) }))
///     .child(ChildSpec::worker("ingest", |cx| async move { cx.token().cancelled().await }))
///     .start()
///     .await?;
/// println!("{}", tree.tree());
///
/// let report = tree.terminate(&Shutdown::within(Duration::from_secs(5), Duration::from_secs(6))).await?;
/// assert!(report.is_clean());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Supervisor(Arc<Handle>);

/// A reference to a [`Supervisor`] that does not keep it alive, for its own children.
#[derive(Clone, Default)]
pub struct WeakSupervisor(Weak<Handle>);

/// What all clones of a supervisor share; the end of the last one ends the supervisor.
struct Handle(Arc<Core>);

/// A child that a call started.
#[derive(Debug)]
#[non_exhaustive]
pub struct StartedChild {
    /// Its instance; none if it declined to start.
    pub instance: Option<InstanceId>,
    info: Option<Info>,
}

impl StartedChild {
    /// What the child gave with [`ChildCx::ready_with`](crate::ChildCx::ready_with), if it gave something of this type.
    #[must_use]
    pub fn into_info<T: Any>(self) -> Option<T> {
        self.info?.downcast().ok().map(|info| *info)
    }
}

impl Supervisor {
    /// Begins to set up a supervisor.
    pub fn builder(name: impl Into<String>) -> SupervisorBuilder {
        SupervisorBuilder::new(name.into())
    }

    /// Begins to set up a dynamic supervisor (Elixir: `DynamicSupervisor`): children are started by calls only, each with
    /// a spec of its own, are named by instance, and stop at once, each by its own limit.
    ///
    /// Defaults are Elixir's: at most 3 restarts in 5 s, no bound on children.
    pub fn dynamic(name: impl Into<String>) -> SupervisorBuilder {
        Self::builder(name).strategy(Strategy::Dynamic).intensity(3, Duration::from_secs(5))
    }

    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self(Arc::new(Handle(core)))
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.0.0
    }

    /// Adds a child after all others, and starts it (OTP: `start_child`). A type of your own may say by `Into<ChildSpec>`
    /// how it is supervised (Elixir: `child_spec/1`).
    ///
    /// # Errors
    ///
    /// [`StartChildError`]; then nothing of the spec is kept, unless the id was there before.
    ///
    /// # Cancel safety
    ///
    /// Dropping it forgets the answer; the child is started all the same.
    pub async fn start_child(&self, spec: impl Into<ChildSpec>) -> Result<StartedChild, StartChildError> {
        let spec = spec.into();
        check_child(&spec, Some(self.core().look(|engine| engine.settings().auto_shutdown)))?;
        let (spec, make) = spec.into_parts();
        let call = Call::Start { spec, make };
        Self::started(self.core().call(call).await?)
    }

    pub(crate) fn started(answer: Answer) -> Result<StartedChild, StartChildError> {
        match answer.reply {
            Reply::Start(result) => result.map(|up| StartedChild { instance: Answer::instance(up), info: answer.info }),
            Reply::Restart(_) | Reply::Delete(_) | Reply::Terminate(_) => unreachable!("a start has its own reply"),
        }
    }

    /// Starts a child that is down (OTP: `restart_child`).
    ///
    /// # Errors
    ///
    /// [`RestartChildError`]; the spec is kept.
    ///
    /// # Cancel safety
    ///
    /// Dropping it forgets the answer; the child is started all the same.
    pub async fn restart_child(&self, child: impl Into<ChildRef>) -> Result<StartedChild, RestartChildError> {
        let answer = self.core().call(Call::Restart(child.into())).await?;
        match answer.reply {
            Reply::Restart(result) => {
                result.map(|up| StartedChild { instance: Answer::instance(up), info: answer.info })
            }
            Reply::Start(_) | Reply::Delete(_) | Reply::Terminate(_) => unreachable!("a restart has its own reply"),
        }
    }

    /// Forgets a child that is down (OTP: `delete_child`); one that is starting for the first time is cancelled.
    ///
    /// # Errors
    ///
    /// [`DeleteChildError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it forgets the answer; the child is deleted all the same.
    pub async fn delete_child(&self, child: impl Into<ChildRef>) -> Result<(), DeleteChildError> {
        match self.core().call(Call::Delete(child.into())).await?.reply {
            Reply::Delete(result) => result,
            Reply::Start(_) | Reply::Restart(_) | Reply::Terminate(_) => unreachable!("a delete has its own reply"),
        }
    }

    /// Stops a child by its own limit, and keeps its spec unless it is temporary or made from a template
    /// (OTP: `terminate_child`). It ends a restart that is under way or waits; one that is down stays so.
    ///
    /// # Errors
    ///
    /// [`TerminateChildError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it forgets the answer; the child is stopped all the same.
    pub async fn terminate_child(&self, child: impl Into<ChildRef>) -> Result<(), TerminateChildError> {
        match self.core().call(Call::Terminate(child.into())).await?.reply {
            Reply::Terminate(result) => result,
            Reply::Start(_) | Reply::Restart(_) | Reply::Delete(_) => unreachable!("a terminate has its own reply"),
        }
    }

    /// All children, newest first (OTP: `which_children`); none once the supervisor has ended.
    #[must_use]
    pub fn which_children(&self) -> Vec<TreeChild> {
        self.core().look(|engine| engine.rows()).into_iter().map(TreeChild::of_row).collect()
    }

    /// One child (OTP: `which_child`), by its id or by the instance it has or, while it restarts, had.
    #[must_use]
    pub fn which_child(&self, child: impl Into<ChildRef>) -> Option<TreeChild> {
        let child = child.into();
        self.core().look(|engine| engine.find(&child)).map(TreeChild::of_row)
    }

    /// How many children there are (OTP: `count_children`). Takes as long for a hundred thousand as for one.
    #[must_use]
    pub fn count_children(&self) -> ChildCounts {
        self.core().look(|engine| engine.counts())
    }

    /// The spec of a child with its defaults (OTP: `get_childspec`), by id or by instance.
    #[must_use]
    pub fn child_spec(&self, child: impl Into<ChildRef>) -> Option<SpecInfo> {
        let child = child.into();
        self.core().look(|engine| engine.find(&child)).map(|row| row.spec.info())
    }

    /// Looks for faults of specs without starting anything (OTP: `check_childspecs`). Without an auto-shutdown only
    /// what never can be is a fault.
    ///
    /// # Errors
    ///
    /// The first [`SpecError`] found.
    pub fn check_specs(specs: &[ChildSpec], auto_shutdown: Option<AutoShutdown>) -> Result<(), SpecError> {
        let mut ids = std::collections::HashSet::new();
        for spec in specs {
            check_child(spec, auto_shutdown)?;
            if !ids.insert(&spec.info.id) {
                return Err(SpecError::DuplicateId { id: spec.info.id.clone() });
            }
        }
        Ok(())
    }

    /// The supervisor that is a child of this one, while an instance of it lives.
    #[must_use]
    pub fn supervisor(&self, child: impl Into<ChildRef>) -> Option<Self> {
        let instance = self.which_child(child)?.instance?;
        self.core().supervisor_below(instance)
    }

    /// The whole tree from here on, as it stands: for people by `Display`, for programs with the feature `serde`.
    #[must_use]
    pub fn tree(&self) -> Tree {
        Tree::of(self)
    }

    /// What happens from now on, here and in all supervisors below.
    #[must_use]
    pub fn events(&self) -> Events {
        self.core().listen()
    }

    /// Checks that the stop limits of all children, one after the other as they would be stopped, fit into `grace`.
    /// Children with infinity use what is left, and are not counted.
    ///
    /// # Errors
    ///
    /// [`LimitsError`], with the supervisor, here or below, whose limits add up to more.
    pub fn check_limits(&self, grace: Duration) -> Result<(), LimitsError> {
        self.tree().check_limits(grace)
    }

    /// Which children an end concerns.
    #[must_use]
    pub fn strategy(&self) -> Strategy {
        self.core().strategy()
    }

    /// Why the supervisor has ended, once it has.
    #[must_use]
    pub fn end_cause(&self) -> Option<EndCause> {
        self.core().cause()
    }

    /// A reference that does not keep the supervisor alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakSupervisor {
        WeakSupervisor(Arc::downgrade(&self.0))
    }

    /// The driver says last that it has ended, and then returns: that, too, is waited for.
    async fn settle(core: &Core) {
        let now = core.at_once();
        if core.ending().is_over()
            && let Err(error) = core.driver().terminate(&now).await
        {
            tracing::error!(%error, "the driver is asked for its own end");
        }
    }
}

impl Terminate for Supervisor {
    fn name(&self) -> Cow<'_, str> {
        self.core().name().into()
    }

    fn begin_terminate(&self, how: &Shutdown) {
        Ending::begin(self.core(), how);
    }

    fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        let (core, how) = (Arc::clone(self.core()), how.clone());
        Box::pin(async move {
            let report = core.driven(Ending::terminate(Arc::clone(&core), how)).await?;
            Self::settle(&core).await;
            Ok(report)
        })
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        let core = Arc::clone(self.core());
        Box::pin(async move {
            core.driven(Ending::ended(Arc::clone(&core))).await;
            Self::settle(&core).await;
        })
    }

    fn report(&self) -> Option<Report> {
        Some(Ending::report(self.core()))
    }

    fn calling_task(&self) -> Option<String> {
        Owner::calling_task(&**self.core())
    }
}

impl WeakSupervisor {
    /// The supervisor, if any other handle to it is left.
    #[must_use]
    pub fn upgrade(&self) -> Option<Supervisor> {
        self.0.upgrade().map(Supervisor)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.0.ending().has_begun() {
            return;
        }
        let active = self.0.look(|engine| engine.counts().active);
        if active > 0 {
            tracing::warn!(owner = self.0.name(), active, "dropped without a termination: aborting all children");
        }
        Ending::begin(&self.0, &Shutdown::now().because(Reason::Dropped));
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor").field("name", &self.core().name()).finish_non_exhaustive()
    }
}

impl fmt::Debug for WeakSupervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakSupervisor")
    }
}
