//! What a ttrpc message carries: a request with its limits, or a response with its status.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use bytes::Bytes;
use prost::Message;

/// ttrpc: `Request`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RequestBody {
    #[prost(string, tag = "1")]
    pub(super) service: String,
    #[prost(string, tag = "2")]
    pub(super) method: String,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) payload: Bytes,
    /// What is left of the caller's time; none if it is not positive.
    #[prost(int64, tag = "4")]
    pub(super) timeout_nanos: i64,
    #[prost(message, repeated, tag = "5")]
    pub(super) metadata: Vec<KeyValue>,
}

/// ttrpc: `KeyValue`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct KeyValue {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

/// ttrpc: `Response`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ResponseBody {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<StatusBody>,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) payload: Bytes,
}

/// `google.rpc.Status`, without its details, which NRI does not use.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StatusBody {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
}

impl RequestBody {
    /// How long the caller waits.
    pub(super) fn timeout(&self) -> Option<Duration> {
        u64::try_from(self.timeout_nanos).ok().filter(|nanos| *nanos > 0).map(Duration::from_nanos)
    }
}

impl ResponseBody {
    /// The payload, unless the status says that there is none.
    pub(super) fn into_result(self) -> Result<Bytes, Status> {
        match self.status {
            Some(StatusBody { code, message }) if code != 0 => Err(Status { code: Code(code), message }),
            _ => Ok(self.payload),
        }
    }

    pub(super) fn of(result: Result<Vec<u8>, Status>) -> Self {
        match result {
            Ok(payload) => Self { status: None, payload: payload.into() },
            Err(Status { code, message }) => {
                Self { status: Some(StatusBody { code: code.0, message }), payload: Bytes::new() }
            }
        }
    }
}

/// Why a call was answered with an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub(crate) struct Status {
    pub(crate) code: Code,
    pub(crate) message: String,
}

impl Status {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// A status code of gRPC, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Code(pub i32);

impl Code {
    /// An error without a code of its own: what a failed handler is answered with.
    pub const UNKNOWN: Self = Self(2);
    /// The request makes no sense.
    pub const INVALID_ARGUMENT: Self = Self(3);
    /// Too much at once, or too large.
    pub const RESOURCE_EXHAUSTED: Self = Self(8);
    /// There is no such method.
    pub const UNIMPLEMENTED: Self = Self(12);
    /// A broken invariant: what a panic is answered with.
    pub const INTERNAL: Self = Self(13);
    /// The plugin is stopping.
    pub const UNAVAILABLE: Self = Self(14);
}

impl Display for Code {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::UNKNOWN => "unknown",
            Self::INVALID_ARGUMENT => "invalid argument",
            Self::RESOURCE_EXHAUSTED => "resource exhausted",
            Self::UNIMPLEMENTED => "unimplemented",
            Self::INTERNAL => "internal",
            Self::UNAVAILABLE => "unavailable",
            Self(code) => return write!(f, "code {code}"),
        };
        f.write_str(name)
    }
}

/// What came along with a request, such as a trace context: keys and values, in the order in which they came.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Metadata(Vec<(String, String)>);

impl Metadata {
    /// The first value of `key`, whose case does not matter.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&str> {
        self.iter().find(|(other, _)| other.eq_ignore_ascii_case(key)).map(|(_, value)| value)
    }

    /// All keys with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    pub(super) fn of(pairs: Vec<KeyValue>) -> Self {
        Self(pairs.into_iter().map(|pair| (pair.key, pair.value)).collect())
    }
}

/// Keys alone: a value may be a secret.
impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(key, _)| key)).finish()
    }
}
