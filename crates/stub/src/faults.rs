//! Faults planted in this crate's own code, so that each check can show that it would find such a fault.
//!
//! Built only with `--cfg landfall_faults`, never by a feature: features unify. The variable `LANDFALL_FAULT` arms one
//! fault for the whole process; those of this crate are named `stub/..`, the others are other crates' concern.

use std::env;
use std::sync::OnceLock;

use landfall_lifecycle::TaskSet;

/// A place in the code where something can be made to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The length in a header is believed, whatever it is.
    BelieveLength,
    /// The request of one event goes to the handler of another.
    ConfuseEvents,
    /// The bytes of messages are not counted.
    ForgetHeld,
    /// The writer of a generation belongs to nobody, and stays.
    ForgetWriter,
    /// The slot of a call is free before its request is written.
    FreeSlotEarly,
    /// The old socket is kept: a second descriptor of it is never closed.
    KeepSocket,
    /// The task that connects belongs to nobody, and stays when it is done.
    LeaveDial,
    /// What has come of a header is lost when the rest comes later.
    LoseSplit,
    /// Handlers belong to nobody: the end of their generation does not wait for them.
    SkipHandlers,
    /// A stop that its generation's task does not answer returns some seconds later than it should.
    StopLate,
}

/// Every fault with the name that arms it.
const FAULTS: &[(&str, Fault)] = &[
    ("believe-length", Fault::BelieveLength),
    ("confuse-events", Fault::ConfuseEvents),
    ("forget-held", Fault::ForgetHeld),
    ("forget-writer", Fault::ForgetWriter),
    ("free-slot-early", Fault::FreeSlotEarly),
    ("keep-socket", Fault::KeepSocket),
    ("leave-dial", Fault::LeaveDial),
    ("lose-split", Fault::LoseSplit),
    ("skip-handlers", Fault::SkipHandlers),
    ("stop-late", Fault::StopLate),
];

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
        let name = armed.strip_prefix("stub/")?;
        let known = FAULTS.iter().find(|(known, _)| *known == name);
        Some(known.unwrap_or_else(|| panic!("LANDFALL_FAULT is `{armed}`; there are {FAULTS:?}")).1)
    }) == Some(fault)
}

/// A set that nobody ends.
pub(crate) fn forgotten() -> &'static TaskSet {
    Box::leak(Box::new(TaskSet::new("forgotten")))
}
