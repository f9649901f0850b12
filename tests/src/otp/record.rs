//! What is written down while a scenario runs, and what its steps need to know of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use landfall_supervise::InstanceId;
use tokio::sync::{mpsc, oneshot};

use super::scenario::Scenario;

/// The record of one scenario; clones are the same.
#[derive(Clone)]
pub(super) struct Record {
    pub(super) scenario: Arc<Scenario>,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    lines: Vec<String>,
    starts: HashMap<String, u64>,
    names: HashMap<InstanceId, String>,
    held: HashMap<String, oneshot::Sender<()>>,
    current: HashMap<String, (InstanceId, mpsc::UnboundedSender<String>)>,
}

/// A start that was written down.
pub(super) struct Begun {
    /// Which one of its child: `a#2`.
    pub(super) name: String,
    /// What it is to come to.
    pub(super) outcome: String,
    /// What it waits for first.
    pub(super) held: Option<oneshot::Receiver<()>>,
}

impl Record {
    pub(super) fn new(scenario: Arc<Scenario>) -> Self {
        Self { scenario, inner: Arc::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a line that no child of a template is the subject of.
    pub(super) fn write(&self, line: String) {
        self.inner().lines.push(line);
    }

    /// Writes a line about a child. Instances of a template have no order among themselves: their lines are marked.
    pub(super) fn write_of(&self, supervisor: &str, line: &str) {
        let mark = if self.scenario.is_simple(supervisor) { "~ " } else { "" };
        self.write(format!("{mark}{line}"));
    }

    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.inner().lines)
    }

    /// Counts a start.
    pub(super) fn count(&self, id: &str) -> (usize, String) {
        let mut inner = self.inner();
        let number = inner.starts.entry(id.to_owned()).or_default();
        *number += 1;
        (usize::try_from(*number).unwrap_or(usize::MAX), format!("{id}#{number}"))
    }

    /// Writes down the start of a worker.
    pub(super) fn begin(&self, supervisor: &str, id: &str) -> Begun {
        let (number, name) = self.count(id);
        self.write_of(supervisor, &format!("start {name}"));
        let field = self.scenario.child(id).and_then(|child| child.fields.get("start"));
        let outcomes: Vec<&str> = field.map_or("ok", String::as_str).split(',').collect();
        let outcome = outcomes[number.min(outcomes.len()) - 1];
        let (outcome, held) = match outcome.strip_prefix("hold:") {
            Some(outcome) => {
                let (release, held) = oneshot::channel();
                self.inner().held.insert(id.to_owned(), release);
                (outcome, Some(held))
            }
            None => (outcome, None),
        };
        Begun { name, outcome: outcome.to_owned(), held }
    }

    /// Lets a start that is held go on.
    pub(super) fn release(&self, id: &str) {
        if let Some(release) = self.inner().held.remove(id) {
            // Nobody waits any more if the start was cancelled.
            release.send(()).ok();
        }
    }

    /// Notes that an instance is up; what it is to end with comes from the receiver.
    pub(super) fn up(&self, id: &str, name: &str, instance: InstanceId) -> mpsc::UnboundedReceiver<String> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut inner = self.inner();
        inner.names.insert(instance, name.to_owned());
        inner.current.insert(id.to_owned(), (instance, sender));
        receiver
    }

    /// Lets the latest instance of a child end by itself.
    pub(super) fn exit(&self, id: &str, reason: &str) {
        if let Some((_, sender)) = self.inner().current.get(id) {
            // It may have ended already.
            sender.send(reason.to_owned()).ok();
        }
    }

    /// The latest instance of a child of a template.
    pub(super) fn instance(&self, id: &str) -> Option<InstanceId> {
        self.inner().current.get(id).map(|(instance, _)| *instance)
    }

    /// What an instance is called; one that is no worker is the latest of its id.
    pub(super) fn name(&self, id: &str, instance: InstanceId) -> String {
        let known = self.inner().names.get(&instance).cloned();
        known.unwrap_or_else(|| self.latest(id))
    }

    /// What the latest instance of a child is called.
    pub(super) fn latest(&self, id: &str) -> String {
        format!("{id}#{}", self.inner().starts.get(id).copied().unwrap_or_default())
    }
}
