//! A synchronization that comes in parts, each of which may be several megabytes.

use prost::{DecodeError, Message};

use super::SynchronizeRequest;
use super::weight::count;

impl SynchronizeRequest {
    /// Decodes a part behind what is here already: nothing of that is moved, but where a list has to be longer.
    ///
    /// # Errors
    ///
    /// If it cannot be decoded; some of it may have been added then.
    pub(crate) fn merge_part(&mut self, part: &[u8]) -> Result<(), DecodeError> {
        // What cannot be counted is not decoded either.
        self.pods.reserve(count(part, 1).unwrap_or_default());
        self.containers.reserve(count(part, 2).unwrap_or_default());
        self.merge(part)
    }
}
