//! How an instance of a child ended.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::panics::contain;
use crate::policy::{RestartType, ShutdownPolicy};

/// How many causes of an error are told.
const SOURCES_MAX: usize = 16;

/// Why an instance ended: OTP's exit reason.
///
/// What is restarted after which exit:
///
/// | exit                                  | permanent | transient, intrinsic | temporary |
/// |---------------------------------------|-----------|----------------------|-----------|
/// | `Normal`, `Shutdown`, `ShutdownWith`  | restart   | no                   | no        |
/// | `Restart`                             | restart   | restart              | no        |
/// | anything else                         | restart   | restart              | no        |
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// It finished its work.
    Normal,
    /// It ended because it was asked to, or as a supervisor that gave up in order (OTP: `shutdown`).
    Shutdown,
    /// As [`Shutdown`](Self::Shutdown), with a reason for people to read (OTP: `{shutdown, Term}`).
    ShutdownWith(Arc<str>),
    /// It wants to be restarted by the rules, without a crash report (supervisor3: `{shutdown, restart}`).
    Restart,
    /// It gave an error.
    Failed(Failure),
    /// It panicked; this is the text.
    Panicked(Arc<str>),
    /// It was aborted (OTP: `killed`).
    Aborted,
    /// It was not ready within its start limit, and was aborted.
    StartTimedOut {
        /// The limit.
        limit: Duration,
    },
    /// It declined to start (OTP: `ignore`). After it was ready this counts as [`Normal`](Self::Normal).
    Declined,
    /// Something of it outlived its stop limit and the abort: its instance may still be running.
    Straggler,
}

