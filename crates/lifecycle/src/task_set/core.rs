//! The shared core of a set: gates, entries and children under one lock.

use std::collections::HashMap;
use std::panic::Location;
use std::task::Waker;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::blocking::Job;
use super::children::Children;
use super::error::{ChildError, SpawnError};
use super::history::{History, Left};
use super::name::TaskName;
use super::phase::{Phase, aborts_from};
use super::registry::{Entry, Gone, Registry, TaskId};
use super::ticks::{Epoch, Ticks};
use super::{PanicPolicy, TaskSetOptions};
use crate::current::Stay;
use crate::ended_threads::EndedThreads;
use crate::ending::Ending;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::panics::{dispose, log, wake};
use crate::report::{Activity, Outcome, Place, TaskKind, TaskReport};
use crate::shutdown::{Reason, Shutdown};
use crate::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use crate::sync::thread::JoinHandle;
use crate::sync::{Arc, Mutex, MutexGuard};

pub(crate) struct Core {
    /// Tells this set from all others of the process, for the threads' marks.
    pub(super) id: u64,
    pub(super) name: TaskName,
    epoch: Epoch,
    options: TaskSetOptions,
    pub(super) token: CancellationToken,
    parent: Option<Arc<Core>>,
    pub(super) ending: Ending,
    /// A copy of `Inner::phase`, so that a poll needs no lock. Written under the lock only.
    pub(super) phase: AtomicU8,
    /// How many live entries are marked for abort one by one.
    pub(super) marked: AtomicU32,
    pub(super) ended_threads: Arc<EndedThreads>,
    pub(super) inner: Mutex<Inner>,
}

pub(super) struct Inner {
    pub(super) phase: Phase,
    pub(super) registry: Registry,
    /// Closures that wait in a runtime's queue, by entry.
    pub(super) queued: HashMap<u32, Arc<dyn Job>>,
    /// Entries whose closure was taken out of the queue, and what became of it.
    pub(super) taken: HashMap<u32, Activity>,
    /// Threads of ours whose closure runs, by entry.
    pub(super) threads: HashMap<u32, JoinHandle<()>>,
    pub(super) children: Children,
    pub(super) history: History,
    /// Who was inside which entry when the stages changed, and since when that is known.
    pub(super) stays: Vec<(Stay, Instant)>,
}

/// What a pending entry learns when it leaves its waker.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Park {
    Parked,
    Abort,
}

/// Of std in models too: it counts through all of them.
static NEXT_ID: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);

impl Core {
    pub(super) fn new(name: TaskName, options: TaskSetOptions, parent: Option<Arc<Core>>) -> Arc<Self> {
        // A child's comes from its parent, which comes from the user's.
        let above = parent.as_ref().map(|parent| &parent.token).or(options.token.as_ref());
        let token = above.map_or_else(CancellationToken::new, CancellationToken::child_token);
        let ended_threads = parent.as_ref().map(|parent| Arc::clone(&parent.ended_threads)).unwrap_or_default();
        Arc::new(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            name,
            epoch: Epoch::now(),
            options,
            token,
            parent,
            ending: Ending::new(),
            phase: AtomicU8::new(Phase::Running as u8),
            marked: AtomicU32::new(0),
            ended_threads,
            inner: Mutex::new(Inner {
                phase: Phase::Running,
                registry: Registry::default(),
                queued: HashMap::new(),
                taken: HashMap::new(),
                threads: HashMap::new(),
                children: Children::default(),
                history: History::default(),
                stays: Vec::new(),
            }),
        })
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    #[cfg(landfall_faults)]
    pub(super) fn has_parent(&self) -> bool {
        self.parent.is_some()
    }

    pub(super) fn name_text(&self) -> &str {
        self.name.as_str()
    }

    pub(super) fn token(&self) -> &CancellationToken {
        &self.token
    }

    pub(super) fn options(&self) -> &TaskSetOptions {
        &self.options
    }

    pub(super) fn is_terminated(&self) -> bool {
        self.phase() == Phase::Terminated
    }

    pub(super) fn phase(&self) -> Phase {
        Phase::of(self.phase.load(Ordering::Acquire))
    }

    pub(super) fn len(&self) -> usize {
        let inner = self.inner.lock();
        inner.registry.len()
    }

    /// How many entries live, those of child sets too.
    pub(super) fn len_of_tree(&self) -> usize {
        self.len() + self.children().iter().map(|child| child.len_of_tree()).sum::<usize>()
    }

