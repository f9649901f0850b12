//! The first bytes of a connection: which HTTP it speaks.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What every HTTP/2 connection begins with, and no HTTP/1 request can.
const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Which HTTP a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// The first bytes that a client sent, as far as they were needed to know its version.
///
/// hyper-util's `auto` builder does the same, but nothing bounds its wait: a client that sends nothing, or half a
/// preface, would hold its place for ever, whatever header timeout is set (hyperium/hyper#3962). Reading them here makes
/// that wait an arm beside the stop and the timeout.
#[derive(Debug)]
pub(super) struct Greeting {
    bytes: [u8; PREFACE.len()],
    len: usize,
}

impl Greeting {
    pub(super) fn new() -> Self {
        Self { bytes: [0; PREFACE.len()], len: 0 }
    }

    /// Reads until the version is known; `None` when the client closed before.
    ///
    /// Cancel safe: what was read is kept in `self`.
    pub(super) async fn read(&mut self, stream: &TcpStream) -> io::Result<Option<Version>> {
        loop {
            if let Some(version) = self.version() {
                return Ok(Some(version));
            }
            stream.readable().await?;
            match stream.try_read(&mut self.bytes[self.len..]) {
                Ok(0) => return Ok(None),
                Ok(count) => self.len += count,
                // A false alarm of the poller.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Puts what was read before the rest of the stream again.
    pub(super) fn before(self, stream: TcpStream) -> Greeted {
        Greeted { greeting: self, taken: 0, stream: TokioIo::new(stream) }
    }

    fn version(&self) -> Option<Version> {
        let heard = &self.bytes[..self.len];
        if !PREFACE.starts_with(heard) {
            Some(Version::Http1)
        } else if self.len == PREFACE.len() {
            Some(Version::Http2)
        } else {
            None
        }
    }
}

/// A stream whose first bytes were read already.
#[derive(Debug)]
pub(super) struct Greeted {
    greeting: Greeting,
    taken: usize,
    stream: TokioIo<TcpStream>,
}

impl Read for Greeted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let left = &this.greeting.bytes[this.taken..this.greeting.len];
        if left.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        }
        let count = left.len().min(buf.remaining());
        buf.put_slice(&left[..count]);
        this.taken += count;
        Poll::Ready(Ok(()))
    }
}

impl Write for Greeted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(heard: &[u8], version: Option<Version>) {
        let mut greeting = Greeting::new();
        greeting.bytes[..heard.len()].copy_from_slice(heard);
        greeting.len = heard.len();
        assert_eq!(greeting.version(), version, "{}", heard.escape_ascii());
    }

    #[test]
    fn the_version_is_known_at_the_first_byte_that_decides_it() {
        check(b"", None);
        check(b"P", None);
        check(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", None);
        check(&PREFACE, Some(Version::Http2));
        check(b"G", Some(Version::Http1));
        check(b"PO", Some(Version::Http1));
        check(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\t", Some(Version::Http1));
        check(b"\x16\x03\x01", Some(Version::Http1));
    }
}
