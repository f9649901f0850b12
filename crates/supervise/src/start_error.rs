//! Why a supervisor did not start.

use landfall_lifecycle::SpawnError;

use crate::child_id::ChildId;
use crate::exit::Exit;
use crate::report::EndCause;
use crate::spec_error::SpecError;

/// Why a supervisor did not start. Nothing of it is left running, or its report was logged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A spec or a setting is at fault; nothing was started.
    #[error("the supervisor {supervisor:?} is not set up right")]
    Spec {
        /// Its name.
        supervisor: String,
        /// What is wrong.
        source: SpecError,
    },
    /// There is no runtime to run on; nothing was started.
    #[error("the supervisor {supervisor:?} cannot run here")]
    Spawn {
        /// Its name.
        supervisor: String,
        /// Why.
        source: SpawnError,
    },
    /// A static child failed to start; those before it were stopped in reverse order.
    #[error("the supervisor {supervisor:?} failed to start child {child}: {cause}")]
    Child {
        /// Its name.
        supervisor: String,
        /// The child.
        child: ChildId,
        /// What its start ended with.
        cause: Exit,
    },
    /// It ended before all of its static children were up.
    #[error("the supervisor {supervisor:?} ended while it started: {cause}")]
    Ended {
        /// Its name.
        supervisor: String,
        /// Why it ended.
        cause: EndCause,
    },
}

impl StartError {
    pub(crate) fn of_end(supervisor: String, cause: EndCause) -> Self {
        match cause {
            EndCause::StartFailed { child, cause } => Self::Child { supervisor, child, cause },
            cause => Self::Ended { supervisor, cause },
        }
    }
}