impl Exit {
    /// An error, as an exit.
    pub fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let error: Box<dyn Error + Send + Sync> = error.into();
        if error.is::<Declined>() { Self::Declined } else { Self::Failed(Failure::new(error)) }
    }

    /// Whether it is an end in order: a transient child is not restarted after it.
    #[must_use]
    pub fn is_normal(&self) -> bool {
        matches!(self, Self::Normal | Self::Shutdown | Self::ShutdownWith(_) | Self::Declined)
    }

    /// Whether a child of that type is restarted after it.
    pub(crate) fn restarts(&self, kind: RestartType) -> bool {
        match kind {
            RestartType::Permanent => true,
            RestartType::Transient | RestartType::Intrinsic => !self.is_normal(),
            RestartType::Temporary => false,
        }
    }

    /// Whether the end by itself of a child of that type is reported.
    pub(crate) fn is_crash(&self, kind: RestartType) -> bool {
        *self != Self::Restart && (kind == RestartType::Permanent || !self.is_normal())
    }

    /// Whether a child of that type that was asked to stop, or was aborted with no other way, ended as expected.
    pub(crate) fn is_expected(&self, kind: RestartType, shutdown: ShutdownPolicy) -> bool {
        match self {
            Self::Shutdown => true,
            Self::Aborted => shutdown == ShutdownPolicy::BrutalKill,
            Self::Normal | Self::ShutdownWith(_) => kind != RestartType::Permanent,
            _ => false,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("normal"),
            Self::Shutdown => f.write_str("shutdown"),
            Self::ShutdownWith(why) => write!(f, "shutdown: {why}"),
            Self::Restart => f.write_str("restart wanted"),
            Self::Failed(failure) => write!(f, "failed: {failure}"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::Aborted => f.write_str("aborted"),
            Self::StartTimedOut { limit } => write!(f, "not ready within {limit:?}"),
            Self::Declined => f.write_str("declined to start"),
            Self::Straggler => f.write_str("straggler"),
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Exit {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The error of a child, shared by all who hear of it. Equal errors have equal texts.
///
/// It is shown with what it came from, as `reading the offsets: no such file`, and no further than 16 causes. The text is
/// made once, where the error becomes an [`Exit`]: in the child's own task, and not in its supervisor.
#[derive(Clone)]
pub struct Failure(Arc<Held>);

/// The error, whose code is a user's: it is dropped and shown where a panic is contained.
struct Held {
    error: Option<Box<dyn Error + Send + Sync>>,
    text: Box<str>,
}

impl Failure {
    fn new(error: Box<dyn Error + Send + Sync>) -> Self {
        let text = contain(|| chain(&*error)).unwrap_or_else(panicked).into();
        Self(Arc::new(Held { error: Some(error), text }))
    }

    /// The error itself.
    #[must_use]
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        self.0.error.as_deref().expect("it is taken by its drop alone")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Silently: this may happen under a lock, where nothing is logged.
        drop(contain(|| drop(self.error.take())));
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text, and not all that an error knows: some have a backtrace in their `Debug`.
        f.debug_tuple("Failure").field(&self.0.text).finish()
    }
}

/// An error and what it came from, as `reading the offsets: no such file`. A cause that is told already is left out.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    for _ in 0..SOURCES_MAX {
        let Some(error) = source else { break };
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}

/// Stands for a text that could not be made.
fn panicked(message: String) -> String {
    format!("an error whose text panicked: {message}")
}

impl PartialEq for Failure {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl Eq for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

/// The error by which a start declines: it is no failure, the child just does not run (OTP: `ignore`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("declined to start")]
pub struct Declined;

/// What a worker's future may give.
///
/// Nothing, `Ok` and what says so are [`Exit::Normal`], or [`Exit::Shutdown`] if the worker was asked to stop; an error
/// is [`Exit::Failed`]; an [`Exit`] is itself.
pub trait IntoExit {
    /// The exit; none for one that says only that the work is done.
    fn into_exit(self) -> Option<Exit>;
}

impl IntoExit for () {
    fn into_exit(self) -> Option<Exit> {
        None
    }
}

impl IntoExit for std::convert::Infallible {
    fn into_exit(self) -> Option<Exit> {
        match self {}
    }
}

impl IntoExit for Exit {
    fn into_exit(self) -> Option<Exit> {
        Some(self)
    }
}

impl<T: IntoExit, E: Into<Box<dyn Error + Send + Sync>>> IntoExit for Result<T, E> {
    fn into_exit(self) -> Option<Exit> {
        match self {
            Ok(value) => value.into_exit(),
            Err(error) => Some(Exit::failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_worker_gives_becomes_its_exit() {
        assert_eq!(().into_exit(), None);
        assert_eq!(Ok::<_, Declined>(()).into_exit(), None);
        assert_eq!(Ok::<_, Declined>(Exit::Restart).into_exit(), Some(Exit::Restart));
        assert_eq!(Err::<(), _>("no disk").into_exit(), Some(Exit::failed("no disk")));
        assert_eq!(Err::<(), _>(Declined).into_exit(), Some(Exit::Declined));
        assert_ne!(Exit::failed("no disk"), Exit::failed("no net"));
    }

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Caused {
        text: &'static str,
        source: Option<Box<Self>>,
    }

    #[test]
    fn an_error_is_told_with_what_it_came_from() {
        let caused = |text, source| Caused { text, source };
        let disk = || Some(Box::new(caused("no disk", None)));
        let exit = Exit::failed(caused("reading the offsets", disk()));
        assert_eq!(exit.to_string(), "failed: reading the offsets: no disk");
        assert_eq!(format!("{exit:?}"), "Failed(Failure(\"reading the offsets: no disk\"))");
        let twice = Exit::failed(caused("reading the offsets: no disk", disk()));
        assert_eq!(twice.to_string(), "failed: reading the offsets: no disk");
        let mut deep = caused("deepest", None);
        for _ in 0..40 {
            deep = caused("deep", Some(Box::new(caused("and", Some(Box::new(deep))))));
        }
        assert_eq!(Exit::failed(deep).to_string().split(": ").count(), 2 + SOURCES_MAX);
    }
}
