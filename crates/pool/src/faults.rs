//! Faults planted in this crate's own code, so that each check can show that it would find such a fault.
//!
//! Built only with `--cfg landfall_faults`, never by a feature: features unify. The variable `LANDFALL_FAULT` arms one
//! fault for the whole process; those of this crate are named `pool/..`, the others are other crates' concern.

use std::env;
use std::sync::OnceLock;

/// A place in the code where something can be made to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The gate stays open when the pool ends.
    AcceptLate,
    /// DNS is asked again at once, however short the time to live.
    AskAtOnce,
    /// A name server may take as long as it likes.
    AskForEver,
    /// Whoever comes last is served first.
    Barge,
    /// Whatever a name server sends is taken for the answer.
    BelieveAll,
    /// A claim that timed out says that it waited for a connect, whatever it waited for.
    BlameConnect,
    /// A connection is dropped where it comes back, not by a task.
    CloseInline,
    /// A connection that is being closed does not count.
    ClosingIsFree,
    /// Connects under way are not counted when it is asked whether one more is needed.
    ConnectEach,
    /// A claim that gives up takes a connect with it.
    ConnectWithClaim,
    /// What is claimed is not counted.
    CountDrift,
    /// Where one of several resolvers ends, so does its part of the set.
    DropPart,
    /// Where the resolver ends, so does its set.
    DropSet,
    /// Where a stream of changes ends, so does the set.
    EmptyAtEnd,
    /// A termination waits for no handle.
    EndEarly,
    /// Backends are ejected until none is left.
    EjectAll,
    /// Whoever gives a connection back looks whether the pool ends before it does.
    EndUnlooked,
    /// Nothing is opened in the place of what was closed.
    ForgetBroken,
    /// A claim that is dropped stays in line.
    ForgetCancelled,
    /// The slot of a connection that was closed stays taken.
    ForgetClosed,
    /// The last pool is dropped, and nothing is ended.
    ForgetDropped,
    /// A handle that is out for long is not reported.
    ForgetHeld,
    /// How long connections are held says nothing of their backend.
    ForgetHolds,
    /// Handles that are out when grace ends are not interrupted.
    ForgetInterrupt,
    /// A late claim that is polled stays late.
    ForgetLate,
    /// Connections live for ever.
    ForgetLifetime,
    /// An end is not told that a claimed connection came back to be prepared.
    ForgetPrepared,
    /// Backends are all alike, whatever their priorities and weights.
    ForgetRanks,
    /// After a resize nobody looks whether there are too many.
    ForgetShrink,
    /// What DNS does not answer for is forgotten.
    ForgetUnanswered,
    /// A termination waits for the resolver.
    JoinResolver,
    /// A connection stays with a call of it that was cut.
    KeepCalled,
    /// At the end what is granted stays with its claim.
    KeepGranted,
    /// An attempt at a backend that does not answer keeps its room.
    KeepProbe,
    /// Name servers that are no longer found are asked for ever.
    KeepServers,
    /// A connection is let go of, and never closed.
    KeepSocket,
    /// Connections stay where they are.
    KeepUneven,
    /// What drives a connection is on a set that nobody ends, and outlives it.
    LeaveDriver,
    /// Look-ups are on a set that nobody ends, and outlive the pool.
    LeaveLookup,
    /// The pool's own task is on a set that nobody ends, and heeds no end.
    LeaveMaintenance,
    /// The check that a trial begins with is on a set that nobody ends, and heeds no end.
    LeaveTrial,
    /// What was granted to a claim that is dropped is lost.
    LoseCancelled,
    /// The connection of a task that was never started is lost.
    LoseRefused,
    /// A backend is never ejected.
    NeverEject,
    /// A connect that its runtime drops has the next one tried, inside of it.
    NestRefused,
    /// A check may take as long as it likes.
    NoCheckLimit,
    /// That the runtime has gone is taken for a bug.
    PanicAtExit,
    /// A waiting claim leaves its waker without a look at what came meanwhile.
    ParkUnlooked,
    /// The pool's task notices the end of the runtime only once it has been polled.
    PresentLate,
    /// A backend that was ejected takes part again without a trial.
    ReturnUntried,
    /// A broken connection is taken for a fit one.
    ReuseBroken,
    /// A connector's token is the one that the pool waits for.
    ShareToken,
    /// An answer that did not fit is taken for whole.
    TakeTruncated,
    /// While nothing is online claims wait until their time is over.
    WaitOffline,
    /// A claim begins to wait without another look, though something may have come back since its first.
    WaitUnlooked,
    /// Wakers are called under the lock.
    WakeUnderLock,
}

