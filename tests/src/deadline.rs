//! An instant until which something is waited for.

use std::thread;
use std::time::{Duration, Instant};

/// Time between two looks at something that cannot be waited for otherwise: a file, another process.
const POLL: Duration = Duration::from_millis(2);

/// The end of a wait. Every wait of a scenario has one, so that the scenario ends.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// So far from now.
    pub fn after(span: Duration) -> Self {
        Self(Instant::now() + span)
    }

    /// So far from now, but not later than this one.
    pub fn within(self, span: Duration) -> Self {
        Self(self.0.min(Instant::now() + span))
    }

    /// The time left.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether no time is left.
    pub fn is_over(self) -> bool {
        self.remaining().is_zero()
    }

    /// Looks until there is something, at least once; `None` if there is nothing at the deadline.
    pub fn poll<T>(self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        loop {
            // Asked before the look: what has come just in time is seen.
            let is_over = self.is_over();
            if let Some(found) = look() {
                return Some(found);
            }
            if is_over {
                return None;
            }
            thread::sleep(POLL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_once_even_when_it_is_over() {
        assert_eq!(Deadline::after(Duration::ZERO).poll(|| Some(1)), Some(1));
        assert_eq!(Deadline::after(Duration::ZERO).poll(|| None::<u8>), None);
    }

    #[test]
    fn it_looks_until_there_is_something() {
        let mut looks = 0;
        let found = Deadline::after(Duration::from_secs(60)).poll(|| {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(found, Some(3));
    }

    #[test]
    fn within_never_makes_it_later() {
        let soon = Deadline::after(Duration::from_secs(1));
        assert!(soon.within(Duration::from_secs(60)).remaining() <= Duration::from_secs(1));
        assert!(Deadline::after(Duration::from_secs(60)).within(Duration::ZERO).is_over());
    }
}