    pub(super) fn ticks(&self) -> Ticks {
        self.epoch.elapsed()
    }

    fn closed(&self) -> SpawnError {
        SpawnError::Closed { set: self.name.to_string() }
    }

    /// Passes the gate and takes an entry, in one step.
    pub(super) fn enter(
        &self,
        kind: TaskKind,
        name: TaskName,
        place: &'static Location<'static>,
    ) -> Result<TaskId, SpawnError> {
        let since = self.ticks();
        let gate = match kind {
            TaskKind::Closing => Phase::Aborting,
            TaskKind::Driver => Phase::Ending,
            _ => Phase::Running,
        };
        let (mut inner, phase) = self.at_gate();
        let is_closed = phase > gate;
        #[cfg(landfall_faults)]
        let is_closed = is_closed && !is_armed(Fault::ForgetClose);
        if is_closed {
            drop(inner);
            return Err(self.closed());
        }
        let taken = inner.registry.insert(kind, since, name, place);
        drop(inner);
        taken.ok_or_else(|| self.closed())
    }

    /// The phase with the lock under which a gate is passed.
    #[inline]
    pub(super) fn at_gate(&self) -> (MutexGuard<'_, Inner>, Phase) {
        #[cfg(landfall_faults)]
        if is_armed(Fault::GateOutsideLock) {
            let phase = self.phase();
            return (self.inner.lock(), phase);
        }
        let inner = self.inner.lock();
        let phase = inner.phase;
        (inner, phase)
    }

    /// Takes an entry back that never came to life.
    pub(super) fn withdraw(self: &Arc<Self>, index: u32) {
        let mut inner = self.inner.lock();
        let entry = inner.registry.remove(index);
        let job = inner.queued.remove(&index);
        let is_over = self.conclude(&mut inner);
        drop(inner);
        drop((entry, job));
        self.finish_if(is_over);
    }

    /// Lets an entry go: the last thing that is done for it.
    pub(super) fn leave(self: &Arc<Self>, index: u32, left: Left) {
        let now = matches!(left, Left::Abnormal(_)).then(|| self.ticks());
        let mut inner = self.inner.lock();
        if !inner.threads.is_empty()
            && let Some(thread) = inner.threads.remove(&index)
        {
            // Before its entry goes, so that none of its joiners can find the set empty and the thread not joined; and
            // with no lock held, because they wait for this thread.
            drop(inner);
            self.ended_threads.push(thread);
            inner = self.inner.lock();
        }
        let Some(Gone { kind, since, is_marked, entry, waker }) = inner.registry.remove(index) else { return };
        if is_marked {
            self.marked.fetch_sub(1, Ordering::Relaxed);
        }
        if !inner.taken.is_empty() {
            inner.taken.remove(&index);
        }
        let is_draining = inner.phase > Phase::Running;
        let mut panicked = None;
        match left {
            // What ends the owner is none of its work.
            Left::Completed if kind == TaskKind::Driver => {}
            Left::Completed => inner.history.count_completed(is_draining),
            // One abort of all must not push out what tells more.
            Left::Abnormal(Outcome::Aborted)
                if inner.phase >= Phase::Aborting && inner.history.count_aborted(self.options.outcomes_max) => {}
            Left::Abnormal(outcome) => {
                let age = since.until(now.unwrap_or(since));
                panicked = self.record(&mut inner.history, kind, &entry, age, outcome);
            }
        }
        let is_over = self.conclude(&mut inner);
        drop(inner);
        // A waker's destructor is a user's code, whose panic must not keep the set from its end.
        if let Some(waker) = waker {
            dispose(waker);
        }
        if let Some(task) = panicked {
            self.on_panic(&task);
        }
        self.finish_if(is_over);
    }

    /// Gives the report of a panic. Kept out of `leave`, which few tasks leave through here.
    #[cold]
    fn record(
        &self,
        history: &mut History,
        kind: TaskKind,
        entry: &Entry,
        age: Duration,
        outcome: Outcome,
    ) -> Option<Box<TaskReport>> {
        let (name, place) = (entry.name.to_cow(), entry.place.into());
        let task = TaskReport { name, kind, place, age, outcome };
        let panicked = matches!(task.outcome, Outcome::Panicked { .. }).then(|| Box::new(task.clone()));
        history.record(task, self.options.outcomes_max);
        panicked
    }

