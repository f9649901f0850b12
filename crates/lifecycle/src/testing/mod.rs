//! For the tests of whoever builds on these crates: futures dropped at every poll.
//!
//! # A future dropped at every poll
//!
//! A future may be dropped wherever it waits: by a `select!`, a timeout, an aborted task. [`cancel_at_every_poll`] runs
//! it again and again, drops it after its first poll, then after its second, and so on until it completes, and has the
//! invariant checked each time.
//!
//! ```
//! use landfall_lifecycle::testing::cancel_at_every_poll;
//! use tokio::sync::Semaphore;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let permits = Semaphore::new(2);
//! let cuts = cancel_at_every_poll(async || {
//!     let _first = permits.acquire().await;
//!     tokio::task::yield_now().await;
//!     let _second = permits.acquire().await;
//! })
//! .check(|_| assert_eq!(permits.available_permits(), 2))
//! .await;
//! assert_eq!(cuts.polls, 1);
//! # }
//! ```

mod cancel;
mod wall;

pub use cancel::{Cut, CutPoints, EveryPoll, SetUp, cancel_at_every_poll, cancel_at_every_poll_on};
