//! What systemd is told.

use std::sync::mpsc::Sender;
#[cfg(feature = "systemd")]
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::side::SideThread;

/// By how much the time to stop is extended with each message while the service drains.
#[cfg(feature = "systemd")]
const EXTEND_BY: Duration = Duration::from_secs(6);
/// How often it is extended; well inside of the interval, since a late message is taken for a hang.
#[cfg(feature = "systemd")]
const EXTEND_EVERY: Duration = Duration::from_secs(2);
/// How long the last message may take to be sent.
const LEAVE_WITHIN: Duration = Duration::from_millis(100);

/// Tells systemd, if it was asked for, how far the service is.
///
/// A thread of its own does: sending blocks when nobody reads the socket, and the extensions must be on time whatever
/// the runtime does.
#[derive(Default)]
pub(super) struct Notifier(Option<(Sender<Note>, SideThread)>);

/// What happened to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Note {
    Ready,
    Stopping,
}

impl Notifier {
    #[cfg(feature = "systemd")]
    pub(super) fn systemd() -> Self {
        let (sender, notes) = channel();
        Self(SideThread::start("landfall-notify", move || run(&notes)).ok().map(|thread| (sender, thread)))
    }

    /// `READY=1`.
    pub(super) fn ready(&self) {
        self.note(Note::Ready);
    }

    /// `STOPPING=1`, and from here on `EXTEND_TIMEOUT_USEC` inside of each interval.
    pub(super) fn stopping(&self) {
        self.note(Note::Stopping);
    }

    fn note(&self, note: Note) {
        if let Some((sender, _)) = &self.0 {
            // The thread lives as long as the sender, unless it panicked.
            let _gone = sender.send(note);
        }
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.0.take() {
            drop(sender);
            thread.join_within(LEAVE_WITHIN);
        }
    }
}

#[cfg(feature = "systemd")]
fn run(notes: &Receiver<Note>) {
    use sd_notify::NotifyState;

    let extend = NotifyState::ExtendTimeoutUsec(u32::try_from(EXTEND_BY.as_micros()).unwrap_or(u32::MAX));
    let mut is_stopping = false;
    loop {
        let note = if is_stopping {
            notes.recv_timeout(EXTEND_EVERY)
        } else {
            notes.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        let sent = match note {
            Ok(Note::Ready) => sd_notify::notify(&[NotifyState::Ready]),
            Ok(Note::Stopping) => {
                is_stopping = true;
                sd_notify::notify(&[NotifyState::Stopping, extend.clone()])
            }
            Err(RecvTimeoutError::Timeout) => sd_notify::notify(std::slice::from_ref(&extend)),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if let Err(error) = sent {
            tracing::warn!(%error, "systemd cannot be notified");
        }
    }
}
