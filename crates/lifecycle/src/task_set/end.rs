//! How a set ends: what is told to whom at each stage, and what is left.

use std::borrow::Cow;
use std::task::Waker;
use std::time::Instant;

use super::blocking::{self, Job};
use super::core::{Core, Inner};
use super::phase::{Phase, aborts_from};
use crate::current::{self, Stay};
use crate::ending::{Ending, Owner};
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::panics::{contain, log, wake};
use crate::report::{Activity, Outcome, Report, TaskKind, TaskReport};
use crate::shutdown::{Reason, Shutdown};
use crate::sync::Arc;
use crate::sync::atomic::Ordering;

/// What an abort must touch, taken out of the set.
#[derive(Default)]
struct Aborted {
    /// Of the entries that are to see it.
    wakers: Vec<Waker>,
    /// Closures that have not started.
    jobs: Vec<Arc<dyn Job>>,
}

impl Core {
    /// Raises the phase and takes out what an abort from that phase on must touch.
    fn raise(&self, to: Phase) -> Aborted {
        let stays = current::stays(self.id);
        let now = Instant::now();
        let mut inner = self.inner.lock();
        if inner.phase >= to {
            return Aborted::default();
        }
        inner.phase = to;
        self.phase.store(to as u8, Ordering::Release);
        inner.note_stays(stays, now);
        let mut aborted = Aborted::default();
        if to >= Phase::Aborting {
            aborted.wakers = inner.registry.take_wakers(|kind| aborts_from(kind) <= to);
            let queued = std::mem::take(&mut inner.queued);
            inner.taken.extend(queued.keys().map(|index| (*index, Activity::Queued)));
            aborted.jobs.extend(queued.into_values());
        }
        aborted
    }

    fn abort_from(self: &Arc<Self>, phase: Phase) {
        let Aborted { wakers, jobs } = self.raise(phase);
        #[cfg(landfall_faults)]
        if is_armed(Fault::SkipJoin) {
            return self.forget_entries();
        }
        for waker in wakers {
            wake(waker);
        }
        if !jobs.is_empty() {
            blocking::dispose_elsewhere(self, jobs);
        }
    }

    #[cfg(landfall_faults)]
    fn forget_entries(self: &Arc<Self>) {
        let mut inner = self.inner.lock();
        let forgotten: Vec<_> = (0..inner.registry.places()).map(|index| inner.registry.remove(index)).collect();
        let is_over = self.conclude(&mut inner);
        drop(inner);
        drop(forgotten);
        self.finish_if(is_over);
    }

    /// The name of a live entry of this set or of a set below it.
    fn find(&self, set: u64, index: u32) -> Option<String> {
        let children = {
            let inner = self.inner.lock();
            if set == self.id {
                return inner.registry.get(index).map(|seen| seen.entry.name.to_string());
            }
            inner.children.to_vec()
        };
        children.iter().find_map(|child| child.find(set, index))
    }

    pub(super) fn children(&self) -> Vec<Arc<Core>> {
        self.inner.lock().children.to_vec()
    }
}

impl Inner {
    fn note_stays(&mut self, stays: Vec<Stay>, now: Instant) {
        self.stays.retain(|(stay, _)| stay.goes_on());
        for stay in stays {
            if !self.stays.iter().any(|(known, _)| known.is_same(&stay)) {
                self.stays.push((stay, now));
            }
        }
    }

    fn activity(&self, index: u32, kind: TaskKind) -> Activity {
        let busy = self.stays.iter().filter(|(stay, _)| stay.index == index && stay.goes_on());
        match kind {
            TaskKind::Blocking => self.taken.get(&index).copied().unwrap_or(Activity::Blocking),
            TaskKind::Thread => Activity::Blocking,
            _ => match busy.map(|(_, since)| since.elapsed()).max() {
                Some(at_least) => Activity::Busy { at_least },
                None => Activity::NotPolled,
            },
        }
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
        #[cfg(landfall_faults)]
        let was_empty = !is_armed(Fault::EmptyBeforeClose) || {
            let inner = self.inner.lock();
            inner.registry.len() == 0 && inner.children.is_empty()
        };
        drop(self.raise(Phase::Draining));
        let token = &self.token;
        #[cfg(landfall_faults)]
        let token = if is_armed(Fault::SwallowCancel) { &token.child_token() } else { token };
        // It wakes whoever waits for it, and a waker is a user's code.
        if let Err(error) = contain(|| token.cancel()) {
            log(|| tracing::error!(error, "waker panicked"));
        }
        self.on_tighten(&self.ending.tightened(how));
        #[cfg(landfall_faults)]
        if !was_empty {
            return;
        }
        let is_over = self.conclude(&mut self.inner.lock());
        self.finish_if(is_over);
    }

    fn on_tighten(self: &Arc<Self>, how: &Shutdown) {
        let how = how.clone().because(Reason::ParentTerminating);
        for child in self.children() {
            #[cfg(landfall_faults)]
            if is_armed(Fault::LeakChild) {
                self.inner.lock().children.remove(&child);
                continue;
            }
            Ending::begin(&child, &how);
        }
    }

    fn on_grace_over(self: &Arc<Self>) {
        self.abort_from(Phase::Aborting);
    }

    fn on_abort(self: &Arc<Self>) {
        self.abort_from(Phase::Ending);
    }

    fn fill(&self, report: &mut Report) {
        let stays = current::stays(self.id);
        let now = self.ticks();
        let children = {
            let mut inner = self.inner.lock();
            inner.note_stays(stays, Instant::now());
            inner.history.fill(report);
            // While it runs, what lives is no straggler.
            if inner.phase > Phase::Running {
                for seen in inner.registry.iter() {
                    let activity = inner.activity(seen.id.index(), seen.kind);
                    report.counts.stragglers += 1;
                    report.tasks.push(TaskReport {
                        name: seen.entry.name.to_cow(),
                        kind: seen.kind,
                        place: seen.entry.place.into(),
                        age: seen.since.until(now),
                        outcome: Outcome::Straggler { activity },
                    });
                }
            }
            inner.children.to_vec()
        };
        report.children.extend(children.iter().map(Ending::report));
    }

    fn calling_task(&self) -> Option<String> {
        current::entries().into_iter().find_map(|(set, index)| self.find(set, index))
    }

    fn settle(&self) {
        self.ended_threads.join_all();
    }
}
