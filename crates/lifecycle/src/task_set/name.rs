//! Names of tasks and owners.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};

use crate::sync::Arc;

/// The name of a task or an owner: static text, or shared text made at run time.
///
/// Names of tasks may repeat; names of child sets and of a stack's components may not. Names are shown in logs and
/// reports: put no secret into them.
#[derive(Clone)]
pub struct TaskName(Text);

/// Two words wide, because every live task has one: a made name costs a second allocation instead of a third word.
#[derive(Clone)]
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

/// Names are equal if their texts are, however they were made.
impl PartialEq for TaskName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for TaskName {}

impl Hash for TaskName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
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

impl From<Arc<str>> for TaskName {
    fn from(text: Arc<str>) -> Self {
        text.to_string().into()
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