    fn on_panic(self: &Arc<Self>, task: &TaskReport) {
        let Place { file, line, .. } = task.place;
        log(|| {
            tracing::warn!(owner = %self.name, task.name = %task.name, loc.file = file, loc.line = line,
                outcome = %task.outcome, "task panicked");
        });
        // A termination under way keeps the instants that its callers gave it.
        if self.options.on_panic == PanicPolicy::TerminateSet && !self.ending.has_begun() {
            let text = format!("task {:?} panicked", task.name);
            let how = Shutdown::within(self.options.grace, self.options.abort).because(Reason::Failed(text.into()));
            Ending::begin(self, &how);
        }
    }

    /// Whether this was the last: then nothing enters any more.
    pub(super) fn conclude(&self, inner: &mut Inner) -> bool {
        let is_over = (Phase::Draining..Phase::Terminated).contains(&inner.phase)
            && inner.registry.len() == 0
            && inner.children.is_empty();
        if is_over {
            inner.phase = Phase::Terminated;
            self.phase.store(Phase::Terminated as u8, Ordering::Release);
        }
        is_over
    }

    #[inline]
    pub(super) fn finish_if(self: &Arc<Self>, is_over: bool) {
        if is_over {
            self.finish();
        }
    }

    /// Kept out of `leave`, which runs for every task and comes here once.
    #[cold]
    fn finish(self: &Arc<Self>) {
        Ending::finish(self);
        if let Some(parent) = &self.parent {
            parent.child_ended(self);
        }
    }

    fn child_ended(self: &Arc<Self>, child: &Arc<Core>) {
        let report = Ending::report(child);
        let mut inner = self.inner.lock();
        inner.children.remove(child);
        let is_running = inner.phase == Phase::Running;
        inner.history.adopt(report, is_running, self.options.outcomes_max);
        let is_over = self.conclude(&mut inner);
        drop(inner);
        self.finish_if(is_over);
    }

    /// Whether an entry must end instead of going on.
    pub(super) fn must_abort(&self, index: u32, kind: TaskKind) -> bool {
        self.phase() >= aborts_from(kind)
            || self.marked.load(Ordering::Acquire) > 0 && self.inner.lock().registry.is_marked(index)
    }

    /// Leaves a waker with the entry, unless it is to be aborted.
    pub(super) fn park(&self, index: u32, waker: &Waker) -> Park {
        let waker = waker.clone();
        let mut inner = self.inner.lock();
        let phase = inner.phase;
        if inner.registry.is_marked(index) {
            return Park::Abort;
        }
        let Some(kind) = inner.registry.get(index).map(|seen| seen.kind) else { return Park::Abort };
        if phase >= aborts_from(kind) {
            return Park::Abort;
        }
        #[cfg(landfall_faults)]
        if is_armed(Fault::WakerAfterCheck) {
            drop(inner);
            inner = self.inner.lock();
        }
        let before = inner.registry.leave_waker(index, waker);
        drop(inner);
        dispose(before);
        Park::Parked
    }

    /// Aborts one entry; false if it has left or is being aborted already.
    pub(super) fn abort_one(&self, id: TaskId) -> bool {
        let mut inner = self.inner.lock();
        if !inner.registry.mark(id) {
            return false;
        }
        let waker = inner.registry.take_waker(id.index());
        #[cfg(landfall_faults)]
        if is_armed(Fault::CountAfterWake) {
            drop(inner);
            waker.into_iter().for_each(wake);
            self.marked.fetch_add(1, Ordering::AcqRel);
            return true;
        }
        self.marked.fetch_add(1, Ordering::AcqRel);
        drop(inner);
        if let Some(waker) = waker {
            wake(waker);
        }
        true
    }

    pub(super) fn add_child(
        self: &Arc<Self>,
        name: TaskName,
        options: TaskSetOptions,
    ) -> Result<Arc<Core>, ChildError> {
        let child = Self::new(name, options, Some(Arc::clone(self)));
        let (mut inner, phase) = self.at_gate();
        if phase > Phase::Running {
            return Err(ChildError::Closed { set: self.name.to_string() });
        }
        if !inner.children.insert(&child) {
            return Err(ChildError::NameTaken { set: self.name.to_string(), name: child.name.to_string() });
        }
        Ok(child)
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskSet")
            .field("name", &self.name)
            .field("phase", &self.phase())
            .field("live", &self.len())
            .finish()
    }
}
