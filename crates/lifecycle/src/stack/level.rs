//! One level of a stack: components that end together.

use std::fmt;
use std::time::Duration;

use crate::panics::{contain, dispose};
use crate::sync::Arc;
use crate::terminate::Terminate;

/// Components that end together, before those below them begin to.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use landfall_lifecycle::{Level, TaskSet};
///
/// let workers = Level::of(TaskSet::new("importer")).and(TaskSet::new("exporter")).share(Duration::from_secs(3));
/// ```
#[must_use = "a level does nothing until it is pushed on a stack"]
pub struct Level {
    pub(super) components: Vec<Arc<dyn Terminate>>,
    pub(super) share: Option<Duration>,
}

impl Level {
    /// A level of one component.
    pub fn of(component: impl Terminate + 'static) -> Self {
        Self { components: vec![Arc::new(component)], share: None }
    }

    /// Adds a component that ends in parallel with the others of this level.
    pub fn and(mut self, component: impl Terminate + 'static) -> Self {
        self.components.push(Arc::new(component));
        self
    }

    /// Ends this level's grace at most `share` after it began to end, so that it cannot use up the time of the levels
    /// below. Default: all the grace that is left.
    pub fn share(mut self, share: Duration) -> Self {
        self.share = Some(share);
        self
    }

    /// The components, so that those of a level that was not pushed can be terminated by themselves.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use landfall_lifecycle::{Shutdown, Stack, TaskSet, Terminate};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), landfall_lifecycle::SelfJoin> {
    /// let how = Shutdown::within(Duration::from_secs(5), Duration::from_secs(6));
    /// let stack = Stack::new("app");
    /// stack.begin_terminate(&how);
    /// let refused = stack.push(TaskSet::new("late")).expect_err("the stack terminates");
    /// for component in refused.level.into_components() {
    ///     assert!(component.terminate(&how).await?.is_clean());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn into_components(mut self) -> Vec<Arc<dyn Terminate>> {
        std::mem::take(&mut self.components)
    }

    /// The components' names.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.components.iter().map(name_of).collect()
    }
}

pub(super) fn name_of(component: &Arc<dyn Terminate>) -> String {
    contain(|| component.name().into_owned()).unwrap_or_else(|_| "a component whose name panicked".to_owned())
}

impl Drop for Level {
    /// One after the other: a second component that panicked in its destructor would end the process.
    fn drop(&mut self) {
        self.components.drain(..).for_each(dispose);
    }
}

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Level").field("components", &self.names()).field("share", &self.share).finish()
    }
}

/// A level was not pushed; it is given back, so that it can be terminated: [`Level::into_components`].
#[derive(Debug, thiserror::Error)]
#[error("{:?} was not pushed on the stack {stack:?}: {kind}", level.names())]
#[non_exhaustive]
pub struct PushError {
    /// The stack's name.
    pub stack: String,
    /// Why.
    pub kind: PushErrorKind,
    /// What was to be pushed.
    pub level: Level,
}

/// Why a level was not pushed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PushErrorKind {
    /// The stack terminates, or has terminated.
    #[error("it terminates")]
    Terminating,
    /// A component on the stack, or another one of the level, has that name.
    #[error("there is a component named {name:?} already, and names must differ")]
    NameTaken {
        /// The name.
        name: String,
    },
}
