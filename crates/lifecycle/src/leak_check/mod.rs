//! Leaks found: for tests of your own, inside of a process, and for whoever counts a program from outside.
//!
//! A *leak* is what outlives its owner's `terminate`. A report names what the owners know of; here is looked for what
//! nobody knows of: tasks and threads that were started past all owners, descriptors, sockets, child processes.
//!
//! | you want to check            | use                                                   | sees                           |
//! |------------------------------|-------------------------------------------------------|--------------------------------|
//! | a test, and what it leaves   | [`leak_test`](leak_test()), [`LeakTest`]              | all of the below               |
//! | a part of a running program  | [`LeakCheck`]                                         | tasks, blocking jobs           |
//! | a whole program from outside | [`HoldPoint`], `Service::hold_for_leak_check`         | all of the below               |
//! | any process                  | [`Footprint`]                                         | threads, descriptors, sockets, child processes |
//!
//! What is compared are identities, not counts, and it is looked at until nothing new is left or a budget ends:
//! threads, sockets and tokio's own numbers take their time to go. What is left on purpose is ignored, with a reason.
//!
//! # Names of others' tasks
//!
//! On stable tokio the tasks that no set of ours started have no name and no place: they are counted. In a build with
//! `RUSTFLAGS="--cfg tokio_unstable"` [`leak_test`](leak_test()) and a held service name the line that spawned each of
//! them. Nothing tells of the tasks of a `LocalSet`, and of others' blocking jobs only their threads do.
//!
//! # Examples
//!
//! ```no_run
//! use landfall_lifecycle::leak_check::leak_test;
//!
//! #[test]
//! fn the_client_leaves_nothing() {
//!     leak_test(|_| async {
//!         // Start what you test, use it, and end it.
//!     });
//! }
//! # fn main() {}
//! ```
//!
//! What it fails with:
//!
//! ```text
//! 3 leaks, after 2.00 s in which they could have gone
//!   kind    name                                    place                age
//!   task    pump                                    src/client.rs:88  2.04 s  task of "client"
//!   thread  resolver-0                              -                 2.10 s  thread 4711, sleeping
//!   socket  tcp 127.0.0.1:54108 to 127.0.0.1:49247  -                      -  CLOSE_WAIT, descriptor 11, inode 314478
//! ```

mod footprint;
mod foreign;
mod guard;
mod hold;
mod ignore;
mod leak;
mod leak_test;
mod leaks;

use std::time::Duration;

use serde::Serializer;

pub use footprint::{DescriptorSeen, Footprint, FootprintError, ProcessSeen, SocketSeen, ThreadSeen};
#[cfg(tokio_unstable)]
pub(crate) use foreign::own;
pub use foreign::{ForeignTask, Foreigners};
pub use guard::LeakCheck;
pub use hold::{HeldTask, HoldError, HoldPoint, Stage, Standing};
pub use leak::{Kind, Leak};
pub use leak_test::{LeakCx, LeakTest, LeakTestFailure, TestOutput, leak_test};
pub use leaks::{Ignored, Leaks};

/// For `serialize_with`: whole milliseconds, rounded down.
fn millis<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}
