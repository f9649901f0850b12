//! Scenarios: whole programs as child processes, put under load, signalled, killed, and judged by what is seen from outside.
//!
//! Each program `scenario-..` in `src/bin` runs one of [`scenarios`] through [`scenario::run`], which draws and prints the
//! seed, runs the scenario against the relay, and then against a *twin*: the same program with a planted fault
//! ([`faulty`]), which the scenario has to find. A check that never fires proves nothing.
//!
//! Nothing here is built on the crates under test, but for the program that is a service with busy workers: whoever
//! judges does not borrow from whom is judged. So these are blocking sockets and scoped threads.
#![forbid(unsafe_code)]

pub mod busy;
pub mod deadline;
pub mod faulty;
pub mod findings;
pub mod http;
pub mod journal;
pub mod load;
pub mod loads;
pub mod observed;
pub mod process;
pub mod program;
pub mod random;
pub mod relay;
pub mod scenario;
pub mod scenarios;
pub mod sink;
pub mod stop;
pub mod twin;
pub mod verdict;
pub mod watch;
pub mod witness;
pub mod workplace;
