//! One thing that was left behind.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What was left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// A future on a runtime.
    Task,
    /// A closure on a runtime's blocking threads.
    BlockingJob,
    /// A thread of the process.
    Thread,
    /// An open descriptor that is no socket: a file, a pipe, an epoll.
    Descriptor,
    /// A socket with an open descriptor.
    Socket,
    /// A child process that lives, or that nobody has waited for.
    ChildProcess,
    /// A file on disk. No [`Footprint`](super::Footprint) has any: for those who know which folders to look into.
    File,
    /// What an owner's report names that is no task: a handle that is out, a session whose end was not seen.
    Remnant,
}

/// Something that was left behind, and what is known of it.
///
/// Displays on one line; with `serde` it has all of these fields, and the age as `age_ms`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Leak {
    /// What it is.
    pub kind: Kind,
    /// Which one: a task's or a thread's name, what a descriptor points to, the two ends of a socket, a command.
    pub name: String,
    /// Where it was started, as `file:line`, if that can be known.
    pub place: Option<String>,
    /// How long it has been there, if that can be known.
    #[serde(rename = "age_ms", with = "age")]
    pub age: Option<Duration>,
    /// The rest: ids, numbers, states.
    pub detail: String,
}

impl Leak {
    /// Describes something left behind.
    #[must_use]
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into(), place: None, age: None, detail: String::new() }
    }

    /// Says where it was started.
    #[must_use]
    pub fn at(mut self, place: impl Display) -> Self {
        self.place = Some(place.to_string());
        self
    }

    /// Says how long it has been there.
    #[must_use]
    pub fn aged(mut self, age: Duration) -> Self {
        self.age = Some(age);
        self
    }

    /// Says what else is known.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}

impl Display for Kind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Task => "task",
            Self::BlockingJob => "blocking job",
            Self::Thread => "thread",
            Self::Descriptor => "descriptor",
            Self::Socket => "socket",
            Self::ChildProcess => "child process",
            Self::File => "file",
            Self::Remnant => "remnant",
        })
    }
}

impl Display for Leak {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.kind, self.name)?;
        if let Some(place) = &self.place {
            write!(f, " started at {}", place.escape_debug())?;
        }
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail.escape_debug())?;
        }
        Ok(())
    }
}

/// An age as whole milliseconds.
mod age {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(age: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leak_is_one_line_and_survives_json() {
        let leak = Leak::new(Kind::BlockingJob, "hash\n")
            .at("src/main.rs:7")
            .aged(Duration::from_millis(1_500))
            .with_detail("runs");
        assert_eq!(leak.to_string(), r#"blocking job "hash\n" started at src/main.rs:7 (runs)"#);
        let json = serde_json::to_string(&leak).unwrap();
        assert!(json.contains(r#""kind":"blocking_job""#) && json.contains(r#""age_ms":1500"#), "{json}");
        assert_eq!(serde_json::from_str::<Leak>(&json).unwrap(), leak);
    }
}
