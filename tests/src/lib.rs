//! Scenarios: whole programs as child processes, put under load, signalled, killed, and judged by what is seen from outside.
//!
//! Each program `scenario-..` in `src/bin` goes through [`scenario::run`], which draws and prints the seed, runs the
//! rounds, and then the *twins*: the same with a planted fault, which the scenario has to find. A check that never fires
//! proves nothing. There are two sorts:
//!
//! - [`scenarios`] start another program, mostly the relay, drive it and judge its answers and its end. Their twins are
//!   programs that are wrong on purpose ([`faulty`]).
//! - [`observed`] ones are observer and observed in one program; what the target does is in [`loads`]. Their twins are
//!   planted leaks of each kind, and fault points of the product in a build with `--cfg landfall_faults`.
//!
//! - [`postgres`] has pools of connections to a real server, which is asked what is left of them.
//!
//! Besides, [`watch`] does to somebody else's program what can be done from outside, and [`otp`] runs scenarios on our
//! supervisors whose histories are compared with those of OTP's.
//!
//! Whoever judges does not borrow from whom is judged: no runtime, no task set, but blocking sockets and scoped threads.
//! The exceptions are `landfall_lifecycle::leak_check`, which reads what another process holds, and whose eye the
//! planted leaks prove, and the signals that interrupt a watch.
#![forbid(unsafe_code)]

pub mod busy;
pub mod deadline;
pub mod faulty;
pub mod findings;
pub mod http;
pub mod journal;
pub mod load;
pub mod loads;
pub mod nri;
pub mod observed;
pub mod otp;
pub mod postgres;
pub mod process;
pub mod program;
pub mod random;
pub mod relay;
pub mod scenario;
pub mod scenarios;
pub mod sink;
pub mod skips;
pub mod stop;
pub mod twin;
pub mod verdict;
pub mod watch;
pub mod witness;
pub mod workplace;
