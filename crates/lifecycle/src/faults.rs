//! Faults planted in this crate's own code, so that each check can show that it would find such a fault.
//!
//! Built only with `--cfg landfall_faults`, never by a feature: features unify. The variable `LANDFALL_FAULT` arms one
//! fault for the whole process.

use std::env;
use std::sync::OnceLock;

/// A place in the code where something can be made to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A termination closes no gate: work goes on being accepted.
    ForgetClose,
    /// A connection's socket is kept: a second descriptor of it is never closed.
    KeepClone,
    /// A termination begins no child set and forgets it: what it owns lives on.
    LeakChild,
    /// The thread that keeps the deadlines stays when nothing is left to keep, and nobody joins it.
    LeaveThread,
    /// No thread can be made to keep the deadlines. Nothing is left behind: it shows what the crate does then.
    NoThread,
    /// When grace is over, entries leave their set while their futures live on.
    SkipJoin,
    /// A termination does not cancel the token: nobody is asked to finish.
    SwallowCancel,
}

/// Every fault with the name that arms it.
const FAULTS: &[(&str, Fault)] = &[
    ("forget-close", Fault::ForgetClose),
    ("keep-clone", Fault::KeepClone),
    ("leak-child", Fault::LeakChild),
    ("leave-thread", Fault::LeaveThread),
    ("no-thread", Fault::NoThread),
    ("skip-join", Fault::SkipJoin),
    ("swallow-cancel", Fault::SwallowCancel),
];

/// Whether this fault is armed.
///
/// # Panics
///
/// When the variable names none: a check that arms a fault which is not there would pass without having looked.
pub(crate) fn is_armed(fault: Fault) -> bool {
    static ARMED: OnceLock<Option<Fault>> = OnceLock::new();
    *ARMED.get_or_init(|| {
        let name = env::var("LANDFALL_FAULT").ok()?;
        let known = FAULTS.iter().find(|(known, _)| *known == name);
        Some(known.unwrap_or_else(|| panic!("LANDFALL_FAULT is `{name}`; there are {FAULTS:?}")).1)
    }) == Some(fault)
}
