//! The main thread of a service: hears signals, keeps the last deadline, and calls nothing that may block.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::notify::Notifier;
use super::side::{SideThread, say};
use super::wind_down::{Parts, Progress};
use crate::shutdown::{Reason, Shutdown};
use crate::signals::{Signal, Signals};
use crate::task_set::{Task, TaskError};
use crate::terminate::Terminate;

/// How long after the abort instant the report must be there.
const REPORT_WITHIN: Duration = Duration::from_secs(1);
/// How long the hook and the end of the runtime may take after the report.
const AFTER_REPORT_MAX: Duration = Duration::from_secs(2);
/// How long the report as it stands may take to be made and written when the process is about to exit.
const LAST_WORDS_MAX: Duration = Duration::from_millis(500);

/// How long an observer may hold the service: somewhat longer than a hold point does.
const HELD_MAX: Duration = Duration::from_secs(70);

/// Counts the signals and says what each one means.
///
/// A termination that began without a signal changes nothing: the first signal asks for an end in good order, which
/// is on its way then.
#[derive(Debug, Default)]
pub(super) struct Presses(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Press {
    /// Terminate, if that has not begun.
    Begin,
    /// End grace now.
    Force,
    /// Exit without waiting.
    Exit,
}

impl Presses {
    fn next(&mut self) -> Press {
        self.0 = self.0.saturating_add(1);
        match self.0 {
            1 => Press::Begin,
            2 => Press::Force,
            _ => Press::Exit,
        }
    }
}

/// What the main thread listens to while the service runs.
pub(super) struct Running {
    pub(super) signals: Signals,
    pub(super) requested: watch::Receiver<Option<Reason>>,
    pub(super) start: Option<Task<Result<(), String>>>,
}

enum Event {
    Signal(Signal),
    Requested(Reason),
    Started(Result<Result<(), String>, TaskError>),
}

impl Running {
    /// Waits until there is a reason to terminate.
    pub(super) async fn until_reason(&mut self, presses: &mut Presses, notifier: &Notifier) -> Reason {
        loop {
            match self.next_event().await {
                Event::Signal(signal) => {
                    presses.next();
                    return signal.into();
                }
                Event::Requested(reason) => return reason,
                Event::Started(Ok(Ok(()))) => notifier.ready(),
                Event::Started(Ok(Err(error))) => return Reason::Failed(format!("start failed: {error}").into()),
                Event::Started(Err(error)) => return Reason::Failed(format!("start ended: {error}").into()),
            }
        }
    }

    async fn next_event(&mut self) -> Event {
        let Self { signals, requested, start } = self;
        let started = async {
            match start {
                Some(task) => task.await,
                None => std::future::pending().await,
            }
        };
        let event = tokio::select! {
            // A signal first, since it says the most; a request next, so that a failed start cannot hide its reason.
            biased;
            signal = signals.recv() => Event::Signal(signal),
            reason = request(requested) => Event::Requested(reason),
            result = started => Event::Started(result),
        };
        if matches!(event, Event::Started(_)) {
            *start = None;
        }
        event
    }
}

async fn request(requested: &mut watch::Receiver<Option<Reason>>) -> Reason {
    if let Ok(reason) = requested.wait_for(Option::is_some).await
        && let Some(reason) = reason.clone()
    {
        return reason;
    }
    // All contexts have gone, so nobody will ask any more.
    std::future::pending().await
}

/// What the main thread listens to while the service ends.
pub(super) struct Ending {
    pub(super) signals: Signals,
    pub(super) presses: Presses,
    pub(super) how: Shutdown,
    pub(super) parts: Parts,
    pub(super) progress: watch::Receiver<Progress>,
    deadline: Deadline,
}

/// The instant at which the main thread stops waiting.
struct Deadline {
    at: Instant,
    /// Since when an observer holds the service, if one does: that time does not count.
    held_since: Option<Instant>,
    /// A tree of its own: the thread that keeps the service's deadlines may be held up by a callback of a component.
    clock: Shutdown,
}

impl Deadline {
    fn hold(&mut self) {
        self.held_since = Some(self.clock.clock_now());
    }

    fn go_on(&mut self) {
        if let Some(since) = self.held_since.take() {
            self.at += self.clock.clock_now() - since;
        }
    }

    async fn reached(&self) {
        let at = self.held_since.map_or(self.at, |since| since + HELD_MAX);
        self.clock.sleep_until(at).await;
        if self.clock.clock_now() < at {
            // No thread could be made to keep it. Then only the report and the operator can end the wait.
            std::future::pending::<()>().await;
        }
    }
}

enum EndEvent {
    Signal(Signal),
    Progress(Progress),
    /// The thread that ends the service panicked.
    Lost,
    Overdue,
}

impl Ending {
    pub(super) fn new(
        signals: Signals,
        presses: Presses,
        how: Shutdown,
        parts: Parts,
        progress: watch::Receiver<Progress>,
    ) -> Self {
        let deadline = Deadline { at: how.abort() + REPORT_WITHIN, held_since: None, clock: Shutdown::now() };
        Self { signals, presses, how, parts, progress, deadline }
    }

    /// Waits for the end, or for the operator's patience to end.
    pub(super) async fn until_over(&mut self) -> ExitCode {
        loop {
            match self.next_event().await {
                EndEvent::Signal(signal) => self.heed(signal),
                EndEvent::Progress(Progress::Terminating) => {}
                EndEvent::Progress(Progress::Held) => self.deadline.hold(),
                EndEvent::Progress(Progress::Reported) => {
                    self.deadline.go_on();
                    self.deadline.at = self.deadline.at.max(self.how.clock_now() + AFTER_REPORT_MAX);
                }
                EndEvent::Progress(Progress::Over { is_success: true }) => return ExitCode::SUCCESS,
                EndEvent::Progress(Progress::Over { is_success: false }) => return ExitCode::FAILURE,
                EndEvent::Lost => {
                    self.last_words("its end was lost");
                    return ExitCode::FAILURE;
                }
                EndEvent::Overdue => {
                    self.last_words("its end is held up");
                    return ExitCode::FAILURE;
                }
            }
        }
    }

    async fn next_event(&mut self) -> EndEvent {
        tokio::select! {
            // The operator first: a flood of progress must not hide a signal.
            biased;
            signal = self.signals.recv() => EndEvent::Signal(signal),
            changed = self.progress.changed() => match changed {
                Ok(()) => EndEvent::Progress(*self.progress.borrow_and_update()),
                Err(_) => EndEvent::Lost,
            },
            () = self.deadline.reached() => EndEvent::Overdue,
        }
    }

    fn heed(&mut self, signal: Signal) {
        match self.presses.next() {
            Press::Begin => {}
            Press::Force => self.force(),
            Press::Exit => self.exit_by(signal),
        }
    }

    /// Acts upon a signal if there is one, after a look at what has come in.
    pub(super) async fn heed_one(&mut self) {
        let signal = tokio::select! {
            // The signal first, though the driver that brings it runs only when this yields.
            biased;
            signal = self.signals.recv() => signal,
            () = tokio::task::yield_now() => return,
        };
        self.heed(signal);
    }

    /// Waits until the thread that keeps the last deadline has gone.
    pub(super) async fn settle(&self) {
        self.deadline.clock.timekeeper().settle().await;
    }

    fn force(&mut self) {
        let window = self.how.abort() - self.how.grace();
        self.deadline.at = self.deadline.at.min(self.how.clock_now() + window + REPORT_WITHIN);
        let how = self.how.clone();
        // It wakes those who wait for it, and a waker is somebody's code.
        if let Err(force) = SideThread::start("landfall-force", move || how.force()) {
            force();
        }
    }

    fn exit_by(&self, signal: Signal) -> ! {
        self.last_words(signal.name());
        std::process::exit(128 + signal.number())
    }

    /// Prints the report as it stands, but does not wait for long: what holds up the end may hold up the report too.
    fn last_words(&self, why: &str) {
        let (parts, why) = (self.parts.clone(), why.to_owned());
        let words = SideThread::start("landfall-words", move || {
            // Two lines of words, since a component may not answer when it is asked.
            say(format!("{} exits before its end ({why})", parts.stack.name()));
            say(parts.report().to_string());
        });
        // Without a thread there are no words: to exit is what was asked for.
        if let Ok(words) = words {
            words.join_within(LAST_WORDS_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_press_asks_for_more() {
        let mut presses = Presses::default();
        let asked = [presses.next(), presses.next(), presses.next(), presses.next()];
        assert_eq!(asked, [Press::Begin, Press::Force, Press::Exit, Press::Exit]);
    }
}
