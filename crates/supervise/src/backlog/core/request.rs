//! The states of one request.

use std::time::Duration;

use super::Number;

/// Where a request that waits stands.
///
/// | from        | event                              | to          | its caller is told    |
/// |-------------|------------------------------------|-------------|-----------------------|
/// | `Queued`    | commit                             | out         | -                     |
/// | `Queued`    | its deadline                       | ended       | expired               |
/// | `Queued`    | a newcomer needs its place         | ended       | dropped               |
/// | `Queued`    | its caller goes                    | ended       | -                     |
/// | `Queued`    | the end hands back                 | ended       | terminating           |
/// | out         | an answer                          | ended       | the answer            |
/// | out         | lost by the child                  | `Back`      | -                     |
/// | out         | given up by the child              | ended       | unknown               |
/// | out         | its deadline, or the abort instant | out, unheard | unknown              |
/// | out, unheard | anything the child does            | ended       | -                     |
/// | `Back`      | commit                             | out         | -                     |
/// | `Back`      | its deadline                       | ended       | unknown               |
/// | `Back`      | the end hands back                 | ended       | unknown               |
///
/// Commit is the one way from `Queued` to where something of a request may have been sent, and nothing leads back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing of it was sent.
    Queued,
    /// It was committed before: something of it may have been sent.
    Back,
}

impl Stage {
    /// How one that waits ends for such a reason.
    pub(super) fn end(self, why: Why) -> Why {
        match self {
            Self::Queued => why,
            Self::Back => Why::Unknown,
        }
    }
}

#[derive(Debug)]
pub(super) struct Waiting<Q, R> {
    pub(super) request: Q,
    pub(super) stage: Stage,
    pub(super) held: Held<R>,
}

/// The request is with the child, which gives it back if it loses it.
#[derive(Debug)]
pub(super) struct Out<R> {
    pub(super) held: Held<R>,
}

/// What is known of a request for as long as it is held.
#[derive(Debug)]
pub(in super::super) struct Held<R> {
    pub(super) bytes: usize,
    pub(super) deadline: Duration,
    /// How often it was given to the child.
    pub(super) given: u32,
    /// None once its caller was told.
    pub(super) reply: Option<R>,
}

/// A request that was just committed.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Given<Q> {
    pub(in super::super) number: Number,
    pub(in super::super) request: Q,
    pub(in super::super) deadline: Duration,
    pub(in super::super) given: u32,
}

/// What has come of a request but for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Why {
    /// It may have been sent, and its answer was not seen.
    Unknown,
    Expired,
    Dropped,
    Withdrawn,
    HandedBack,
}

/// A request that ended: its caller is to be told, and what is left of it to be dropped.
#[derive(Debug)]
pub(in super::super) struct Ended<Q, R> {
    pub(in super::super) reply: Option<R>,
    pub(in super::super) request: Option<Q>,
    pub(in super::super) why: Why,
}
