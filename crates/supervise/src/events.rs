//! What happens in a tree, as a stream.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use futures_util::stream::{self, Stream};
use tokio::sync::broadcast;

use crate::child_id::{ChildId, InstanceId};
use crate::child_state::ChildState;
use crate::report::{EndCause, SupervisorReport};

/// How many events a reader may be behind before it loses the oldest.
const EVENTS_MAX: usize = 1_024;

/// Something that happened in a tree of supervisors. Displays as a line for people; with the feature `serde` it
/// serialises with all of these fields.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TreeEvent {
    /// The supervisor it happened in, by the names from the root of the tree down.
    pub supervisor: Arc<[String]>,
    /// What.
    pub kind: TreeEventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum TreeEventKind {
    /// A child does something else than before.
    Changed {
        /// The child; for a template, the name that its instances share.
        child: ChildId,
        /// Its instance, if it has or had one.
        instance: Option<InstanceId>,
        /// What it does now.
        state: ChildState,
    },
    /// The supervisor reports.
    Reported(SupervisorReport),
    /// The supervisor has ended.
    Ended(EndCause),
}

impl TreeEvent {
    /// Whether nothing comes after it.
    fn is_last(&self) -> bool {
        self.supervisor.len() == 1 && matches!(self.kind, TreeEventKind::Ended(_))
    }
}

impl fmt::Display for TreeEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.supervisor.join("/"))?;
        match &self.kind {
            TreeEventKind::Changed { child, instance, state } => {
                write!(f, "{child}  {state}")?;
                instance.map_or(Ok(()), |instance| write!(f, ", instance {instance}"))
            }
            TreeEventKind::Reported(report) => {
                write!(f, "{}: {}; {}", report.context, report.reason, report.offender)
            }
            TreeEventKind::Ended(cause) => write!(f, "ended: {cause}"),
        }
    }
}

/// The events of a tree, from the moment it was asked for on. Made by
/// [`Supervisor::events`](crate::Supervisor::events).
pub struct Events {
    receiver: broadcast::Receiver<TreeEvent>,
    below: Arc<[String]>,
    /// The whole tree has ended: nothing comes any more, though handles are left.
    is_over: bool,
}

/// A reader was too slow: that many events are lost to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{missed} events were missed")]
pub struct Lagged {
    /// How many.
    pub missed: u64,
}

impl Events {
    /// Waits for the next event; none when the whole tree has ended.
    ///
    /// # Errors
    ///
    /// [`Lagged`], once, when this reader is more than 1,024 events behind; it goes on with the oldest there is.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped wait loses no event.
    pub async fn recv(&mut self) -> Option<Result<TreeEvent, Lagged>> {
        while !self.is_over {
            match self.receiver.recv().await {
                Ok(event) => {
                    self.is_over = event.is_last();
                    if event.supervisor.starts_with(&self.below) {
                        return Some(Ok(event));
                    }
                }
                Err(broadcast::error::RecvError::Lagged(missed)) => return Some(Err(Lagged { missed })),
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
        None
    }

    /// The same as a `Stream`.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped wait for the next item loses no event.
    pub fn into_stream(self) -> impl Stream<Item = Result<TreeEvent, Lagged>> + Send {
        stream::unfold(self, |mut events| async move { events.recv().await.map(|event| (event, events)) })
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("below", &self.below).finish_non_exhaustive()
    }
}

/// Where all supervisors of a tree tell what happens. It holds nothing until somebody listens.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    sender: OnceLock<broadcast::Sender<TreeEvent>>,
    has_ended: AtomicBool,
}

impl Hub {
    pub(crate) fn listen(&self, below: Arc<[String]>) -> Events {
        let sender = self.sender.get_or_init(|| broadcast::Sender::new(EVENTS_MAX));
        let receiver = sender.subscribe();
        // After that: an end in between is told, or seen here.
        Events { receiver, below, is_over: self.has_ended.load(Ordering::SeqCst) }
    }

    pub(crate) fn is_heard(&self) -> bool {
        self.sender.get().is_some_and(|sender| sender.receiver_count() > 0)
    }

    pub(crate) fn tell(&self, supervisor: &Arc<[String]>, kind: TreeEventKind) {
        let event = TreeEvent { supervisor: Arc::clone(supervisor), kind };
        if event.is_last() {
            self.has_ended.store(true, Ordering::SeqCst);
        }
        if let Some(sender) = self.sender.get().filter(|sender| sender.receiver_count() > 0) {
            // It fails when the last reader has just gone.
            drop(sender.send(event));
        }
    }
}
