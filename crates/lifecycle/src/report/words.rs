//! The parts of a report in words.

use std::fmt::{self, Display, Formatter};

use super::text::{OneLine, Span, signal_name};
use super::{Activity, GraceCut, Outcome, Place, TaskKind};
use crate::shutdown::Reason;

/// How much of a panic's or a failure's message is shown.
pub(super) const MESSAGE_CHARS_MAX: usize = 160;
/// How much of a file's path is shown.
const FILE_CHARS_MAX: usize = 200;

/// On one line, without control characters: `requested`, `SIGTERM`, `signal 42`, `failed: …`.
impl Display for Reason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requested => f.write_str("requested"),
            Self::Signal(number) => match signal_name(*number) {
                Some(name) => f.write_str(name),
                None => write!(f, "signal {number}"),
            },
            Self::ParentTerminating => f.write_str("parent terminating"),
            Self::Failed(why) => write!(f, "failed: {}", OneLine::new(why, MESSAGE_CHARS_MAX)),
            Self::Dropped => f.write_str("dropped"),
        }
    }
}

impl Display for GraceCut {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forced => "forced",
            Self::NoClockThread => "no thread for the deadlines",
        })
    }
}

/// `file:line`, as editors and terminals make links of it.
impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", OneLine::new(self.file, FILE_CHARS_MAX), self.line)
    }
}

impl Display for TaskKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Task => "task",
            Self::Local => "local task",
            Self::Closing => "closing task",
            Self::Tracked => "tracked future",
            Self::Blocking => "blocking job",
            Self::Thread => "thread",
            Self::Driver => "driver",
        })
    }
}

/// On one line; a panic's message is cut and its control characters are escaped.
impl Display for Outcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aborted => f.write_str("aborted"),
            Self::NeverStarted => f.write_str("never started"),
            Self::RuntimeGone => f.write_str("dropped with its runtime"),
            Self::Panicked { message, in_drop } => {
                let place = if *in_drop { " in a destructor" } else { "" };
                write!(f, "panicked{place} {}", OneLine::new(message, MESSAGE_CHARS_MAX).quoted())
            }
            Self::Straggler { activity } => write!(f, "straggler: {activity}"),
        }
    }
}

impl Display for Activity {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { at_least } => write!(f, "busy in one poll for at least {}", Span(*at_least)),
            Self::NotPolled => f.write_str("woken, but nobody polls it"),
            Self::Blocking => f.write_str("its closure has not come back"),
            Self::Dropping => f.write_str("its destructor has not come back"),
            Self::Queued => f.write_str("never started, waits for others to be dropped"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[track_caller]
    fn check(shown: impl Display, expected: &str) {
        assert_eq!(shown.to_string(), expected);
    }

    #[test]
    fn reasons_in_words() {
        check(Reason::Requested, "requested");
        check(Reason::Signal(15), "SIGTERM");
        check(Reason::Signal(2), "SIGINT");
        check(Reason::Signal(42), "signal 42");
        check(Reason::ParentTerminating, "parent terminating");
        check(Reason::Failed("no\ndisk\u{1b}".into()), "failed: no disk\\u{1b}");
        check(Reason::Dropped, "dropped");
    }

    #[test]
    fn entries_in_words() {
        check(Place { file: "src/main.rs", line: 7, column: 3 }, "src/main.rs:7");
        check(TaskKind::Blocking, "blocking job");
        check(Outcome::NeverStarted, "never started");
        check(Outcome::RuntimeGone, "dropped with its runtime");
        check(
            Outcome::Panicked { message: "a \"b\"".into(), in_drop: true },
            "panicked in a destructor \"a \\\"b\\\"\"",
        );
        let activity = Activity::Busy { at_least: Duration::from_millis(1_300) };
        check(Outcome::Straggler { activity }, "straggler: busy in one poll for at least 1.30 s");
    }
}
