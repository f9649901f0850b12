//! Where a set is in its life, and what that means for each kind of entry.

use crate::report::TaskKind;

/// Where a set is in its life, as its tasks see it at each poll.
///
/// | phase        | `spawn` | `spawn_closing` | tasks            | cleanup tasks |
/// |--------------|---------|-----------------|------------------|---------------|
/// | `Running`    | yes     | yes             | run              | run           |
/// | `Draining`   | refused | yes             | run, token set   | run           |
/// | `Aborting`   | refused | yes             | end at next poll | run           |
/// | `Ending`     | refused | refused         | end at next poll | end at next poll |
/// | `Terminated` | refused | refused         | none             | none          |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Phase {
    /// Accepts work.
    Running,
    /// Terminating: its token is cancelled, what runs may finish.
    Draining,
    /// Grace is over: what is polled is dropped instead. Cleanup goes on.
    Aborting,
    /// The abort instant is over: cleanup is dropped too.
    Ending,
    /// Nothing of it lives.
    Terminated,
}

impl Phase {
    pub(super) fn of(word: u8) -> Self {
        match word {
            0 => Self::Running,
            1 => Self::Draining,
            2 => Self::Aborting,
            3 => Self::Ending,
            _ => Self::Terminated,
        }
    }
}

/// From which phase on entries of a kind are aborted.
pub(super) fn aborts_from(kind: TaskKind) -> Phase {
    match kind {
        TaskKind::Closing => Phase::Ending,
        // It ends the owner; nothing aborts it.
        TaskKind::Driver => Phase::Terminated,
        _ => Phase::Aborting,
    }
}
