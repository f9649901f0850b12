//! Background work on Tokio that ends on purpose: start at [`TaskSet`], then [`Stack`] and `service`.
//!
//! # Guarantees
//!
//! When [`Terminate::terminate`] returns, no user code that the owner started is running: no poll, no destructor of a
//! future, of its output or of its panic's payload, no blocking closure, no thread. Or the [`Report`] names each
//! exception, with the place that started it.
//!
//! - It returns within one second of the [abort instant](Shutdown), whatever user code does:
//!   [`TaskSet::terminate_blocking`], `service`, and every awaited `terminate` whose own task is polled.
//! - It is idempotent and shared: every caller gets the same ending. Dropping the future of `terminate` loses nothing;
//!   a termination that nobody awaits logs its report.
//! - Nothing in here panics, not while a runtime shuts down, nor on a runtime without timers, nor when no thread can
//!   be made. A panic of a user's code is caught and becomes an outcome.
//! - Order: a [`Stack`] ends its components in reverse; everything else is signalled at once and then joined.
//! - The deadlines are kept by a thread of this crate, one for each termination under way, joined before it returns.
//!
//! # What is not guaranteed
//!
//! - Wakers, destructors of wakers and of thread-locals, values that a task handed out, and hooks installed in the
//!   runtime run when they run.
//! - One synchronous user callback that blocks for ever ([`Terminate::begin_terminate`], a waker, a `tracing`
//!   subscriber that writes into a full pipe) cannot be gone around.
//! - On a current-thread runtime, a task that never yields keeps everything else there from being polled, an awaited
//!   `terminate` included.
//! - With `panic = "abort"` a panic ends the process.
//! - If no thread can be made to keep the deadlines, grace ends at once; the report says so ([`GraceCut`]).
//! - Fork is not supported, as tokio does not support it after its first use.
//!
#![cfg_attr(all(feature = "leak-check", feature = "service"), doc = include_str!("../README.md"))]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod block_on;
mod current;
mod ended_threads;
mod ending;
#[cfg(any(landfall_loom, landfall_shuttle))]
mod explore;
#[cfg(landfall_faults)]
mod faults;
#[doc(hidden)]
pub mod internal;
#[cfg(feature = "leak-check")]
pub mod leak_check;
#[cfg(all(test, any(landfall_loom, landfall_shuttle)))]
mod model;
mod panics;
mod report;
#[cfg(feature = "service")]
mod service;
#[cfg(feature = "serving")]
pub mod serving;
mod shutdown;
#[cfg(feature = "service")]
mod signals;
mod stack;
mod sync;
mod task_set;
mod terminate;
#[cfg(feature = "testing")]
pub mod testing;

pub use ending::{Ending, Owner};
pub use report::{Activity, Counts, Found, GraceCut, Outcome, Place, Remnant, Report, TaskKind, TaskReport, Unclean};
#[cfg(feature = "service")]
pub use service::{Service, ServiceCx, service};
pub use shutdown::{Clock, Reason, Shutdown, SleepUntil};
#[cfg(feature = "service")]
pub use signals::{Signal, Signals};
pub use stack::{Level, PushError, PushErrorKind, Stack};
pub use task_set::{
    AbortOnDrop, ChildError, PanicPolicy, Phase, SpawnError, Task, TaskError, TaskId, TaskInfo, TaskName, TaskSet,
    TaskSetOptions, Tracked, WeakTaskSet,
};
pub use terminate::{SelfJoin, Terminate};
