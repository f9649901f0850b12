//! Names of tasks and owners.

use std::borrow::Cow;
use std::fmt;

use crate::sync::Arc;

/// The name of a task or an owner: static text, or shared text made at run time.
///
/// Names of tasks may repeat; names of child sets and of a stack's components may not. Names are shown in logs and
/// reports: put no secret into them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TaskName(Text);

/// Two words wide, because every live task has one: a made name costs a second allocation instead of a third word.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Text {
    Static(&'static str),
    Made(Arc<Box<str>>),
}

impl TaskName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Static(text) => text,
            Text::Made(text) => text,
        }
    }

    pub(crate) fn to_cow(&self) -> Cow<'static, str> {
        match &self.0 {
            Text::Static(text) => Cow::Borrowed(text),
            Text::Made(text) => Cow::Owned(text.to_string()),
        }
    }
}

impl From<&'static str> for TaskName {
    fn from(text: &'static str) -> Self {
        Self(Text::Static(text))
    }
}

impl From<String> for TaskName {
    fn from(text: String) -> Self {
        Self(Text::Made(Arc::new(text.into())))
    }
}

impl From<Cow<'static, str>> for TaskName {
    fn from(text: Cow<'static, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
