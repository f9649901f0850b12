//! The children of a supervisor, in order of their start, found by id and by instance.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::state::State;
use crate::child_id::{ChildId, ChildRef, InstanceId};
use crate::policy::{ChildKind, SpecInfo};

/// Which child; a later one has a greater key, and no key is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(u64);

#[derive(Debug)]
pub(super) struct Child<M> {
    pub(super) spec: Arc<SpecInfo>,
    /// What makes an instance; a temporary child's goes with its only start.
    pub(super) make: Option<M>,
    state: State,
    /// By which it is known: the instance that lives or, while it restarts, the one before.
    handle: Option<InstanceId>,
    timer: Option<Duration>,
    /// How many delays in a row its restarts have had.
    pub(super) delays: u32,
    /// How often it was restarted.
    pub(super) restarts: u64,
}

impl<M> Child<M> {
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn handle(&self) -> Option<InstanceId> {
        self.handle
    }

    pub(super) fn timer(&self) -> Option<Duration> {
        self.timer
    }
}

/// How many children there are, and do what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// With an instance that lives.
    pub(super) living: usize,
    /// Of these, those that are stuck.
    pub(super) stuck: usize,
    /// With an instance that is up.
    pub(super) active: usize,
    /// Significant ones that run or restart.
    pub(super) significant: usize,
    pub(super) supervisors: usize,
}

/// A child is found and changed without a walk over the others.
#[derive(Debug)]
pub(super) struct Children<M> {
    children: BTreeMap<Key, Child<M>>,
    by_id: HashMap<ChildId, Key>,
    by_instance: HashMap<InstanceId, Key>,
    timers: BTreeSet<(Duration, Key)>,
    counts: Counts,
    next: u64,
}

impl<M> Children<M> {
    pub(super) fn new() -> Self {
        Self {
            children: BTreeMap::new(),
            by_id: HashMap::new(),
            by_instance: HashMap::new(),
            timers: BTreeSet::new(),
            counts: Counts::default(),
            next: 0,
        }
    }

    /// Adds a child that is down, after all others. Instances of a template are not found by id.
    pub(super) fn insert(&mut self, spec: Arc<SpecInfo>, make: M, has_id: bool) -> Key {
        let key = Key(self.next);
        self.next += 1;
        if has_id {
            self.by_id.insert(spec.id.clone(), key);
        }
        self.counts.supervisors += usize::from(spec.kind == ChildKind::Supervisor);
        let make = Some(make);
        let child = Child { spec, make, state: State::Down, handle: None, timer: None, delays: 0, restarts: 0 };
        self.children.insert(key, child);
        key
    }

    /// Forgets a child, and gives what made it.
    pub(super) fn remove(&mut self, key: Key) -> Option<M> {
        self.set_timer(key, None);
        self.set_state(key, State::Down);
        let child = self.children.remove(&key)?;
        self.counts.supervisors -= usize::from(child.spec.kind == ChildKind::Supervisor);
        if self.by_id.get(&child.spec.id) == Some(&key) {
            self.by_id.remove(&child.spec.id);
        }
        child.make
    }

    /// Forgets all children, and gives what made them.
    pub(super) fn clear(&mut self) -> Vec<M> {
        let before = std::mem::replace(self, Self { next: self.next, ..Self::new() });
        before.children.into_values().filter_map(|child| child.make).collect()
    }

    /// Changes the state of a child, and by which instances it is found.
    pub(super) fn set_state(&mut self, key: Key, state: State) {
        let Some(child) = self.children.get_mut(&key) else { return };
        self.counts.leave(&child.spec, &child.state);
        let before = child.state.instance();
        let handle = match &state {
            State::Down => None,
            // A restart that is not up yet leaves the child known by its old instance.
            State::Starting { .. } | State::Lost { .. } | State::Retrying | State::Waiting => child.handle,
            State::Stopping { why, .. } if why.is_failed_restart() => child.handle,
            State::Running { instance, .. } | State::Stopping { instance, .. } | State::Stuck { instance, .. } => {
                Some(*instance)
            }
        };
        let gone = [before, child.handle];
        child.handle = handle;
        child.state = state;
        self.counts.enter(&child.spec, &child.state);
        let kept = [child.state.instance(), handle];
        for instance in gone.into_iter().flatten().filter(|instance| !kept.contains(&Some(*instance))) {
            self.by_instance.remove(&instance);
        }
        for instance in kept.into_iter().flatten().filter(|instance| !gone.contains(&Some(*instance))) {
            self.by_instance.insert(instance, key);
        }
    }

    pub(super) fn set_timer(&mut self, key: Key, at: Option<Duration>) {
        let Some(child) = self.children.get_mut(&key) else { return };
        if let Some(before) = std::mem::replace(&mut child.timer, at) {
            self.timers.remove(&(before, key));
        }
        if let Some(at) = at {
            self.timers.insert((at, key));
        }
    }

    /// Lets the timer of a child be due at `at` at the latest.
    pub(super) fn tighten_timer(&mut self, key: Key, at: Duration) {
        if self.get(key).is_some_and(|child| child.timer.is_none_or(|timer| at < timer)) {
            self.set_timer(key, Some(at));
        }
    }

    /// The child whose timer was due first, of those due at `now`; its timer is taken.
    pub(super) fn take_due(&mut self, now: Duration) -> Option<Key> {
        let (_, key) = self.timers.first().filter(|(at, _)| *at <= now).copied()?;
        self.set_timer(key, None);
        Some(key)
    }

    pub(super) fn next_due(&self) -> Option<Duration> {
        self.timers.first().map(|(at, _)| *at)
    }

    pub(super) fn get(&self, key: Key) -> Option<&Child<M>> {
        self.children.get(&key)
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Child<M>> {
        self.children.get_mut(&key)
    }

    pub(super) fn of_id(&self, id: &ChildId) -> Option<Key> {
        self.by_id.get(id).copied()
    }

    pub(super) fn of_instance(&self, instance: InstanceId) -> Option<Key> {
        self.by_instance.get(&instance).copied()
    }

    /// The child that is meant, by id or by instance.
    pub(super) fn find(&self, child: &ChildRef) -> Option<Key> {
        match child {
            ChildRef::Id(id) => self.of_id(id),
            ChildRef::Instance(instance) => self.of_instance(*instance),
        }
    }

    /// In order of their start.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (Key, &Child<M>)> {
        self.children.iter().map(|(key, child)| (*key, child))
    }

    pub(super) fn keys(&self) -> Vec<Key> {
        self.children.keys().copied().collect()
    }

    /// Those started after `key`, in order of their start.
    pub(super) fn keys_after(&self, key: Key) -> Vec<Key> {
        self.children.range(Key(key.0 + 1)..).map(|(key, _)| *key).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.children.len()
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }
}

impl Counts {
    fn enter(&mut self, spec: &SpecInfo, state: &State) {
        self.living += usize::from(state.instance().is_some());
        self.stuck += usize::from(matches!(state, State::Stuck { .. }));
        self.active += usize::from(state.shown(spec).is_active());
        self.significant += usize::from(spec.significant && *state != State::Down);
    }

    fn leave(&mut self, spec: &SpecInfo, state: &State) {
        self.living -= usize::from(state.instance().is_some());
        self.stuck -= usize::from(matches!(state, State::Stuck { .. }));
        self.active -= usize::from(state.shown(spec).is_active());
        self.significant -= usize::from(spec.significant && *state != State::Down);
    }
}
