//! What a connection's thread is about.

use super::mailbox::Job;
use super::run_error::Unusable;

/// | from                  | event                          | to                              |
/// |-----------------------|--------------------------------|---------------------------------|
/// | `Running`             | opened, operation done         | `Idle`                          |
/// | `Idle`                | post                           | `Posted`                        |
/// | `Posted`              | the thread takes it            | `Running`                       |
/// | `Posted`              | its caller gives up            | `Idle`, nothing has happened    |
/// | `Running`             | its caller gives up            | `Closing`, the brake is pulled  |
/// | `Idle`, `Posted`, `Running` | close                    | `Closing`; if it ran, the brake is pulled |
/// | any                   | the thread ends                | `Ended`                         |
pub(super) enum Stage<C> {
    /// The thread waits. A transaction may be open if the last operation left it so.
    Idle { in_transaction: bool },
    /// An operation that the thread has not seen.
    Posted { job: Job<C>, in_transaction: bool },
    /// The thread opens the connection, or is in an operation.
    Running,
    /// The thread ends after what it is in.
    Closing(Unusable),
    /// The connection is closed.
    Ended(Unusable),
}

/// What is to be done once the lock is free.
pub(super) struct Effect<C> {
    /// A user's closure that nobody will run.
    pub(super) unwanted: Option<Job<C>>,
    pub(super) pulls_brake: bool,
}

impl<C> Effect<C> {
    const NONE: Self = Self { unwanted: None, pulls_brake: false };
}

impl<C> Stage<C> {
    /// Hands an operation in; gives it back if the connection takes none.
    pub(super) fn post(&mut self, job: Job<C>) -> Result<(), (Unusable, Job<C>)> {
        match *self {
            Self::Idle { in_transaction } => {
                *self = Self::Posted { job, in_transaction };
                Ok(())
            }
            // One operation at a time: a second can only come after the first was given up.
            Self::Posted { .. } | Self::Running => Err((Unusable::Abandoned, job)),
            Self::Closing(why) | Self::Ended(why) => Err((why, job)),
        }
    }

    /// The operation that waits, if there is one.
    pub(super) fn take(&mut self) -> Option<Job<C>> {
        match std::mem::replace(self, Self::Running) {
            Self::Posted { job, .. } => Some(job),
            other => {
                *self = other;
                None
            }
        }
    }

    /// The connection is open, or an operation is done.
    pub(super) fn done(&mut self, in_transaction: bool) {
        if let Self::Running = self {
            *self = Self::Idle { in_transaction };
        }
    }

    /// Whoever waits for the operation has gone.
    pub(super) fn give_up(&mut self) -> Effect<C> {
        match std::mem::replace(self, Self::Running) {
            Self::Posted { job, in_transaction } => {
                *self = Self::Idle { in_transaction };
                Effect { unwanted: Some(job), pulls_brake: false }
            }
            Self::Running => self.close(Unusable::Abandoned),
            other => {
                *self = other;
                Effect::NONE
            }
        }
    }

    pub(super) fn close(&mut self, why: Unusable) -> Effect<C> {
        match std::mem::replace(self, Self::Closing(why)) {
            Self::Idle { .. } => Effect::NONE,
            Self::Posted { job, .. } => Effect { unwanted: Some(job), pulls_brake: false },
            Self::Running => Effect { unwanted: None, pulls_brake: true },
            before @ (Self::Closing(_) | Self::Ended(_)) => {
                *self = before;
                Effect::NONE
            }
        }
    }

    pub(super) fn end(&mut self) -> Effect<C> {
        let effect = self.close(Unusable::Closed);
        if let Self::Closing(why) = *self {
            *self = Self::Ended(why);
        }
        effect
    }
}
