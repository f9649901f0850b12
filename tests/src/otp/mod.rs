//! Scenarios for supervisors, run on ours: what `tests/interop/otp/supervisor.escript` does on OTP's.

mod calls;
mod record;
mod reports;
mod run;
mod scenario;
mod worker;

pub use run::run;
pub use scenario::{Fault, Scenario, read};
