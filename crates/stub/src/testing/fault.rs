//! A connection that is cut, or goes silent, after a number of bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
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

/// Both directions of a connection.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// The runtime's end of a connection that may have a fault.
pub(super) struct FaultyIo {
    io: Option<Box<dyn Io>>,
    fault: Option<Fault>,
    /// Until when a pause lasts that has begun.
    pause: Option<Pin<Box<Sleep>>>,
    counted: Arc<Counted>,
    /// Whoever waits for each direction: a cut has to be told, since nothing is left that would.
    waiting: [Option<Waker>; 2],
    /// Says by its count how many connections are open.
    _open: Arc<()>,
}

impl FaultyIo {
    pub(super) fn new(io: impl Io + 'static, fault: Option<Fault>, counted: Arc<Counted>, open: Arc<()>) -> Self {
        Self { io: Some(Box::new(io)), fault, pause: None, counted, waiting: [None, None], _open: open }
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
                self.waiting.iter_mut().filter_map(Option::take).for_each(Waker::wake);
            }
        }
    }

    /// Notes who waits for a direction.
    fn wait(&mut self, direction: Direction, cx: &Context<'_>) {
        self.waiting[usize::from(direction == Direction::ToPlugin)] = Some(cx.waker().clone());
    }
}

impl AsyncRead for FaultyIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.cut_if_due();
        this.wait(Direction::ToRuntime, cx);
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
        this.wait(Direction::ToPlugin, cx);
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

#[cfg(test)]
mod tests {
    use landfall_lifecycle::TaskSet;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
    use tokio::task::yield_now;
    use tokio::time::timeout;

    use super::*;

    /// On the paused clock it passes only if nobody is woken.
    const LIMIT: Duration = Duration::from_secs(60);

    fn cut_after_four_bytes(io: impl Io + 'static, direction: Direction) -> FaultyIo {
        let fault = Fault { kind: FaultKind::Cut, direction, after_bytes: 4 };
        FaultyIo::new(io, Some(fault), Arc::default(), Arc::default())
    }

    /// Whoever waits for bytes, while others go the other way and bring about the cut, hears of it by nothing else.
    #[tokio::test(start_paused = true)]
    async fn a_cut_wakes_who_reads_the_other_direction() {
        let (ours, _theirs) = duplex(16);
        let (mut read, mut write) = split(cut_after_four_bytes(ours, Direction::ToPlugin));
        let tasks = TaskSet::new("other direction");
        let reads = tasks.spawn_with_handle("read", async move { read.read(&mut [0; 16]).await });
        yield_now().await;
        write.write_all(b"four").await.expect("all of it gets through");
        let bytes = timeout(LIMIT, reads.expect("it is open")).await.expect("it hears of the cut");
        assert_eq!(bytes.expect("no panic").expect("an end"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cut_wakes_who_writes_the_other_direction() {
        let (ours, mut theirs) = duplex(16);
        let (mut read, mut write) = split(cut_after_four_bytes(ours, Direction::ToRuntime));
        let tasks = TaskSet::new("other direction");
        let writes = tasks.spawn_with_handle("write", async move { write.write_all(&[0; 32]).await });
        yield_now().await;
        theirs.write_all(b"four").await.expect("there is room");
        assert_eq!(read.read(&mut [0; 16]).await.expect("all of it gets through"), 4);
        let written = timeout(LIMIT, writes.expect("it is open")).await.expect("it hears of the cut");
        let error = written.expect("no panic").expect_err("it was cut");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
