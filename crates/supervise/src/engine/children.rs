//! The children of a supervisor, in order of their start, found by id and by instance.

use std::collections::{BTreeSet, HashMap};
use std::iter::successors;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use super::state::State;
use crate::child_id::{ChildId, ChildRef, InstanceId};
use crate::places::Places;
use crate::policy::ChildKind;
use crate::spec::{Rules, Spec};

/// Which child; a later one has a greater key, and no key is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    order: u64,
    place: u32,
}

impl Key {
    pub(super) fn place(self) -> u32 {
        self.place
    }
}

#[derive(Debug)]
pub(super) struct Child<M> {
    pub(super) spec: Spec,
    /// What makes an instance; a temporary child's goes with its only start.
    pub(super) make: Option<M>,
    state: State,
    /// The number of the instance by which it is known: the one that lives or, while it restarts, the one before.
    handle: Option<NonZeroU64>,
    timer: Option<Duration>,
    /// How many delays in a row its restarts have had.
    pub(super) delays: u32,
    /// How often it was restarted.
    pub(super) restarts: u64,
    order: u64,
    /// The places of those started before and after it.
    before: Option<u32>,
    after: Option<u32>,
}

impl<M> Child<M> {
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn timer(&self) -> Option<Duration> {
        self.timer
    }

    /// What made it, and its state.
    pub(super) fn into_parts(self) -> (Option<M>, State) {
        (self.make, self.state)
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
    /// The number of the supervisor, as its instances have it.
    supervisor: u32,
    children: Places<Child<M>>,
    /// Places that were left, and how many there are in all.
    vacant: Vec<u32>,
    places: u32,
    oldest: Option<u32>,
    newest: Option<u32>,
    by_id: HashMap<ChildId, u32>,
    timers: BTreeSet<(Duration, Key)>,
    counts: Counts,
    len: usize,
    /// How many there ever were.
    order: u64,
    rules: Option<Arc<Rules>>,
}

impl<M> Children<M> {
    pub(super) fn new(supervisor: u32) -> Self {
        Self {
            supervisor,
            children: Places::new(),
            vacant: Vec::new(),
            places: 0,
            oldest: None,
            newest: None,
            by_id: HashMap::new(),
            timers: BTreeSet::new(),
            counts: Counts::default(),
            len: 0,
            order: 0,
            rules: None,
        }
    }

    /// Adds a child that is down, after all others. Instances of a template are not found by id.
    pub(super) fn insert(&mut self, mut spec: Spec, make: M, has_id: bool) -> Key {
        spec.share(&mut self.rules);
        let place = self.vacant.pop().unwrap_or_else(|| {
            self.places += 1;
            self.places - 1
        });
        let key = Key { order: self.order, place };
        self.order += 1;
        self.len += 1;
        if has_id {
            self.by_id.insert(spec.id.clone(), place);
        }
        self.counts.supervisors += usize::from(spec.kind == ChildKind::Supervisor);
        let before = self.newest.replace(place);
        match before.and_then(|before| self.children.get_mut(before)) {
            Some(before) => before.after = Some(place),
            None => self.oldest = Some(place),
        }
        let child = Child {
            spec,
            make: Some(make),
            state: State::Down,
            handle: None,
            timer: None,
            delays: 0,
            restarts: 0,
            order: key.order,
            before,
            after: None,
        };
        self.children.put(place, child);
        key
    }

    /// Forgets a child, and gives it.
    pub(super) fn remove(&mut self, key: Key) -> Option<Child<M>> {
        self.set_timer(key, None);
        self.get(key)?;
        let child = self.children.take(key.place)?;
        self.vacant.push(key.place);
        self.len -= 1;
        match child.before.and_then(|before| self.children.get_mut(before)) {
            Some(before) => before.after = child.after,
            None => self.oldest = child.after,
        }
        match child.after.and_then(|after| self.children.get_mut(after)) {
            Some(after) => after.before = child.before,
            None => self.newest = child.before,
        }
        self.counts.leave(&child.spec, &child.state);
        self.counts.supervisors -= usize::from(child.spec.kind == ChildKind::Supervisor);
        if self.by_id.get(&child.spec.id) == Some(&key.place) {
            self.by_id.remove(&child.spec.id);
        }
        Some(child)
    }

