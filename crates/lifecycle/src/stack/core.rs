//! What a stack holds, and what it does at each stage of its end.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Display;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures_util::future::FutureExt;

use super::driver;
use super::level::{Level, PushError, PushErrorKind, name_of};
use crate::ended_threads::EndedThreads;
use crate::ending::{Ending, Owner};
use crate::panics::{contain, log};
use crate::report::Report;
use crate::shutdown::{Reason, Shutdown, probe};
use crate::sync::{Arc, Mutex, Notify};
use crate::task_set::TaskName;
use crate::terminate::Terminate;

pub(super) struct Core {
    name: TaskName,
    ending: Ending,
    state: Mutex<State>,
    /// The instants of `State::Ending` moved.
    pub(super) tightened: tokio::sync::Notify,
    driven: Notify,
    driver: EndedThreads,
    /// Which component the driver is polling, by level and place.
    polling: Mutex<Option<(usize, usize)>>,
}

enum State {
    Open(Open),
    Ending(Run),
}

#[derive(Default)]
struct Open {
    levels: Vec<Level>,
    /// Of all components, as they were when they were pushed.
    names: HashSet<String>,
}

/// A termination under way.
struct Run {
    how: Shutdown,
    /// In order of their end: the last pushed first.
    levels: Vec<Arc<Level>>,
    /// The levels that have been begun, from the top.
    begun: Vec<Begun>,
    /// What each component has reported so far, level by level.
    reports: Vec<Vec<Option<Report>>>,
    /// The driver has come to its end.
    is_driven: bool,
}

#[derive(Clone, Copy)]
struct Begun {
    at: Instant,
    /// When the level's share of the grace ends.
    share_ends: Option<Instant>,
}

/// One level's turn.
pub(super) struct Turn {
    pub(super) number: usize,
    pub(super) level: Arc<Level>,
    /// How it is to end, as it stands now.
    pub(super) how: Shutdown,
    began: Instant,
    /// The time between the end of the whole stack's grace and the abort instant.
    after_grace: Duration,
    /// How many levels have to end, this one included.
    left: u32,
}

impl Core {
    pub(super) fn new(name: TaskName) -> Self {
        Self {
            name,
            ending: Ending::new(),
            state: Mutex::new(State::Open(Open::default())),
            tightened: tokio::sync::Notify::new(),
            driven: Notify::default(),
            driver: EndedThreads::default(),
            polling: Mutex::new(None),
        }
    }

    pub(super) fn push(&self, level: Level) -> Result<(), PushError> {
        // With no lock held: a component tells its name by a user's code.
        let names = level.names();
        let refuse = |kind, level| Err(PushError { stack: self.name.to_string(), kind, level });
        let mut state = self.state.lock();
        let State::Open(open) = &mut *state else { return refuse(PushErrorKind::Terminating, level) };
        let mut new = HashSet::with_capacity(names.len());
        for name in names {
            if open.names.contains(&name) || new.contains(&name) {
                return refuse(PushErrorKind::NameTaken { name }, level);
            }
            new.insert(name);
        }
        open.names.extend(new);
        open.levels.push(level);
        Ok(())
    }

