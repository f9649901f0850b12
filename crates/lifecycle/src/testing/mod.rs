//! For the tests of whoever builds on these crates: futures dropped at every poll, and the contract of
//! [`Terminate`](crate::Terminate) checked on types of their own.
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
//!
//! # The contract of `Terminate`
//!
//! [`Contract`] makes one instance of a type after the other, starts work in it that heeds nothing, terminates it in
//! every way a caller may, and says which rule is kept, broken or does not apply.
//!
//! ```
//! use landfall_lifecycle::TaskSet;
//! use landfall_lifecycle::testing::Contract;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let report = Contract::of(|| TaskSet::new("mine"))
//!     .work(|tasks, work| drop(tasks.spawn("deaf", work)))
//!     .without_runtime()
//!     .check()
//!     .await;
//! report.assert_kept();
//! # }
//! ```

mod cancel;
mod contract;
mod wall;

pub use cancel::{Cut, CutPoints, EveryPoll, SetUp, cancel_at_every_poll, cancel_at_every_poll_on};
pub use contract::{Contract, ContractReport, Rule, RuleReport, Verdict, Work};
