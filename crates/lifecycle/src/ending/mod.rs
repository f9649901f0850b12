//! The end of one owner: who began it, its instants, its stages and its report.

mod begun;
#[cfg(all(test, any(landfall_loom, landfall_shuttle)))]
mod models;
mod owner;
mod wait;

use std::time::Instant;

use self::begun::{Begun, Stage};
pub use self::owner::Owner;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::panics::{contain, log};
use crate::report::Report;
use crate::shutdown::{Reason, Shutdown, Timekeeper, Watched};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, Notify};

/// The cell that holds the end of one owner.
///
/// The first call begins; later ones join it and can only tighten its instants. The stages are driven by the thread
/// that keeps the deadlines, not by the callers, so a termination goes on when all of them have gone.
///
/// | stage         | event                      | next          | the owner is told  |
/// |---------------|----------------------------|---------------|--------------------|
/// | open          | first begin                | `Draining`    | `on_begin`         |
/// | `Draining`    | grace ends, or force       | `Aborting`    | `on_grace_over`    |
/// | `Aborting`    | abort instant              | `AbortingAll` | `on_abort`         |
/// | `AbortingAll` | report due (within 1 s)    | `Overdue`     |                    |
/// | any but open  | nothing lives (`finish`)   | over          |                    |
/// | over          | anything                   | over          |                    |
#[derive(Debug, Default)]
pub struct Ending {
    state: Mutex<State>,
    changed: Notify,
    /// How many callers wait for the report; if none does, it is logged.
    awaiting: AtomicUsize,
    /// Some caller has the report.
    is_delivered: AtomicBool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Open,
    Begun(Begun),
    Over(Box<Over>),
}

#[derive(Debug)]
struct Over {
    report: Report,
    /// Whose threads are to be joined by those who wait.
    timekeepers: Vec<Arc<Timekeeper>>,
}

/// An owner as the timekeeper sees it.
struct OwnerWatch<O> {
    owner: Arc<O>,
    how: Shutdown,
}

impl<O: Owner> Watched for OwnerWatch<O> {
    fn on_due(self: Arc<Self>, _at: Instant, now: Instant) -> Option<Instant> {
        // Force comes as earlier instants of the same shutdown.
        Ending::join(&self.owner, &self.how.with_force());
        Ending::advance(&self.owner, now)
    }
}