    /// Forgets all children, and gives them.
    pub(super) fn clear(&mut self) -> Places<Child<M>> {
        std::mem::replace(self, Self { order: self.order, ..Self::new(self.supervisor) }).children
    }

    /// Changes the state of a child, and by which instance it is known; gives the state before.
    pub(super) fn set_state(&mut self, key: Key, state: State) -> Option<State> {
        let counts = &mut self.counts;
        let child = self.children.get_mut(key.place).filter(|child| child.order == key.order)?;
        counts.leave(&child.spec, &child.state);
        match &state {
            State::Down => child.handle = None,
            // A restart that is not up yet leaves the child known by its old instance.
            State::Starting { .. } | State::Lost { .. } | State::Retrying | State::Waiting => {}
            State::Stopping { why, .. } if why.is_failed_restart() => {}
            State::Running { instance, .. } | State::Stopping { instance, .. } | State::Stuck { instance, .. } => {
                child.handle = NonZeroU64::new(instance.number);
            }
        }
        counts.enter(&child.spec, &state);
        Some(std::mem::replace(&mut child.state, state))
    }

    /// By which instance a child is known.
    pub(super) fn handle(&self, key: Key) -> Option<InstanceId> {
        let number = self.get(key)?.handle?.get();
        Some(InstanceId { supervisor: self.supervisor, number, place: key.place })
    }

    pub(super) fn set_timer(&mut self, key: Key, at: Option<Duration>) {
        let Some(child) = self.get_mut(key) else { return };
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
        self.children.get(key.place).filter(|child| child.order == key.order)
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Child<M>> {
        self.children.get_mut(key.place).filter(|child| child.order == key.order)
    }

    pub(super) fn of_id(&self, id: &ChildId) -> Option<Key> {
        self.key(*self.by_id.get(id)?)
    }

    /// The child that has that instance or is known by it.
    pub(super) fn of_instance(&self, instance: InstanceId) -> Option<Key> {
        let child = self.children.get(instance.place)?;
        let is_it = child.state.instance() == Some(instance)
            || (instance.supervisor == self.supervisor && child.handle.is_some_and(|it| it.get() == instance.number));
        is_it.then_some(Key { order: child.order, place: instance.place })
    }

    /// The child that is meant, by id or by instance.
    pub(super) fn find(&self, child: &ChildRef) -> Option<Key> {
        match child {
            ChildRef::Id(id) => self.of_id(id),
            ChildRef::Instance(instance) => self.of_instance(*instance),
        }
    }

    fn key(&self, place: u32) -> Option<Key> {
        self.children.get(place).map(|child| Key { order: child.order, place })
    }

    fn keys_from(&self, place: Option<u32>) -> Vec<Key> {
        let mut keys = Vec::with_capacity(self.len);
        keys.extend(successors(place.and_then(|place| self.key(place)), |key| self.key(self.get(*key)?.after?)));
        keys
    }

    /// In order of their start.
    pub(super) fn keys(&self) -> Vec<Key> {
        self.keys_from(self.oldest)
    }

    /// Those started after `key`, in order of their start.
    pub(super) fn keys_after(&self, key: Key) -> Vec<Key> {
        self.keys_from(self.get(key).and_then(|child| child.after))
    }

    /// Newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = (Key, &Child<M>)> {
        let keys = successors(self.newest.and_then(|place| self.key(place)), |key| self.key(self.get(*key)?.before?));
        keys.filter_map(|key| Some((key, self.get(key)?)))
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }
}

impl Counts {
    fn enter(&mut self, spec: &Spec, state: &State) {
        self.living += usize::from(state.instance().is_some());
        self.stuck += usize::from(matches!(state, State::Stuck { .. }));
        self.active += usize::from(state.shown(spec).is_active());
        self.significant += usize::from(spec.significant && *state != State::Down);
    }

    fn leave(&mut self, spec: &Spec, state: &State) {
        self.living -= usize::from(state.instance().is_some());
        self.stuck -= usize::from(matches!(state, State::Stuck { .. }));
        self.active -= usize::from(state.shown(spec).is_active());
        self.significant -= usize::from(spec.significant && *state != State::Down);
    }
}
