//! What a connection is about, as its holder's operations leave it.

use crate::synchronous::Unusable;

/// What a connection is about.
///
/// | from                 | event                                              | to          |
/// |----------------------|----------------------------------------------------|-------------|
/// | `Ready`, `Unsettled` | an operation is polled first                       | `Running`   |
/// | `Running`            | its answer is there to the end                     | `Ready`     |
/// | `Running`            | its rows are dropped before their end              | `Unsettled` |
/// | `Running`            | it fails in a way that may end the session as well | `Unsettled` |
/// | all but `Cut`        | it is not to be used any more                      | `Cut`       |
///
/// An operation that is dropped while it runs is such an end: what it has begun would be in the way of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usage {
    /// Nothing is asked of the server.
    Ready,
    /// An operation is.
    Running,
    /// Rows are on their way that nobody wants; nothing else is.
    Unsettled,
    /// No operation is let in.
    Cut(Unusable),
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Begun,
    Answered,
    Left,
    Cut(Unusable),
}

impl Usage {
    pub(super) fn on(self, event: Event) -> Option<Self> {
        Some(match (self, event) {
            (Self::Ready | Self::Unsettled, Event::Begun) => Self::Running,
            (Self::Running, Event::Answered) => Self::Ready,
            (Self::Running, Event::Left) => Self::Unsettled,
            (Self::Ready | Self::Running | Self::Unsettled, Event::Cut(why)) => Self::Cut(why),
            // A second operation beside one whose future was forgotten; or it was cut meanwhile.
            (_, Event::Begun | Event::Answered | Event::Left | Event::Cut(_)) => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_stays_cut_and_one_operation_runs_at_a_time() {
        let cut = Usage::Cut(Unusable::Abandoned);
        for event in [Event::Begun, Event::Answered, Event::Left, Event::Cut(Unusable::Terminating)] {
            assert_eq!(cut.on(event), None);
        }
        for usage in [Usage::Ready, Usage::Running, Usage::Unsettled] {
            assert_eq!(usage.on(Event::Cut(Unusable::Abandoned)), Some(cut));
        }
        assert_eq!(Usage::Running.on(Event::Begun), None);
        assert_eq!(Usage::Unsettled.on(Event::Begun), Some(Usage::Running));
        assert_eq!(Usage::Running.on(Event::Left), Some(Usage::Unsettled));
    }
}
