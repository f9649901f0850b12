//! What a server may be told, and the check of it.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use hyper::rt::Timer;
use tokio_util::sync::CancellationToken;

use super::StartError;

/// Shortest and longest time an option may give: no deadline of hyper's can overflow.
const TIMES: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(24 * 60 * 60);
/// hyper's smallest HTTP/1 buffer, and what one connection may reasonably be given.
const BUFFER_BYTES: RangeInclusive<usize> = 8 * 1024..=16 * 1024 * 1024;
/// The smallest window HTTP/2 can have from the start, and the largest at all.
const WINDOW_BYTES: RangeInclusive<u32> = 65_535..=0x7fff_ffff;

/// How a [`Server`](super::Server) serves.
///
/// Every bound has a default, so `ServeOptions::default()` is complete; but it has no timer, hence no timeouts. A
/// server that faces clients it does not trust wants [`with_timer`](Self::with_timer).
///
/// One connection can make the server hold at most, beside what the service itself keeps: for HTTP/1 twice
/// [`buffer_bytes_max`](Self::buffer_bytes_max); for HTTP/2
/// [`http2_window_bytes`](Self::http2_window_bytes) received and not yet read by the service, and for each of
/// [`http2_streams_max`](Self::http2_streams_max) streams [`header_bytes_max`](Self::header_bytes_max) and
/// [`buffer_bytes_max`](Self::buffer_bytes_max) not yet taken by the client.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use hyper_util::rt::TokioTimer;
/// use landfall_lifecycle::serving::ServeOptions;
///
/// let mut options = ServeOptions::with_timer(TokioTimer::new());
/// options.connections_max = 200;
/// options.header_read_timeout = Some(Duration::from_secs(5));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct ServeOptions {
    /// Most connections open at a time. Above it accepting pauses: further clients wait in the kernel's backlog, whose
    /// length the listener was bound with. 1 to 2³² − 1; default 1,024.
    pub connections_max: usize,
    /// Whether responses are sent at once instead of being held back to fill packets (`TCP_NODELAY`). Default true.
    pub nodelay: bool,
    /// A token of the user's: when it is cancelled, the listener is closed and the connections are asked to finish, as
    /// at the begin of a termination. Their deadlines come with the termination. Default none.
    pub token: Option<CancellationToken>,
    /// What measures the timeouts below and the pauses of [`Server`](super::Server)'s accept loop, usually
    /// `hyper_util::rt::TokioTimer`; the runtime must have its time enabled then. This crate uses no timer of its own
    /// choice. Default none.
    pub timer: Option<Arc<dyn Timer + Send + Sync>>,
    /// Longest time a client may take to show which HTTP it speaks, and then, in HTTP/1, for each request's head,
    /// counted from the response before: so it also bounds how long a connection may idle. The connection is closed.
    /// 1 ms to 24 h; needs [`timer`](Self::timer). Default none, with [`with_timer`](Self::with_timer) 30 s.
    pub header_read_timeout: Option<Duration>,
    /// Whether an HTTP/1 connection may serve more than one request. Default true.
    pub keep_alive: bool,
    /// Longest head of a request, in bytes; what is longer gets 431 (in HTTP/1 so do more than 100 headers). From 1 to
    /// [`buffer_bytes_max`](Self::buffer_bytes_max); default 16 KiB.
    pub header_bytes_max: u32,
    /// Largest read buffer, and largest write buffer, of an HTTP/1 connection; largest send buffer of an HTTP/2
    /// stream. 8 KiB to 16 MiB; default 64 KiB.
    pub buffer_bytes_max: usize,
    /// Most requests that an HTTP/2 connection has in flight. 1 to 65,536; default 200.
    pub http2_streams_max: u32,
    /// How many bytes of bodies an HTTP/2 connection, or one stream of it, receives ahead of the service. 65,535 to
    /// 2³¹ − 1; default 1 MiB.
    pub http2_window_bytes: u32,
    /// How often an HTTP/2 connection is pinged, so that one whose client is gone is found. 1 ms to 24 h; needs
    /// [`timer`](Self::timer). Default none, with [`with_timer`](Self::with_timer) 30 s.
    pub http2_keep_alive_interval: Option<Duration>,
    /// How long the answer to such a ping may take before the connection is closed. 1 ms to 24 h; default 20 s.
    pub http2_keep_alive_timeout: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            connections_max: 1024,
            nodelay: true,
            token: None,
            timer: None,
            header_read_timeout: None,
            keep_alive: true,
            header_bytes_max: 16 * 1024,
            buffer_bytes_max: 64 * 1024,
            http2_streams_max: 200,
            http2_window_bytes: 1024 * 1024,
            http2_keep_alive_interval: None,
            http2_keep_alive_timeout: Duration::from_secs(20),
        }
    }
}

impl ServeOptions {
    /// The defaults with a timer, and with the timeouts that need one: 30 s for a head, an HTTP/2 ping every 30 s.
    #[must_use]
    pub fn with_timer(timer: impl Timer + Send + Sync + 'static) -> Self {
        Self {
            timer: Some(Arc::new(timer)),
            header_read_timeout: Some(Duration::from_secs(30)),
            http2_keep_alive_interval: Some(Duration::from_secs(30)),
            ..Self::default()
        }
    }

