//! What the core says of a claim that failed, as the claim tells it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Shared;
use crate::claim::ClaimError;
use crate::connector::Connector;
use crate::core::Failure;

impl<K: Connector> Shared<K> {
    pub(crate) fn closed_error(&self) -> ClaimError {
        let pool = self.name().to_owned();
        if self.runtime_gone.load(Ordering::Acquire) {
            ClaimError::RuntimeGone { pool }
        } else {
            ClaimError::Terminating { pool }
        }
    }

    pub(crate) fn full_error(&self, waiting: usize) -> ClaimError {
        ClaimError::TooManyWaiting { pool: self.name().to_owned(), waiting }
    }

    pub(crate) fn failed_error(&self, failure: Failure, after: Duration) -> ClaimError {
        let pool = self.name().to_owned();
        match failure {
            Failure::Closed => self.closed_error(),
            Failure::TimedOut(shortage) => {
                ClaimError::TimedOut { pool, after, waited_for: shortage.into(), waiting: shortage.waiting as usize }
            }
            Failure::Offline => match self.lock().outage() {
                (0, _) => ClaimError::NoBackends { pool },
                (backends, last) => ClaimError::NoneOnline { pool, backends, last },
            },
        }
    }
}
