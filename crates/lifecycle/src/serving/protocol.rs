//! The checked options as hyper takes them.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use hyper::server::conn::{http1, http2};

use super::{HyperExecutor, ServeOptions};

/// What every connection of a server is served with.
#[derive(Debug)]
pub(super) struct Protocol {
    options: ServeOptions,
    http1: http1::Builder,
}

impl Protocol {
    pub(super) fn new(options: ServeOptions) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .keep_alive(options.keep_alive)
            .max_header_size(options.header_bytes_max as usize)
            .max_buf_size(options.buffer_bytes_max)
            // Said even when it is none: hyper has a default of its own, and complains when there is no timer for it.
            .header_read_timeout(options.header_read_timeout);
        if let Some(timer) = &options.timer {
            http1.timer(SharedTimer(Arc::clone(timer)));
        }
        Self { options, http1 }
    }

    pub(super) fn nodelay(&self) -> bool {
        self.options.nodelay
    }

    /// A deadline for the client's first bytes, if there is one.
    pub(super) fn greeting_deadline(&self) -> Option<Pin<Box<dyn Sleep>>> {
        Some(self.options.timer.as_ref()?.sleep(self.options.header_read_timeout?))
    }

    pub(super) fn http1(&self) -> &http1::Builder {
        &self.http1
    }

    pub(super) fn http2(&self, executor: HyperExecutor) -> http2::Builder<HyperExecutor> {
        let options = &self.options;
        let mut http2 = http2::Builder::new(executor);
        http2
            .max_concurrent_streams(options.http2_streams_max)
            .max_header_list_size(options.header_bytes_max)
            .max_send_buf_size(options.buffer_bytes_max)
            .initial_connection_window_size(options.http2_window_bytes)
            .initial_stream_window_size(options.http2_window_bytes)
            .keep_alive_interval(options.http2_keep_alive_interval)
            .keep_alive_timeout(options.http2_keep_alive_timeout);
        if let Some(timer) = &options.timer {
            http2.timer(SharedTimer(Arc::clone(timer)));
        }
        http2
    }
}

/// hyper wants a timer it can own.
struct SharedTimer(Arc<dyn Timer + Send + Sync>);

impl Timer for SharedTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.0.sleep(duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.0.sleep_until(deadline)
    }

    fn now(&self) -> Instant {
        self.0.now()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, new_deadline: Instant) {
        self.0.reset(sleep, new_deadline);
    }
}
