//! What the crate logs, captured for the whole process and told apart by the owner's name.

use std::fmt::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

static LINES: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());
static NEW_LINE: Condvar = Condvar::new();
static LISTENERS: Mutex<Vec<Listener>> = Mutex::new(Vec::new());

struct Listener {
    /// It hears the lines that contain this.
    text: String,
    hear: Box<dyn Fn() + Send + Sync>,
}

struct Capture;

impl Subscriber for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Not the begin of every termination: some tests make thousands.
        *metadata.level() <= Level::INFO && metadata.target().starts_with("landfall_lifecycle")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        for listener in LISTENERS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if line.0.contains(&listener.text) {
                (listener.hear)();
            }
        }
        lines().push((*event.metadata().level(), line.0));
        NEW_LINE.notify_all();
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _infallible = write!(self.0, "{}={value:?} ", field.name());
    }
}

fn lines() -> MutexGuard<'static, Vec<(Level, String)>> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins to capture; every test that asks for lines calls it first.
pub(crate) fn capture() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| tracing::subscriber::set_global_default(Capture).unwrap());
}

/// The lines so far that contain `text`, which should be a name no other test uses.
pub(crate) fn lines_with(text: &str) -> Vec<(Level, String)> {
    lines().iter().filter(|(_, line)| line.contains(text)).cloned().collect()
}

/// Waits for a line that contains both texts, without keeping others from logging.
pub(crate) fn wait_for(owner: &str, text: &str) {
    let is_there = |(_, line): &(Level, String)| line.contains(owner) && line.contains(text);
    let waited = NEW_LINE.wait_while(lines(), |lines| !lines.iter().any(is_there));
    drop(waited.unwrap_or_else(PoisonError::into_inner));
}

/// Those of [`lines_with`] that are warnings or worse.
pub(crate) fn warnings_with(text: &str) -> Vec<String> {
    lines_with(text).into_iter().filter(|(level, _)| *level <= Level::WARN).map(|(_, line)| line).collect()
}

/// Calls `hear` from inside of the subscriber at each line that contains `text`.
pub(crate) fn on_line_with(text: &str, hear: impl Fn() + Send + Sync + 'static) {
    let listener = Listener { text: text.to_owned(), hear: Box::new(hear) };
    LISTENERS.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
}
