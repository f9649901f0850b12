//! Requests that are kept while a connection is away: a stable address in front of a child that is restarted.
//!
//! Callers put their requests at an [`Address`]; the child takes them from an [`Intake`], sends them, and answers. While
//! it is away they wait, as many and as long as [`Limits`] say. Start at [`Backlog`].
//!
//! # What comes of a request
//!
//! | it           | then                                          | its caller is told                    | was it sent |
//! |--------------|-----------------------------------------------|---------------------------------------|-------------|
//! | waits        | its time is over                              | [`Expired`](Unanswered::Expired)      | never       |
//! | waits        | gives way to a newcomer                       | [`Dropped`](Unanswered::Dropped)      | never       |
//! | waits        | the backlog ends                              | [`Terminating`](Unanswered::Terminating) | never    |
//! | waits        | its caller drops the [`Reply`]                | -                                     | never       |
//! | waits        | is committed                                  | nothing yet                           | perhaps     |
//! | is committed | is answered                                   | the answer                            | yes         |
//! | is committed | is lost: it waits again, in its place         | nothing yet                           | perhaps     |
//! | is committed | its time is over, or the child or the backlog gives it up | [`Unknown`](Unanswered::Unknown) | perhaps |
//!
//! One transition decides whether a request may have been sent: [`commit`](Intake::commit). Nothing leads back, so that
//! nobody who was told `Expired` finds later that it was done.

mod address;
mod builder;
mod core;
mod intake;
mod limits;
#[cfg(all(test, landfall_loom))]
mod models;
mod owner;
mod shared;
mod stats;
mod sync;

use std::fmt;
use std::sync::Arc;

use landfall_lifecycle::Stack;

pub use self::address::{Address, NotTaken, PutError, Reply, Unanswered};
pub use self::builder::{BuildError, Builder};
pub use self::intake::{AttachError, Committed, Intake};
pub use self::limits::{Limits, LimitsError, WhenFull};
use self::shared::Shared;
pub use self::stats::BacklogStats;

/// Keeps requests while the child that serves them is away.
///
/// It is [`Terminate`](landfall_lifecycle::Terminate). A `Backlog` is a handle; clones are the same backlog. When the last
/// one is dropped without a termination, what waits is handed back, with a warning. Requests `Q` and answers `A` are
/// shown nowhere.
///
/// # How it ends
///
/// 1. No request is taken in any more, and no child can attach. What waits is still given to the child that is there; if
///    there is none, or when it goes, what was never committed is handed back
///    ([`Terminating`](Unanswered::Terminating)), and what was is [`Unknown`](Unanswered::Unknown).
/// 2. When grace ends, all that waits ends so. Requests that are with the child may still be answered.
/// 3. At the abort instant their callers are told [`Unknown`](Unanswered::Unknown), and the report names how many the child has,
///    and where it attached.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use landfall_lifecycle::{Shutdown, Terminate};
/// use landfall_supervise::backlog::{Address, Backlog};
/// use landfall_supervise::{ChildSpec, RestartType, Supervisor};
///
/// /// Serves until it is asked to stop; fails at the first request, and is started again.
/// fn server(orders: Address<u32, String>) -> ChildSpec {
///     ChildSpec::worker("server", move |cx| {
///         let orders = orders.clone();
///         async move {
///             let mut intake = orders.attach()?;
///             while let Some(Some(order)) = cx.token().run_until_cancelled(intake.next()).await {
///                 if order.times_taken() == 1 {
///                     // It goes back to its place.
///                     return Err("the connection was lost".into());
///                 }
///                 let answer = format!("{} was done", order.request());
///                 order.answer(answer);
///             }
///             Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
///         }
///     })
///     .restart(RestartType::Permanent)
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let orders = Backlog::builder("orders").build()?;
/// let address = orders.address();
/// let reply = address.put(7)?;
/// // Nobody serves yet.
/// let tree = Supervisor::builder("app")
///     .child(ChildSpec::instance("orders", orders).shutdown(Duration::from_secs(1)))
///     .child(server(address.clone()))
///     .start()
///     .await?;
/// assert_eq!(reply.await?, "7 was done");
/// tree.terminate(&Shutdown::within(Duration::from_secs(5), Duration::from_secs(6))).await?;
/// # Ok(()) }
/// ```
pub struct Backlog<Q: Send + 'static, A: Send + 'static>(Arc<Root<Q, A>>);

/// What all clones of a backlog share; the end of the last one ends the backlog.
struct Root<Q: Send + 'static, A: Send + 'static> {
    shared: Arc<Shared<Q, A>>,
    /// The task that keeps the time at the bottom, the requests on top of it.
    stack: Stack,
}

impl<Q: Send + 'static, A: Send + 'static> Backlog<Q, A> {
    /// Begins to set up a backlog. The name is shown in logs, errors and reports.
    pub fn builder(name: impl Into<String>) -> Builder<Q, A> {
        Builder::new(name.into())
    }

    fn new(shared: Arc<Shared<Q, A>>, stack: Stack) -> Self {
        Self(Arc::new(Root { shared, stack }))
    }

    /// Where callers put their requests, and the child attaches.
    #[must_use]
    pub fn address(&self) -> Address<Q, A> {
        Address::new(&self.0.shared)
    }

    /// What it holds, and what has come of all requests so far.
    #[must_use]
    pub fn stats(&self) -> BacklogStats {
        self.0.shared.stats()
    }
}

impl<Q: Send + 'static, A: Send + 'static> Clone for Backlog<Q, A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<Q: Send + 'static, A: Send + 'static> fmt::Debug for Backlog<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backlog")
            .field("name", &self.0.shared.name)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
