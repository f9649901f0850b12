//! How children and their instances are named.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;

use landfall_lifecycle::TaskName;

/// The id of a child spec, unique among the children of one supervisor.
///
/// It stays the same through restarts. Ids are shown in logs and trees: put no secret into them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ChildId(TaskName);

impl ChildId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name of the child's tasks: the same text, not another copy of it.
    pub(crate) fn task_name(&self) -> TaskName {
        self.0.clone()
    }
}

impl PartialOrd for ChildId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ChildId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl From<&str> for ChildId {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for ChildId {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl Borrow<str> for ChildId {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for ChildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ChildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// One run of a child: what OTP's pid is to a supervisor.
///
/// A restart gives a new one. None is used twice, nor by two supervisors, within the first four thousand million
/// supervisors of a process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId {
    /// Which supervisor of the process started it.
    pub(crate) supervisor: u32,
    /// Counts the starts of that supervisor.
    pub(crate) number: u64,
    /// Where that supervisor keeps the child, so that it finds it without a search; others may be there later.
    pub(crate) place: u32,
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.supervisor, self.number)
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InstanceId({self})")
    }
}

/// Which child a call means: one with an id, or the one that has (or, while it restarts, had) an instance.
///
/// Children of a simple-one-for-one supervisor have no ids and are named by instance; calls that change any other
/// child name it by id, as in OTP.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ChildRef {
    /// By id.
    Id(ChildId),
    /// By instance.
    Instance(InstanceId),
}

impl From<&str> for ChildRef {
    fn from(id: &str) -> Self {
        Self::Id(id.into())
    }
}

impl From<String> for ChildRef {
    fn from(id: String) -> Self {
        Self::Id(id.into())
    }
}

impl From<ChildId> for ChildRef {
    fn from(id: ChildId) -> Self {
        Self::Id(id)
    }
}

impl From<&ChildId> for ChildRef {
    fn from(id: &ChildId) -> Self {
        Self::Id(id.clone())
    }
}

impl From<InstanceId> for ChildRef {
    fn from(instance: InstanceId) -> Self {
        Self::Instance(instance)
    }
}

impl fmt::Display for ChildRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Instance(instance) => write!(f, "instance {instance}"),
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for ChildId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for InstanceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
