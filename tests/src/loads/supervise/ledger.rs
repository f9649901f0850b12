//! The journal of a tree: which instance began when, was asked to stop, and ended; and what is wrong with that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::findings::{Finding, Findings, Kind};

/// Where a child is in its tree: the place among its siblings, from the root down.
pub(super) type Position = Vec<u32>;

/// A child as the journal knows it.
#[derive(Clone, Debug)]
pub(super) struct Child {
    /// Where it is.
    pub(super) position: Position,
    /// What it is called.
    pub(super) name: String,
    /// What started it, as `file:line`.
    pub(super) place: &'static str,
    /// Whether siblings of it may end in any order: it is made from a template.
    pub(super) is_one_of_many: bool,
}

/// The journal. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Children in order, with whether an instance ever began.
    known: BTreeMap<(Position, String), bool>,
    alive: BTreeMap<u64, Child>,
    /// Names that may outlive their turn.
    excused: Vec<&'static str>,
    next: u64,
    begun: u64,
    /// The child of the root that was asked to stop last: that is done only at the end.
    ended_down_to: Option<u32>,
    is_over: bool,
    findings: Findings,
}

/// An instance: it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Instance {
    ledger: Ledger,
    number: u64,
    child: Child,
}

impl Ledger {
    /// Lets the journal know of a child, before any later one begins.
    pub(super) fn know(&self, child: &Child) {
        self.lock().known.insert((child.position.clone(), child.name.clone()), false);
    }

    /// Lets a child outlive its turn.
    pub(super) fn excuse(&self, name: &'static str) {
        self.lock().excused.push(name);
    }

    /// An instance begins.
    pub(super) fn begin(&self, child: &Child) -> Instance {
        let mut state = self.lock();
        let (name, position) = (&child.name, &child.position);
        if state.is_over || state.ended_down_to.is_some_and(|root| position.first() > Some(&root)) {
            state.find(Kind::StartedLate, child, format!("`{name}` began after its end"));
        }
        if state.alive.values().any(|other| (&other.position, &other.name) == (position, name)) {
            state.find(Kind::Twice, child, format!("`{name}` began while another instance of it lived"));
        }
        let waits = state.known.iter().find(|((other, _), begun)| is_before(other, position) && !**begun);
        if let Some(((_, other), _)) = waits {
            let text = format!("`{name}` began before `{other}`");
            state.find(Kind::Disorder, child, text);
        }
        state.known.insert((position.clone(), name.clone()), true);
        state.next += 1;
        state.begun += 1;
        let number = state.next;
        state.alive.insert(number, child.clone());
        Instance { ledger: self.clone(), number, child: child.clone() }
    }

    /// The tree says that it has ended: nothing lives, and nothing begins from here on.
    pub(super) fn over(&self) {
        let mut state = self.lock();
        state.is_over = true;
        let left: Vec<Child> = state.alive.values().cloned().collect();
        for child in left {
            state.find(Kind::Task, &child, format!("`{}` lives though its tree has ended", child.name));
        }
    }

    /// Begins anew, for another tree. What was found stays.
    pub(super) fn anew(&self) {
        let mut state = self.lock();
        let (findings, begun, next) = (std::mem::take(&mut state.findings), state.begun, state.next);
        *state = State { findings, begun, next, ..State::default() };
    }

    /// What is wrong, and how many instances began.
    pub(super) fn close(&self) -> (Findings, u64) {
        let mut state = self.lock();
        (std::mem::take(&mut state.findings), state.begun)
    }

    /// Adds what was found otherwise.
    pub(super) fn find(&self, finding: Finding) {
        self.lock().findings.push(finding);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Instance {
    /// It is asked to stop: all that was started after it, here and below, has ended.
    pub(super) fn asked(&self) {
        let mut state = self.ledger.lock();
        if self.child.is_one_of_many {
            return;
        }
        if let [root] = self.child.position[..] {
            state.ended_down_to = Some(root);
        }
        let later = |other: &&Child| {
            is_before(&self.child.position, &other.position) && !state.excused.contains(&other.name.as_str())
        };
        if let Some(other) = state.alive.values().find(later) {
            let text = format!("`{}` was asked to stop while `{}` lived", self.child.name, other.name);
            state.find(Kind::Disorder, &self.child, text);
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.ledger.lock().alive.remove(&self.number);
    }
}

impl State {
    fn find(&mut self, kind: Kind, child: &Child, text: String) {
        self.findings.push(Finding::new(kind, text).named(&child.name).at(Some(child.place.to_owned())));
    }
}

/// Whether one has the same supervisor as the other, or as one above it, and was started before.
fn is_before(one: &Position, other: &Position) -> bool {
    let Some((last, above)) = one.split_last() else { return false };
    other.strip_prefix(above).and_then(<[u32]>::first).is_some_and(|place| last < place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Sought;

    fn child(position: &[u32], name: &str) -> Child {
        Child { position: position.to_vec(), name: name.to_owned(), place: "x.rs:1", is_one_of_many: false }
    }

    #[track_caller]
    fn finds(ledger: &Ledger, kind: Kind, name: &'static str) {
        let (findings, _) = ledger.close();
        assert!(findings.includes(&Sought { kind, name: Some(name), place: Some("x.rs:1") }), "{findings}");
    }

    #[test]
    fn an_orderly_life_finds_nothing() {
        let ledger = Ledger::default();
        let [first, below, last] = [child(&[0], "first"), child(&[1, 0], "below"), child(&[2], "last")];
        [&first, &below, &last].into_iter().for_each(|child| ledger.know(child));
        let [first, below, last] = [&first, &below, &last].map(|child| ledger.begin(child));
        for instance in [last, below, first] {
            instance.asked();
        }
        ledger.over();
        assert_eq!(ledger.close(), (Findings::default(), 3));
    }

    #[test]
    fn what_is_out_of_order_is_found() {
        let ledger = Ledger::default();
        let [first, below] = [child(&[0], "first"), child(&[1, 0], "below")];
        ledger.know(&first);
        let below = ledger.begin(&below);
        finds(&ledger, Kind::Disorder, "below");
        ledger.begin(&first).asked();
        finds(&ledger, Kind::Disorder, "first");
        ledger.excuse("below");
        ledger.begin(&first).asked();
        assert!(ledger.close().0.is_empty());
        drop(below);
    }

    #[test]
    fn what_is_there_twice_or_too_long_or_too_late_is_found() {
        let ledger = Ledger::default();
        let only = child(&[0], "only");
        let instance = ledger.begin(&only);
        drop(ledger.begin(&only));
        finds(&ledger, Kind::Twice, "only");
        instance.asked();
        drop(ledger.begin(&child(&[1, 0], "below")));
        finds(&ledger, Kind::StartedLate, "below");
        ledger.over();
        finds(&ledger, Kind::Task, "only");
        drop(instance);
        drop(ledger.begin(&only));
        finds(&ledger, Kind::StartedLate, "only");
    }
}