    pub(super) fn components(&self) -> Vec<Arc<dyn Terminate>> {
        match &*self.state.lock() {
            State::Open(open) => open.levels.iter().rev().flat_map(|level| level.components.iter().cloned()).collect(),
            State::Ending(run) => run.levels.iter().flat_map(|level| level.components.iter().cloned()).collect(),
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.components().iter().map(name_of).collect()
    }

    /// Begins the turn of the next level.
    pub(super) fn next_turn(&self) -> Option<Turn> {
        let mut state = self.state.lock();
        let State::Ending(run) = &mut *state else { return None };
        let number = run.begun.len();
        let share = run.levels.get(number)?.share;
        let at = run.how.clock_now();
        run.begun.push(Begun { at, share_ends: share.map(|share| run.how.capped(share).grace()) });
        run.turn(number)
    }

    /// A turn as it stands now.
    pub(super) fn turn(&self, number: usize) -> Option<Turn> {
        match &*self.state.lock() {
            State::Ending(run) => run.turn(number),
            State::Open(_) => None,
        }
    }

    /// Notes that the driver goes into a poll of a component, or comes back.
    pub(super) fn set_polling(&self, component: Option<(usize, usize)>) {
        *self.polling.lock() = component;
    }

    pub(super) fn keep(&self, level: usize, component: usize, report: Report) {
        if let State::Ending(run) = &mut *self.state.lock()
            && let Some(place) = run.reports.get_mut(level).and_then(|reports| reports.get_mut(component))
        {
            *place = Some(report);
        }
    }

    /// The driver has done what it can. Gives whether every component has reported that nothing of it runs; what is
    /// left beside that will not go by being waited for.
    pub(super) fn note_driven(&self) -> bool {
        let is_gone = |report: &Option<Report>| report.as_ref().is_some_and(|report| !has_stragglers(report));
        let is_all_gone = match &mut *self.state.lock() {
            State::Ending(run) => {
                run.is_driven = true;
                run.reports.iter().flatten().all(is_gone)
            }
            State::Open(_) => false,
        };
        self.driven.notify_all();
        is_all_gone
    }

    /// Waits until the driver has done what it can.
    pub(super) async fn driven(&self) {
        loop {
            let driven = self.driven.notified();
            if matches!(&*self.state.lock(), State::Ending(run) if run.is_driven) {
                return;
            }
            driven.await;
        }
    }

    /// Tells components to end, one after the other; a panic of one does not keep the others from hearing it.
    pub(super) fn begin_all(components: &[Arc<dyn Terminate>], how: &Shutdown) {
        for component in components {
            if let Err(error) = contain(|| component.begin_terminate(how)) {
                log(|| tracing::error!(owner = name_of(component), error, "begin_terminate panicked"));
            }
        }
    }
}

/// What is known of a component that was told to end.
struct Known {
    at: (usize, usize),
    component: Arc<dyn Terminate>,
    report: Option<Report>,
}

impl Run {
    fn known(&self) -> Vec<Known> {
        let begun = self.levels[..self.begun.len()].iter().zip(&self.reports).enumerate();
        let known = begun.flat_map(|(number, (level, reports))| {
            level.components.iter().zip(reports).enumerate().map(move |(index, (component, report))| Known {
                at: (number, index),
                component: Arc::clone(component),
                report: report.clone(),
            })
        });
        known.collect()
    }

    /// The components that were not told to end yet.
    fn waiting(&self) -> Vec<Arc<dyn Terminate>> {
        self.levels[self.begun.len()..].iter().flat_map(|level| level.components.iter().cloned()).collect()
    }

    fn turn(&self, number: usize) -> Option<Turn> {
        let begun = self.begun.get(number)?;
        let how = self.how.until(begun.share_ends.unwrap_or_else(|| self.how.grace()), self.how.abort());
        Some(Turn {
            number,
            level: Arc::clone(self.levels.get(number)?),
            how: how.because(Reason::ParentTerminating).below(),
            began: begun.at,
            after_grace: self.how.abort().saturating_duration_since(self.how.grace()),
            left: u32::try_from(self.levels.len() - number).unwrap_or(u32::MAX),
        })
    }
}

impl Turn {
    /// Waits until the level's grace is over, and its part of the time up to the abort instant too.
    pub(super) async fn used_up(self) {
        self.how.grace_over().await;
        let grace_ended = self.how.timekeeper().forced_at().map_or(self.how.grace(), |at| at.min(self.how.grace()));
        // Not from the level's own grace on: a level with a share would then keep what it was to leave to the others.
        let part = self.after_grace / self.left.max(1);
        let until = (grace_ended.max(self.began) + part).min(self.how.abort());
        self.how.sleep_until(until).await;
    }
}

/// Whether a report cannot change any more.
fn is_final(report: &Report) -> bool {
    !has_stragglers(report) && report.remnants_all().next().is_none()
}

fn has_stragglers(report: &Report) -> bool {
    report.stragglers().next().is_some()
}

/// Asks a component that has not reported, or whose report was not final, once more, without waiting.
///
/// One that is being polled by the driver is not polled here: it may hold up the driver, and would this thread too.
fn ask(component: &Arc<dyn Terminate>, how: &Shutdown, before: Option<Report>, is_polled: bool) -> Report {
    if let Ok(Some(report)) = contain(|| component.report()) {
        return report;
    }
    if is_polled {
        return before.unwrap_or_else(|| silent(component, "has not come back from a poll of its terminate"));
    }
    let mut cx = Context::from_waker(Waker::noop());
    match contain(|| probe(|| component.terminate(how).poll_unpin(&mut cx))) {
        Ok(Poll::Ready(Ok(report))) => report,
        Ok(Poll::Ready(Err(error))) => silent(component, error),
        Ok(Poll::Pending) => before.unwrap_or_else(|| silent(component, "has not reported")),
        Err(message) => panicked(component, &message),
    }
}

/// The report about a component that gave none.
pub(super) fn silent(component: &Arc<dyn Terminate>, error: impl Display) -> Report {
    Report::new(name_of(component), Reason::ParentTerminating).with_error(error.to_string())
}

/// The report about a component whose code panicked.
pub(super) fn panicked(component: &Arc<dyn Terminate>, message: &str) -> Report {
    silent(component, format_args!("panicked while it terminated: {message}"))
}

/// Speaks for a component whose turn has not come: it still works, so the report it is in cannot be clean.
fn waiting(component: &Arc<dyn Terminate>) -> Report {
    const WAITING: &str = "its turn to end has not come";
    match contain(|| component.report()) {
        Ok(Some(mut report)) => {
            report.reason = Reason::ParentTerminating;
            report.with_error(WAITING)
        }
        Ok(None) | Err(_) => silent(component, WAITING),
    }
}

impl Owner for Core {
    fn name(&self) -> Cow<'_, str> {
        self.name.as_str().into()
    }

