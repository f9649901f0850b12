//! Faults planted in this crate's own code, so that each check can show that it would find such a fault.
//!
//! Built only with `--cfg landfall_faults`, never by a feature: features unify. The variable `LANDFALL_FAULT` arms one
//! fault for the whole process; one that is named `CRATE/..` is that crate's concern.

use std::env;
use std::sync::OnceLock;

/// A place in the code where something can be made to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An abort goes by the place of an entry, whoever has it by now.
    AbortByPlace,
    /// Two callers that begin at once both think that they were the first.
    BeginTwice,
    /// A task that is aborted alone is woken before it can see that it is.
    CountAfterWake,
    /// A destructor's panic goes through whoever drops what is not its own.
    DropUncontained,
    /// A termination looks whether anything lives before it closes the gate.
    EmptyBeforeClose,
    /// Those who are told of a force look before it can be seen.
    ForceUnseen,
    /// A termination closes no gate: work goes on being accepted.
    ForgetClose,
    /// A handle polled while its task leaves is not woken.
    ForgetHeldWaker,
    /// A termination learns of a further shutdown's clock thread only after what it owns may have started it.
    ForgetKeeper,
    /// Who stops waiting takes the one with it that came last.
    ForgetLastWaiter,
    /// A handle gives its result before the task has left its set.
    FullAtDelivery,
    /// A gate is looked at before the lock under which it is passed.
    GateOutsideLock,
    /// A connection's socket is kept: a second descriptor of it is never closed.
    KeepClone,
    /// A queued closure that has begun stays in its set: they hold each other.
    KeepJob,
    /// A termination begins no child set and forgets it: what it owns lives on.
    LeakChild,
    /// The thread that keeps the deadlines stays when nothing is left to keep, and nobody joins it.
    LeaveThread,
    /// A log line's panic goes through whoever logs.
    LogUncontained,
    /// No thread can be made to keep the deadlines. Nothing is left behind: it shows what the crate does then.
    NoThread,
    /// Who waits for an end is woken before there is one.
    NotifyBeforeChange,
    /// When grace is over, entries leave their set while their futures live on.
    SkipJoin,
    /// The clock thread goes to sleep without a look at what came meanwhile.
    SleepUnlooked,
    /// A termination does not cancel the token: nobody is asked to finish.
    SwallowCancel,
    /// Of all who wait for a change only the first is woken.
    WakeFirstOnly,
    /// The clock thread of a shutdown starts before the termination that it serves knows of it.
    WatchOutsideLock,
    /// A waker's panic goes through whoever wakes.
    WakeUncontained,
    /// A waker is left after it was seen that there is nothing to see yet.
    WakerAfterCheck,
}

/// Every fault with the name that arms it.
const FAULTS: &[(&str, Fault)] = &[
    ("abort-by-place", Fault::AbortByPlace),
    ("begin-twice", Fault::BeginTwice),
    ("count-after-wake", Fault::CountAfterWake),
    ("drop-uncontained", Fault::DropUncontained),
    ("empty-before-close", Fault::EmptyBeforeClose),
    ("force-unseen", Fault::ForceUnseen),
    ("forget-close", Fault::ForgetClose),
    ("forget-held-waker", Fault::ForgetHeldWaker),
    ("forget-keeper", Fault::ForgetKeeper),
    ("forget-last-waiter", Fault::ForgetLastWaiter),
    ("full-at-delivery", Fault::FullAtDelivery),
    ("gate-outside-lock", Fault::GateOutsideLock),
    ("keep-clone", Fault::KeepClone),
    ("keep-job", Fault::KeepJob),
    ("leak-child", Fault::LeakChild),
    ("leave-thread", Fault::LeaveThread),
    ("log-uncontained", Fault::LogUncontained),
    ("no-thread", Fault::NoThread),
    ("notify-before-change", Fault::NotifyBeforeChange),
    ("skip-join", Fault::SkipJoin),
    ("sleep-unlooked", Fault::SleepUnlooked),
    ("swallow-cancel", Fault::SwallowCancel),
    ("wake-first-only", Fault::WakeFirstOnly),
    ("wake-uncontained", Fault::WakeUncontained),
    ("watch-outside-lock", Fault::WatchOutsideLock),
    ("waker-after-check", Fault::WakerAfterCheck),
];

/// Whether this fault is armed.
///
/// # Panics
///
/// When the variable names none: a check that arms a fault which is not there would pass without having looked.
pub(crate) fn is_armed(fault: Fault) -> bool {
    static ARMED: OnceLock<Option<Fault>> = OnceLock::new();
    *ARMED.get_or_init(|| {
        let name = env::var("LANDFALL_FAULT").ok().filter(|name| !name.contains('/'))?;
        let known = FAULTS.iter().find(|(known, _)| *known == name);
        Some(known.unwrap_or_else(|| panic!("LANDFALL_FAULT is `{name}`; there are {FAULTS:?}")).1)
    }) == Some(fault)
}
