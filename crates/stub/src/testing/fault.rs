//! A connection that is cut, or goes silent, after a number of bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the runtime to the plugin.
    ToPlugin,
    /// From the plugin to the runtime.
    ToRuntime,
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It is closed, both ways.
    Cut,
    /// No more bytes go this way; the other way and the socket are as before.
    Stall,
    /// For so long no more bytes go this way; then they do.
    Pause(Duration),
}

/// What happens to a connection, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// Whose bytes are counted.
    pub direction: Direction,
    /// How many of them get through.
    pub after_bytes: usize,
}

/// How many bytes went which way.
#[derive(Debug, Default)]
pub(super) struct Counted {
    to_plugin: AtomicUsize,
    to_runtime: AtomicUsize,
}

impl Counted {
    pub(super) fn bytes(&self, direction: Direction) -> usize {
        self.of(direction).load(Ordering::Relaxed)
    }

    fn of(&self, direction: Direction) -> &AtomicUsize {
        match direction {
            Direction::ToPlugin => &self.to_plugin,
            Direction::ToRuntime => &self.to_runtime,
        }
    }
}

/// The runtime's end of a connection that may have a fault.
#[derive(Debug)]
pub(super) struct FaultyIo {
    io: Option<DuplexStream>,
    fault: Option<Fault>,
    /// Until when a pause lasts that has begun.
    pause: Option<Pin<Box<Sleep>>>,
    counted: Arc<Counted>,
    /// Says by its count how many connections are open.
    _open: Arc<()>,
}

impl FaultyIo {
    pub(super) fn new(io: DuplexStream, fault: Option<Fault>, counted: Arc<Counted>, open: Arc<()>) -> Self {
        Self { io: Some(io), fault, pause: None, counted, _open: open }
    }

    /// How many more bytes may go this way: none if there is no limit.
    fn left(&self, direction: Direction) -> Option<(usize, FaultKind)> {
        let fault = self.fault.filter(|fault| fault.direction == direction)?;
        Some((fault.after_bytes.saturating_sub(self.counted.bytes(direction)), fault.kind))
    }

    /// Waits while a pause lasts that has come to this way.
    fn poll_pause(&mut self, direction: Direction, cx: &mut Context<'_>) -> Poll<()> {
        if let Some((0, FaultKind::Pause(lasts))) = self.left(direction) {
            let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(lasts)));
            std::task::ready!(pause.as_mut().poll(cx));
            (self.fault, self.pause) = (None, None);
        }
        Poll::Ready(())
    }

    /// Takes the connection away if its fault has come.
    fn cut_if_due(&mut self) {
        for direction in [Direction::ToPlugin, Direction::ToRuntime] {
            if let Some((0, FaultKind::Cut)) = self.left(direction) {
                self.io = None;
            }
        }
    }
}

impl AsyncRead for FaultyIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.cut_if_due();
        std::task::ready!(this.poll_pause(Direction::ToRuntime, cx));
        let left = this.left(Direction::ToRuntime);
        let Some(io) = &mut this.io else { return Poll::Ready(Ok(())) };
        let bytes_max = match left {
            Some((0, _)) => return Poll::Pending,
            Some((left, _)) => left.min(buffer.remaining()),
            None => buffer.remaining(),
        };
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(bytes_max));
        std::task::ready!(Pin::new(io).poll_read(cx, &mut part))?;
        let bytes = part.filled().len();
        buffer.advance(bytes);
        this.counted.of(Direction::ToRuntime).fetch_add(bytes, Ordering::Relaxed);
        this.cut_if_due();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for FaultyIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        this.cut_if_due();
        std::task::ready!(this.poll_pause(Direction::ToPlugin, cx));
        let left = this.left(Direction::ToPlugin);
        let Some(io) = &mut this.io else { return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())) };
        let bytes_max = match left {
            Some((0, _)) => return Poll::Pending,
            Some((left, _)) => left.min(bytes.len()),
            None => bytes.len(),
        };
        let written = std::task::ready!(Pin::new(io).poll_write(cx, &bytes[..bytes_max]))?;
        this.counted.of(Direction::ToPlugin).fetch_add(written, Ordering::Relaxed);
        this.cut_if_due();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Some(io) => Pin::new(io).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Some(io) => Pin::new(io).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}