/// Every fault with the name that arms it.
const FAULTS: &[(&str, Fault)] = &[
    ("accept-late", Fault::AcceptLate),
    ("ask-at-once", Fault::AskAtOnce),
    ("ask-for-ever", Fault::AskForEver),
    ("barge", Fault::Barge),
    ("believe-all", Fault::BelieveAll),
    ("blame-connect", Fault::BlameConnect),
    ("close-inline", Fault::CloseInline),
    ("closing-is-free", Fault::ClosingIsFree),
    ("connect-each", Fault::ConnectEach),
    ("connect-with-claim", Fault::ConnectWithClaim),
    ("count-drift", Fault::CountDrift),
    ("drop-part", Fault::DropPart),
    ("drop-set", Fault::DropSet),
    ("eject-all", Fault::EjectAll),
    ("empty-at-end", Fault::EmptyAtEnd),
    ("end-early", Fault::EndEarly),
    ("end-unlooked", Fault::EndUnlooked),
    ("forget-broken", Fault::ForgetBroken),
    ("forget-cancelled", Fault::ForgetCancelled),
    ("forget-closed", Fault::ForgetClosed),
    ("forget-dropped", Fault::ForgetDropped),
    ("forget-held", Fault::ForgetHeld),
    ("forget-holds", Fault::ForgetHolds),
    ("forget-interrupt", Fault::ForgetInterrupt),
    ("forget-late", Fault::ForgetLate),
    ("forget-lifetime", Fault::ForgetLifetime),
    ("forget-prepared", Fault::ForgetPrepared),
    ("forget-ranks", Fault::ForgetRanks),
    ("forget-shrink", Fault::ForgetShrink),
    ("forget-unanswered", Fault::ForgetUnanswered),
    ("join-resolver", Fault::JoinResolver),
    ("keep-called", Fault::KeepCalled),
    ("keep-granted", Fault::KeepGranted),
    ("keep-probe", Fault::KeepProbe),
    ("keep-servers", Fault::KeepServers),
    ("keep-socket", Fault::KeepSocket),
    ("keep-uneven", Fault::KeepUneven),
    ("leave-driver", Fault::LeaveDriver),
    ("leave-lookup", Fault::LeaveLookup),
    ("leave-maintenance", Fault::LeaveMaintenance),
    ("leave-trial", Fault::LeaveTrial),
    ("lose-cancelled", Fault::LoseCancelled),
    ("lose-refused", Fault::LoseRefused),
    ("nest-refused", Fault::NestRefused),
    ("never-eject", Fault::NeverEject),
    ("no-check-limit", Fault::NoCheckLimit),
    ("panic-at-exit", Fault::PanicAtExit),
    ("park-unlooked", Fault::ParkUnlooked),
    ("present-late", Fault::PresentLate),
    ("return-untried", Fault::ReturnUntried),
    ("reuse-broken", Fault::ReuseBroken),
    ("share-token", Fault::ShareToken),
    ("take-truncated", Fault::TakeTruncated),
    ("wait-offline", Fault::WaitOffline),
    ("wait-unlooked", Fault::WaitUnlooked),
    ("wake-under-lock", Fault::WakeUnderLock),
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
        let name = armed.strip_prefix("pool/")?;
        let known = FAULTS.iter().find(|(known, _)| *known == name);
        Some(known.unwrap_or_else(|| panic!("LANDFALL_FAULT is `{armed}`; there are {FAULTS:?}")).1)
    }) == Some(fault)
}
