//! Background work on Tokio that ends on purpose.
#![forbid(unsafe_code)]

mod report;
mod shutdown;

pub use report::{Activity, Counts, Found, GraceCut, Outcome, Place, Remnant, Report, TaskKind, TaskReport, Unclean};
pub use shutdown::Reason;
