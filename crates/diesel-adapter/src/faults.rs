//! Faults planted in this crate's own code, so that each check can show that it would find such a fault.
//!
//! Built only with `--cfg landfall_faults`, never by a feature: features unify. The variable `LANDFALL_FAULT` arms one
//! fault for the whole process; those of this crate are named `diesel/..`, the others are other crates' concern.

use std::env;
use std::sync::OnceLock;

/// A place in the code where something can be made to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An operation that nobody wants any more is not told so.
    ForgetBrake,
    /// A thread that ends leaves its connection open.
    KeepConnection,
}

/// Every fault with the name that arms it.
const FAULTS: &[(&str, Fault)] = &[("forget-brake", Fault::ForgetBrake), ("keep-connection", Fault::KeepConnection)];

/// Whether this fault is armed.
///
/// # Panics
///
/// When the variable names none of this crate's, and says that it does: a check that arms a fault which is not there
/// would pass without having looked.
pub(crate) fn is_armed(fault: Fault) -> bool {
    static ARMED: OnceLock<Option<Fault>> = OnceLock::new();
    *ARMED.get_or_init(|| {
        let armed = env::var("LANDFALL_FAULT").ok()?;
        let name = armed.strip_prefix("diesel/")?;
        let known = FAULTS.iter().find(|(known, _)| *known == name);
        Some(known.unwrap_or_else(|| panic!("LANDFALL_FAULT is `{armed}`; there are {FAULTS:?}")).1)
    }) == Some(fault)
}
