//! Copies of one child, and which of them serves a key.

use std::borrow::Cow;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use landfall_lifecycle::{Report, SelfJoin, Shutdown, Terminate};
use tokio::sync::Mutex;

use crate::builder::{IntoSupervisor, SupervisorBuilder};
use crate::call_error::{RestartChildError, TerminateChildError};
use crate::exit::Exit;
use crate::spec_error::SpecError;
use crate::start_error::StartError;
use crate::supervisor::Supervisor;
use crate::tree::TreeChild;

/// The most partitions there may be.
pub(crate) const PARTITIONS_MAX: usize = 65_536;

/// A supervisor of copies of one child, and which of them serves a key (Elixir: `PartitionSupervisor`).
///
/// One child that does everything is one core's work; so many copies share it, and what belongs to one key always goes
/// to the same copy. Partitions are children like any other, with their numbers as ids; a [`Registry`](crate::Registry)
/// is a way to reach them. Clones route alike.
///
/// # Examples
///
/// ```
/// use landfall_lifecycle::{Shutdown, Terminate};
/// use landfall_supervise::{ChildSpec, Supervisor};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let counters = Supervisor::builder("counters")
///     .partitions(8, |number| {
///         ChildSpec::worker("counter", move |cx| async move {
///             println!("{number} counts");
///             cx.token().cancelled().await
///         })
///     })
///     .start()
///     .await?;
/// let number = counters.of_key("alice").ok_or("all partitions are switched off")?;
/// assert_eq!(counters.of_key("alice"), Some(number));
/// assert_eq!(counters.of_number(11), Some(3));
/// # counters.terminate(&Shutdown::now()).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Partitions {
    supervisor: Supervisor,
    routing: Arc<Routing>,
}

/// A supervisor of partitions as it will be. Made by [`SupervisorBuilder::partitions`].
#[derive(Debug)]
#[must_use = "a supervisor does nothing until it is started"]
pub struct PartitionsBuilder {
    pub(crate) inner: SupervisorBuilder,
    pub(crate) routing: Arc<Routing>,
}

/// What all handles of a supervisor of partitions share.
pub(crate) struct Routing {
    /// How many partitions there are at most.
    count_max: usize,
    /// How many serve now: those with the lowest numbers.
    count: AtomicUsize,
    /// Held while their number changes.
    resizing: Mutex<()>,
}

/// Why there are not so many partitions as were asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResizeError {
    /// There never were so many.
    #[error("{count} partitions were asked for, and there are {count_max}: the number that was started is the most")]
    TooMany {
        /// How many were asked for.
        count: usize,
        /// The bound: how many were started.
        count_max: usize,
    },
    /// A partition that is to serve again does not start. Those before it do.
    #[error("partition {number} does not start")]
    Start {
        /// Which.
        number: usize,
        /// Why.
        source: RestartChildError,
    },
    /// A partition that is not to serve any more does not stop. Nothing is routed to it.
    #[error("partition {number} does not stop")]
    Stop {
        /// Which.
        number: usize,
        /// Why.
        source: TerminateChildError,
    },
}

impl PartitionsBuilder {
    /// Starts the supervisor and its partitions, each when the one before is up.
    ///
    /// # Errors
    ///
    /// [`StartError`], as of [`SupervisorBuilder::start`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it aborts what was started.
    pub async fn start(self) -> Result<Partitions, StartError> {
        Ok(Partitions { supervisor: self.inner.start().await?, routing: self.routing })
    }
}

impl IntoSupervisor for PartitionsBuilder {
    fn into_supervisor(self) -> Result<SupervisorBuilder, Exit> {
        Ok(self.inner)
    }
}

impl Partitions {
    /// The partitions of a supervisor that is a child of another; none if its children are none.
    #[must_use]
    pub fn of(supervisor: &Supervisor) -> Option<Self> {
        let routing = Arc::clone(supervisor.core().routing()?);
        Some(Self { supervisor: supervisor.clone(), routing })
    }

    /// Which partition serves a key: its hash modulo their number. None while there are none.
    ///
    /// The hash is the same for as long as the process runs, and may differ in the next one.
    #[must_use]
    pub fn of_key(&self, key: &(impl Hash + ?Sized)) -> Option<usize> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        self.of_number(hasher.finish())
    }

    /// Which partition serves a number: it modulo their number. None while there are none.
    #[must_use]
    pub fn of_number(&self, number: u64) -> Option<usize> {
        let count = self.count() as u64;
        usize::try_from(number.checked_rem(count)?).ok()
    }

    /// How many partitions serve now.
    #[must_use]
    pub fn count(&self) -> usize {
        self.routing.count.load(Ordering::Acquire)
    }

    /// How many there are at most: as many as were started.
    #[must_use]
    pub fn count_max(&self) -> usize {
        self.routing.count_max
    }

    /// One partition as it stands, whether it serves or not.
    #[must_use]
    pub fn partition(&self, number: usize) -> Option<TreeChild> {
        self.supervisor.which_child(number.to_string())
    }

    /// Lets so many partitions serve: starts those that are to serve again, in order, or stops those that are not to any
    /// more, in reverse order, each by its own limit. Keys are routed to fewer before the first one stops, and to more
    /// when the last one is up; most of them then belong to other partitions.
    ///
    /// # Errors
    ///
    /// [`ResizeError`]; calling it again goes on where it failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves it at the partition it was at; calling it again goes on there.
    pub async fn resize(&self, count: usize) -> Result<(), ResizeError> {
        let count_max = self.routing.count_max;
        if count > count_max {
            return Err(ResizeError::TooMany { count, count_max });
        }
        let _resizing = self.routing.resizing.lock().await;
        self.routing.count.fetch_min(count, Ordering::AcqRel);
        for number in (count..count_max).rev() {
            let stopped = self.supervisor.terminate_child(number.to_string()).await;
            stopped.map_err(|source| ResizeError::Stop { number, source })?;
        }
        for number in 0..count {
            match self.supervisor.restart_child(number.to_string()).await {
                // It serves already, or is about to.
                Ok(_) | Err(RestartChildError::Running { .. } | RestartChildError::Restarting { .. }) => {}
                Err(source) => return Err(ResizeError::Start { number, source }),
            }
        }
        self.routing.count.store(count, Ordering::Release);
        Ok(())
    }

    /// The supervisor, for everything else.
    #[must_use]
    pub fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }
}

impl Terminate for Partitions {
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

impl Routing {
    pub(crate) fn new(count: usize) -> Self {
        Self { count_max: count, count: AtomicUsize::new(count), resizing: Mutex::new(()) }
    }

    /// Looks at how many there are to be.
    pub(crate) fn check(&self, of: &str) -> Result<(), SpecError> {
        if (1..=PARTITIONS_MAX).contains(&self.count_max) {
            return Ok(());
        }
        let (field, allowed) = ("partitions", "1 to 65536");
        Err(SpecError::OutOfBounds { field, of: of.to_owned(), value: self.count_max.to_string(), allowed })
    }
}

impl fmt::Debug for Routing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routing")
            .field("count_max", &self.count_max)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}
