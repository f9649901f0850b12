//! Faults planted in this crate's own code, so that each check can show that it would find such a fault.
//!
//! Built only with `--cfg landfall_faults`, never by a feature: features unify. The variable `LANDFALL_FAULT` arms one
//! fault for the whole process; those of this crate are named `supervise/..`, the others are other crates' concern.

use std::env;
use std::sync::OnceLock;

/// A place in the code where something can be made to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A backlog takes a request in that nobody hands back, beside its end.
    AcceptLate,
    /// A request of a backlog expires by a look from before, whatever has become of it.
    ExpireUnlooked,
    /// A delayed restart keeps its timer when the supervisor ends, and is made after it.
    FireLate,
    /// A request that is put back in a backlog counts as never committed.
    ForgetCommit,
    /// The task set of an instance is forgotten when its future ends.
    ForgetTasks,
    /// The end of a backlog hands nothing back.
    KeepWaiting,
    /// A restart takes the old instance for gone without a stop.
    LeaveOld,
    /// The task that keeps a backlog's time is on a set that nobody ends.
    LeaveTime,
    /// A child that leaves a backlog does not look whether that ends.
    LeaveUnlooked,
    /// The end leaves out of the report what is stuck.
    NameNoStuck,
    /// An instance that was asked to stop is not waited for.
    SkipJoin,
    /// At the end children are stopped in the order of their start.
    StopInStartOrder,
    /// An instance that outlives its stop limit is not aborted.
    SwallowAbort,
    /// A child waits at a backlog by a look from before.
    WaitUnlooked,
}

/// Every fault with the name that arms it.
const FAULTS: &[(&str, Fault)] = &[
    ("accept-late", Fault::AcceptLate),
    ("expire-unlooked", Fault::ExpireUnlooked),
    ("fire-late", Fault::FireLate),
    ("forget-commit", Fault::ForgetCommit),
    ("forget-tasks", Fault::ForgetTasks),
    ("keep-waiting", Fault::KeepWaiting),
    ("leave-old", Fault::LeaveOld),
    ("leave-time", Fault::LeaveTime),
    ("leave-unlooked", Fault::LeaveUnlooked),
    ("name-no-stuck", Fault::NameNoStuck),
    ("skip-join", Fault::SkipJoin),
    ("stop-in-start-order", Fault::StopInStartOrder),
    ("swallow-abort", Fault::SwallowAbort),
    ("wait-unlooked", Fault::WaitUnlooked),
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
        let name = armed.strip_prefix("supervise/")?;
        let known = FAULTS.iter().find(|(known, _)| *known == name);
        Some(known.unwrap_or_else(|| panic!("LANDFALL_FAULT is `{armed}`; there are {FAULTS:?}")).1)
    }) == Some(fault)
}