impl Ending {
    /// An owner that has not begun to end.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a termination has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        !matches!(*self.state.lock(), State::Open)
    }

    /// `how` with the instants that hold by now, which another caller may have tightened.
    #[must_use]
    pub fn tightened(&self, how: &Shutdown) -> Shutdown {
        match &*self.state.lock() {
            State::Begun(begun) => how.until(begun.grace, begun.abort),
            State::Open | State::Over(_) => how.clone(),
        }
    }

    /// Whether the owner has ended and nothing of it lives.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(*self.state.lock(), State::Over(_))
    }

    /// Waits until a termination has begun.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping it forgets the wait and nothing else.
    pub async fn begun(&self) {
        loop {
            let changed = self.changed.notified();
            if self.has_begun() {
                return;
            }
            changed.await;
        }
    }

    /// Begins the end of `owner`, or joins it and tightens its instants.
    pub fn begin<O: Owner>(owner: &Arc<O>, how: &Shutdown) {
        let how = &how.with_force();
        if !Self::join(owner, how) {
            return;
        }
        let now = how.clock_now();
        // Nobody waits for an owner that was merely dropped and aborted: there is no report to be on time with.
        let is_forgotten = *how.reason() == Reason::Dropped && how.abort() <= now;
        if let Some(due) = Self::advance(owner, now)
            && !is_forgotten
        {
            Self::watch(owner, how, due);
        }
    }

    /// Takes over the instants of `how` and tells the owner; false if they change nothing.
    pub(crate) fn join<O: Owner>(owner: &Arc<O>, how: &Shutdown) -> bool {
        let ending = owner.ending();
        #[cfg(landfall_faults)]
        let looks_first = is_armed(Fault::BeginTwice) && !ending.has_begun();
        let is_first = {
            let mut state = ending.state.lock();
            match &mut *state {
                State::Over(_) => return false,
                #[cfg(landfall_faults)]
                State::Begun(_) if looks_first => {
                    *state = State::Begun(Begun::new(how));
                    true
                }
                State::Open => {
                    *state = State::Begun(Begun::new(how));
                    true
                }
                State::Begun(begun) => {
                    if !begun.tighten(how) {
                        return false;
                    }
                    false
                }
            }
        };
        if is_first {
            tell(|| tracing::debug!(owner = %owner.name(), reason = %how.reason(), "termination began"));
            ending.changed.notify_all();
            tell(|| owner.on_begin(how));
        } else {
            tell(|| owner.on_tighten(how));
        }
        true
    }

    /// Has the timekeeper look after `owner`, unless that has ended: who has seen the end joins the threads that serve
    /// it, so none may start after it.
    fn watch<O: Owner>(owner: &Arc<O>, how: &Shutdown, due: Instant) {
        let timekeeper = how.timekeeper();
        let target = Arc::new(OwnerWatch { owner: Arc::clone(owner), how: how.clone() });
        #[cfg(landfall_faults)]
        if is_armed(Fault::WatchOutsideLock) {
            return Self::watch_outside_lock(owner, timekeeper, due, target);
        }
        let added = {
            let mut state = owner.ending().state.lock();
            match &mut *state {
                State::Begun(begun) if begun.stage != Stage::Overdue => {
                    let added = timekeeper.add(due, target);
                    match &added {
                        Ok(added) => begun.add_watch(timekeeper, added.id),
                        Err(_) => begun.lose_clock(timekeeper.now()),
                    }
                    added
                }
                _ => return,
            }
        };
        match added {
            Ok(added) => timekeeper.tell_of(&added),
            Err(_) => {
                // Nobody could end the grace, so it ended here; the callers keep the last second by polling.
                tell(|| tracing::warn!(owner = %owner.name(), "no thread to keep the deadlines: aborting now"));
                Self::advance(owner, timekeeper.now());
            }
        }
    }

    #[cfg(landfall_faults)]
    fn watch_outside_lock<O: Owner>(
        owner: &Arc<O>,
        timekeeper: &Arc<Timekeeper>,
        due: Instant,
        target: Arc<OwnerWatch<O>>,
    ) {
        let Ok(id) = timekeeper.watch(due, target) else { return };
        match &mut *owner.ending().state.lock() {
            State::Begun(begun) => return begun.add_watch(timekeeper, id),
            State::Over(over) => over.timekeepers.push(Arc::clone(timekeeper)),
            State::Open => {}
        }
        timekeeper.unwatch(id);
    }

    /// Moves through the stages that are due, tells the owner, and gives the next instant.
    fn advance<O: Owner>(owner: &Arc<O>, now: Instant) -> Option<Instant> {
        let ending = owner.ending();
        loop {
            let entered = {
                let mut state = ending.state.lock();
                let State::Begun(begun) = &mut *state else { return None };
                let due = begun.due();
                if now < due {
                    return Some(due);
                }
                let next = begun.stage.next()?;
                #[cfg(landfall_faults)]
                if next == Stage::Overdue && is_armed(Fault::NotifyBeforeChange) {
                    drop(state);
                    ending.changed.notify_all();
                    if let State::Begun(begun) = &mut *ending.state.lock() {
                        begun.stage = next;
                    }
                    continue;
                }
                begun.stage = next;
                if next == Stage::Overdue {
                    begun.unwatch();
                }
                next
            };
            match entered {
                Stage::Draining => {}
                Stage::Aborting => tell(|| owner.on_grace_over()),
                Stage::AbortingAll => tell(|| owner.on_abort()),
                Stage::Overdue => {
                    ending.changed.notify_all();
                    ending.log_if_unawaited(owner);
                }
            }
        }
    }

    /// Ends the ending: nothing of `owner` lives any more. Idempotent.
    pub fn finish<O: Owner>(owner: &Arc<O>) {
        let ending = owner.ending();
        let Some(report) = Self::fresh(owner) else { return };
        #[cfg(landfall_faults)]
        if is_armed(Fault::NotifyBeforeChange) {
            ending.changed.notify_all();
        }
        {
            let mut state = ending.state.lock();
            let State::Begun(begun) = &mut *state else { return };
            // Before anybody can see the end: whoever does joins a thread only if nobody else watches.
            begun.unwatch();
            let timekeepers = begun.timekeepers();
            *state = State::Over(Box::new(Over { report, timekeepers }));
        }
        #[cfg(landfall_faults)]
        if is_armed(Fault::NotifyBeforeChange) {
            return;
        }
        ending.changed.notify_all();
        ending.log_if_unawaited(owner);
    }

    /// The report as it stands: the final one when nothing lives, else a fresh one.
    pub fn report<O: Owner>(owner: &Arc<O>) -> Report {
        loop {
            match &*owner.ending().state.lock() {
                State::Over(over) => return over.report.clone(),
                State::Open => break,
                State::Begun(_) => {}
            }
            // None if it has just ended, or nothing has begun.
            if let Some(report) = Self::fresh(owner) {
                return report;
            }
        }
        filled(owner, Report::new(name_of(owner), Reason::Requested))
    }

    /// A report made now; none if nothing has begun.
    fn fresh<O: Owner>(owner: &Arc<O>) -> Option<Report> {
        let name = name_of(owner);
        let report = {
            let state = owner.ending().state.lock();
            let State::Begun(begun) = &*state else { return None };
            let mut report = Report::new(name, begun.reason.clone());
            report.began_after = begun.began_after;
            report.took = begun.now().saturating_duration_since(begun.since);
            report.grace_cut = begun.grace_cut;
            report
        };
        Some(filled(owner, report))
    }

    fn log_if_unawaited<O: Owner>(&self, owner: &Arc<O>) {
        if self.awaiting.load(Ordering::Acquire) > 0 {
            return;
        }
        let report = Self::report(owner);
        match report.reason {
            // The parent's report has it, or the drop has said it.
            Reason::ParentTerminating | Reason::Dropped => {}
            _ if report.is_clean() => {
                log(|| tracing::info!(owner = %report.name, %report, "terminated, awaited by nobody"));
            }
            _ => log(|| tracing::warn!(owner = %report.name, %report, "terminated, awaited by nobody, and not clean")),
        }
    }
}

fn name_of<O: Owner>(owner: &Arc<O>) -> String {
    contain(|| owner.name().into_owned()).unwrap_or_else(|_| "an owner whose name panicked".to_owned())
}

fn filled<O: Owner>(owner: &Arc<O>, mut report: Report) -> Report {
    match contain(|| owner.fill(&mut report)) {
        Ok(()) => report,
        Err(message) => report.with_error(format!("panicked while it reported: {message}")),
    }
}

/// Calls a user's code whose panic must not stop the ending half-way.
fn tell(hook: impl FnOnce()) {
    if let Err(error) = contain(hook) {
        log(|| tracing::error!(error, "a hook of the owner panicked"));
    }
}