    /// Checks every field, and that they do not contradict each other.
    pub(super) fn check(&self) -> Result<(), StartError> {
        bounded("connections_max", self.connections_max, 1..=u32::MAX as usize)?;
        bounded("buffer_bytes_max", self.buffer_bytes_max, BUFFER_BYTES)?;
        let buffer = u32::try_from(self.buffer_bytes_max).unwrap_or(u32::MAX);
        bounded("header_bytes_max", self.header_bytes_max, 1..=buffer)?;
        bounded("http2_streams_max", self.http2_streams_max, 1..=65_536)?;
        bounded("http2_window_bytes", self.http2_window_bytes, WINDOW_BYTES)?;
        bounded("http2_keep_alive_timeout", self.http2_keep_alive_timeout, TIMES)?;
        self.timed("header_read_timeout", self.header_read_timeout)?;
        self.timed("http2_keep_alive_interval", self.http2_keep_alive_interval)
    }

    fn timed(&self, field: &'static str, value: Option<Duration>) -> Result<(), StartError> {
        match value {
            Some(value) if self.timer.is_none() => Err(refuse(field, value, "none without a timer")),
            Some(value) => bounded(field, value, TIMES),
            None => Ok(()),
        }
    }
}

fn bounded<T: PartialOrd + fmt::Debug>(
    field: &'static str,
    value: T,
    allowed: RangeInclusive<T>,
) -> Result<(), StartError> {
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(refuse(field, value, format!("{:?} to {:?}", allowed.start(), allowed.end())))
}

fn refuse(field: &'static str, value: impl fmt::Debug, allowed: impl Into<String>) -> StartError {
    StartError::Option { field, value: format!("{value:?}"), allowed: allowed.into() }
}

impl fmt::Debug for ServeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Taken apart by name, so that a new field is not forgotten here.
        let Self {
            connections_max,
            nodelay,
            token,
            timer,
            header_read_timeout,
            keep_alive,
            header_bytes_max,
            buffer_bytes_max,
            http2_streams_max,
            http2_window_bytes,
            http2_keep_alive_interval,
            http2_keep_alive_timeout,
        } = self;
        f.debug_struct("ServeOptions")
            .field("connections_max", connections_max)
            .field("nodelay", nodelay)
            .field("token", token)
            .field("timer", &timer.as_ref().map(|_| "set"))
            .field("header_read_timeout", header_read_timeout)
            .field("keep_alive", keep_alive)
            .field("header_bytes_max", header_bytes_max)
            .field("buffer_bytes_max", buffer_bytes_max)
            .field("http2_streams_max", http2_streams_max)
            .field("http2_window_bytes", http2_window_bytes)
            .field("http2_keep_alive_interval", http2_keep_alive_interval)
            .field("http2_keep_alive_timeout", http2_keep_alive_timeout)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use hyper_util::rt::TokioTimer;

    use super::*;

    #[track_caller]
    fn check(change: impl FnOnce(&mut ServeOptions), refused: Option<&str>) {
        let mut options = ServeOptions::with_timer(TokioTimer::new());
        change(&mut options);
        assert_eq!(options.check().err().map(|error| error.to_string()).as_deref(), refused);
    }

    #[test]
    fn defaults_pass() {
        ServeOptions::default().check().unwrap();
        check(|_| (), None);
    }

    #[test]
    fn every_bound_is_checked_and_named() {
        check(|o| o.connections_max = u32::MAX as usize, None);
        check(|o| o.connections_max = 0, Some("option connections_max is 0; allowed: 1 to 4294967295"));
        check(|o| o.buffer_bytes_max = 8191, Some("option buffer_bytes_max is 8191; allowed: 8192 to 16777216"));
        check(|o| o.header_bytes_max = 0, Some("option header_bytes_max is 0; allowed: 1 to 65536"));
        check(|o| o.header_bytes_max = 65_537, Some("option header_bytes_max is 65537; allowed: 1 to 65536"));
        check(|o| o.http2_streams_max = 0, Some("option http2_streams_max is 0; allowed: 1 to 65536"));
        check(
            |o| o.http2_window_bytes = u32::MAX,
            Some("option http2_window_bytes is 4294967295; allowed: 65535 to 2147483647"),
        );
        check(
            |o| o.http2_keep_alive_timeout = Duration::ZERO,
            Some("option http2_keep_alive_timeout is 0ns; allowed: 1ms to 86400s"),
        );
        check(
            |o| o.header_read_timeout = Some(Duration::ZERO),
            Some("option header_read_timeout is 0ns; allowed: 1ms to 86400s"),
        );
        check(
            |o| o.http2_keep_alive_interval = Some(Duration::from_secs(86_401)),
            Some("option http2_keep_alive_interval is 86401s; allowed: 1ms to 86400s"),
        );
    }

    #[test]
    fn a_timeout_without_a_timer_is_a_contradiction() {
        let no_timer = |o: &mut ServeOptions| o.timer = None;
        check(no_timer, Some("option header_read_timeout is 30s; allowed: none without a timer"));
        check(
            |o| {
                no_timer(o);
                o.header_read_timeout = None;
            },
            Some("option http2_keep_alive_interval is 30s; allowed: none without a timer"),
        );
    }
}
