//! The pause before something is tried again inside of a worker.

use std::time::Duration;

use crate::settings::Settings;

/// Pauses that are doubled each time, up to a longest one, until it went well.
#[derive(Debug)]
pub(crate) struct Retry {
    first: Duration,
    max: Duration,
    next: Duration,
}

impl Retry {
    pub(crate) fn new(settings: &Settings) -> Self {
        let (first, max) = (settings.retry_first, settings.retry_max);
        Self { first, max, next: first.min(max) }
    }

    pub(crate) fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = pause.saturating_mul(2).min(self.max);
        pause
    }

    pub(crate) fn reset(&mut self) {
        self.next = self.first.min(self.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_it_went_well() {
        let settings = Settings::new(Vec::new());
        let mut retry = Retry::new(&settings);
        let pauses: Vec<_> = (0..7).map(|_| retry.pause().as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1_600, 2_000, 2_000]);
        retry.reset();
        assert_eq!(retry.pause(), settings.retry_first);
    }
}