    fn ending(&self) -> &Ending {
        &self.ending
    }

    fn on_begin(self: &Arc<Self>, how: &Shutdown) {
        {
            let mut state = self.state.lock();
            let State::Open(open) = &mut *state else { return };
            let levels: Vec<_> = std::mem::take(&mut open.levels).into_iter().rev().map(Arc::new).collect();
            let reports = levels.iter().map(|level| vec![None; level.components.len()]).collect();
            let how = self.ending.tightened(how);
            *state = State::Ending(Run { how, levels, begun: Vec::new(), reports, is_driven: false });
        }
        // Kept before anybody can see the end, so that whoever does finds it there to join.
        self.driver.start(|| driver::start(self, how));
    }

    fn on_tighten(self: &Arc<Self>, how: &Shutdown) {
        let begun = {
            let mut state = self.state.lock();
            let State::Ending(run) = &mut *state else { return };
            run.how = run.how.until(how.grace(), how.abort());
            (0..run.begun.len()).filter_map(|number| run.turn(number)).collect::<Vec<_>>()
        };
        for turn in begun {
            Self::begin_all(&turn.level.components, &turn.how);
        }
        self.tightened.notify_one();
    }

    fn on_grace_over(self: &Arc<Self>) {
        // The components keep the same instants; those that have not begun yet are told when their turn comes.
    }

    fn on_abort(self: &Arc<Self>) {
        let how = match &*self.state.lock() {
            State::Ending(run) => run.how.at_once().because(Reason::ParentTerminating).below(),
            State::Open(_) => return,
        };
        Self::begin_all(&self.components(), &how);
        self.tightened.notify_one();
    }

    fn fill(&self, report: &mut Report) {
        let (how, known, waiting_yet) = match &*self.state.lock() {
            State::Open(_) => return,
            State::Ending(run) => (run.how.clone(), run.known(), run.waiting()),
        };
        let polled = *self.polling.lock();
        report.children.extend(known.into_iter().map(|known| match known.report {
            Some(report) if is_final(&report) => report,
            before => ask(&known.component, &how, before, polled == Some(known.at)),
        }));
        report.children.extend(waiting_yet.iter().map(waiting));
    }

    fn calling_task(&self) -> Option<String> {
        let asked = |component: &Arc<dyn Terminate>| contain(|| component.calling_task()).ok().flatten();
        self.components().iter().find_map(asked)
    }

    fn settle(&self) {
        // It has called `finish` and only returns; its panics were caught.
        self.driver.join_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{Shutdown, Stack, TaskSet, Terminate};

    #[tokio::test]
    async fn a_report_before_the_end_shows_what_lives_and_whose_turn_has_not_come() {
        let (below, above) = (TaskSet::new("below"), TaskSet::new("above"));
        for set in [&below, &above] {
            set.spawn("pends", std::future::pending::<()>()).unwrap();
        }
        let stack = Stack::new("stack");
        stack.push(below).unwrap();
        stack.push(above.clone()).unwrap();
        let hour = Duration::from_secs(3_600);
        stack.begin_terminate(&Shutdown::within(hour, hour));
        above.token().cancelled().await;

        let report = stack.report();
        let left: Vec<_> = report.stragglers().map(|found| found.to_string()).collect();
        assert_eq!(left, ["stack/above/pends"]);
        let below = &report.children[1];
        assert_eq!((&*below.name, below.error.as_deref()), ("below", Some("its turn to end has not come")));

        let report = stack.terminate(&Shutdown::now()).await.unwrap();
        assert!(report.is_clean(), "{report}");
        assert_eq!(report.children.iter().map(|child| child.counts.aborted).sum::<u64>(), 2);
    }
}
