//! What is sent and what is read.

use std::fmt;

use bytes::Bytes;

/// What a record costs beside its key and its value, at most: lengths, offset, time.
const OVERHEAD: usize = 32;

/// What is to be sent. Its key and its value are shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    pub(crate) key: Option<Bytes>,
    pub(crate) value: Bytes,
    pub(crate) timestamp_ms: i64,
}

impl Message {
    /// A message without a key, stamped with this machine's time.
    pub fn new(value: impl Into<Bytes>) -> Self {
        Self { key: None, value: value.into(), timestamp_ms: wall_clock_ms() }
    }

    /// Gives it a key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Bytes>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The bytes it has in a batch, at most.
    pub(crate) fn bytes(&self) -> usize {
        self.value.len() + self.key.as_ref().map_or(0, Bytes::len) + OVERHEAD
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

/// A record that was read.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetched {
    /// Its offset in the partition.
    pub offset: i64,
    /// Its time, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its value.
    pub value: Option<Bytes>,
}

impl Fetched {
    pub(crate) fn bytes(&self) -> usize {
        let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        length(&self.key) + length(&self.value) + OVERHEAD
    }
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched").field("offset", &self.offset).field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

#[expect(
    clippy::disallowed_types,
    reason = "a record's time is the wall clock's, by the protocol; nothing here waits for it"
)]
fn wall_clock_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
