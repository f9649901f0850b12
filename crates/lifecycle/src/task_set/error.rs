//! Why work was refused, and why a task gave no output.

use std::io;

/// Why a set did not start a task. The refused future or closure is dropped by the caller's call, never under a lock.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The set terminates, or has terminated.
    #[error("the task set {set:?} terminates and accepts no more work")]
    Closed {
        /// The set's name.
        set: String,
    },
    /// The call was made outside of a tokio runtime.
    #[error("no tokio runtime here: call it inside one, or use spawn_on or spawn_thread")]
    NoRuntime,
    /// The operating system gave no thread.
    #[error("no thread could be made for it")]
    NoThread {
        /// What the operating system said.
        source: io::Error,
    },
}

/// Why a set did not make a child set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChildError {
    /// The set terminates, or has terminated.
    #[error("the task set {set:?} terminates and accepts no more children")]
    Closed {
        /// The set's name.
        set: String,
    },
    /// A living child of the set has that name.
    #[error("the task set {set:?} has a living child named {name:?}: names of child sets must differ")]
    NameTaken {
        /// The set's name.
        set: String,
        /// The name that was asked for.
        name: String,
    },
}

/// Why a task gave no output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// It was aborted: by its handle, or because the set terminated and grace was over.
    #[error("the task was aborted")]
    Aborted,
    /// It was taken out of the queue before it ran.
    #[error("the job never started")]
    NeverStarted,
    /// Its runtime went away.
    #[error("the runtime of the task has gone")]
    RuntimeGone,
    /// It panicked, in its body or in a destructor.
    #[error("the task panicked: {message}")]
    Panicked {
        /// The panic's text.
        message: String,
    },
}
