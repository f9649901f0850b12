//! The wire of one connection: its reader, its writer, and what both share.

use std::io;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use landfall_lifecycle::{SpawnError, TaskSet};
use prost::Message;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::budget::Budget;
use super::calls::{CallError, Calls, Method};
use super::connection::Connection;
use super::decode::{Decoder, Incoming};
use super::frame::{self, Channel, Kind};
use super::loss::Loss;
use super::outbox::{Outbox, Taken};
use super::server::{Running, Server, Service};
#[cfg(landfall_faults)]
use crate::faults::{Fault, forgotten, is_armed};

/// How much the reader takes at once, and about how much the writer gathers before it writes.
pub(super) const CHUNK_BYTES: usize = 64 << 10;

/// What one connection may hold, and for how long it may stall.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) calls_max: usize,
    pub(crate) handlers_max: usize,
    pub(crate) received_bytes_max: usize,
    pub(crate) decoded_bytes_max: usize,
    pub(crate) write_timeout: Duration,
}

/// Which end of NRI's connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Serves connection 1, calls on connection 2.
    Plugin,
    /// The other way round.
    #[cfg(any(test, feature = "testing"))]
    Runtime,
}

/// The wire of one connection. Its two tasks are the wire's set's, its handlers those of another.
#[derive(Clone)]
pub(crate) struct Wire(Arc<Shared>);

/// A reference to a wire that does not keep it, for what its own service holds.
#[cfg(feature = "testing")]
pub(crate) struct WeakWire(std::sync::Weak<Shared>);

#[cfg(feature = "testing")]
impl WeakWire {
    pub(crate) fn upgrade(&self) -> Option<Wire> {
        self.0.upgrade().map(Wire)
    }
}

struct Shared {
    calls: Calls,
    server: Server,
    outbox: Arc<Outbox>,
    /// The first cause of the loss; the token is cancelled after it is set.
    loss: OnceLock<Loss>,
    down: CancellationToken,
}

impl Wire {
    /// Starts to read and to write.
    ///
    /// # Errors
    ///
    /// If `tasks` takes no tasks any more; the connection is dropped then.
    pub(crate) fn open(
        tasks: &TaskSet,
        handlers: &TaskSet,
        connection: Connection,
        role: Role,
        service: Arc<dyn Service>,
        limits: &Limits,
    ) -> Result<Self, SpawnError> {
        let (serves, calls) = match role {
            Role::Plugin => (Channel::Plugin, Channel::Runtime),
            #[cfg(any(test, feature = "testing"))]
            Role::Runtime => (Channel::Runtime, Channel::Plugin),
        };
        let outbox = Arc::<Outbox>::default();
        let shared = Arc::new(Shared {
            calls: Calls::new(calls, Arc::clone(&outbox), limits.calls_max),
            server: Server::new(serves, Arc::clone(&outbox), handlers.clone(), service, limits),
            outbox,
            loss: OnceLock::new(),
            down: CancellationToken::new(),
        });
        let wire = Self(shared);
        let (writer, reader) = (Ender::of(&wire), Ender::of(&wire));
        let Connection { read, write } = connection;
        let decoder = Decoder::new(Budget::new(limits.received_bytes_max));
        let write_timeout = limits.write_timeout;
        let writes = async move { writer.end(writer.wire.write_all(write, write_timeout).await) };
        #[cfg(landfall_faults)]
        if is_armed(Fault::ForgetWriter) && role == Role::Plugin {
            forgotten().spawn("writer", async { (writes.await, std::future::pending::<()>().await).0 })?;
            tasks.spawn("reader", async move { reader.end(reader.wire.read_all(read, decoder).await) })?;
            return Ok(wire);
        }
        tasks.spawn("writer", writes)?;
        tasks.spawn("reader", async move { reader.end(reader.wire.read_all(read, decoder).await) })?;
        Ok(wire)
    }

    #[cfg(feature = "testing")]
    pub(crate) fn downgrade(&self) -> WeakWire {
        WeakWire(Arc::downgrade(&self.0))
    }

    /// Calls a method of the peer.
    ///
    /// # Cancel safety
    ///
    /// Dropping it forgets the answer; the request is written whole.
    pub(crate) async fn call(
        &self,
        method: &Method,
        argument: &impl Message,
        limit: Duration,
    ) -> Result<Bytes, CallError> {
        let result = self.0.calls.call(method, argument, limit).await;
        if let Err(CallError::Lost(loss @ Loss::IdsUsedUp)) = &result {
            // A connection that can make no call any more is of no use; the next one begins with new ids.
            self.end(Some(loss.clone()));
        }
        result
    }

    /// The handlers that run.
    pub(crate) fn running(&self) -> &Arc<Running> {
        self.0.server.running()
    }

    /// Waits until the connection is lost, and says why. A wire that was closed here is not lost, but its calls fail.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping it forgets the wait and nothing else.
    pub(crate) async fn lost(&self) -> Loss {
        self.0.down.cancelled().await;
        self.0.loss.get().cloned().unwrap_or(Loss::Closed)
    }

    /// Takes no more of our messages; those that are queued are written, then the socket's writing end is closed.
    pub(crate) fn close(&self) {
        self.0.outbox.close();
    }

    #[cfg(test)]
    pub(super) fn calls_begin_at(&self, next: u32) {
        self.0.calls.begin_at(next);
    }

    #[cfg(test)]
    pub(super) fn pending_calls(&self) -> usize {
        self.0.calls.pending()
    }

    fn take(&self, message: Incoming) -> Result<(), Loss> {
        let serves = self.0.server.channel();
        if message.channel == serves {
            return self.0.server.take(message);
        }
        match message.kind {
            Kind::Response => self.0.calls.answer(message.stream, message.body.map(|body| body.bytes)),
            // Nobody serves here, and streams are not spoken.
            Kind::Request | Kind::Data | Kind::Unknown(_) => {}
        }
        Ok(())
    }

    /// Ends the wire; without a loss because it was closed here. The first cause stays.
    fn end(&self, loss: Option<Loss>) {
        let error = match loss {
            Some(loss) => CallError::Lost(self.0.loss.get_or_init(|| loss).clone()),
            None => CallError::Closing,
        };
        // The calls first: one that finds the outbox gone would not know why.
        self.0.calls.fail(&error);
        self.0.outbox.abandon();
        self.0.down.cancel();
    }

    /// Reads until the wire ends; says why, or nothing if it has ended otherwise.
    async fn read_all(&self, mut read: impl AsyncRead + Unpin, mut decoder: Decoder) -> Option<Loss> {
        let mut down = pin!(self.0.down.cancelled());
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let next = async {
                match decoder.room() {
                    // Most of a long message: it is copied out of the socket, and not once more.
                    Some(mut body) => read.read_buf(&mut body).await.map(|bytes| (bytes, true)),
                    None => read.read(&mut buffer).await.map(|bytes| (bytes, false)),
                }
            };
            let (bytes, is_of_body) = tokio::select! {
                // The end first: a flood must not hide it.
                biased;
                () = &mut down => return None,
                result = next => match result {
                    Ok((0, _)) => return Some(decoder.end()),
                    Ok(read) => read,
                    Err(error) => return Some(error.into()),
                },
            };
            let mut sink = |message| self.take(message);
            let taken = match is_of_body {
                true => decoder.filled(bytes, &mut sink),
                false => decoder.push(&buffer[..bytes], &mut sink),
            };
            if let Err(loss) = taken {
                return Some(loss);
            }
            // A peer that never pauses must not keep this task from being aborted.
            tokio::task::coop::consume_budget().await;
        }
    }

    /// Writes what comes until the wire is closed or ends; says what went wrong.
    async fn write_all(&self, mut write: impl AsyncWrite + Unpin, write_timeout: Duration) -> Option<Loss> {
        let outbox = &self.0.outbox;
        let mut down = pin!(self.0.down.cancelled());
        let mut scratch = Vec::with_capacity(frame::FIRST_FRAME_BYTES_MAX);
        while let Some(first) = outbox.next().await {
            let written = write_batch(&mut write, outbox, &mut scratch, first, write_timeout);
            tokio::select! {
                // The end first. It cuts a frame in two, on a connection that nobody uses any more.
                biased;
                () = &mut down => return None,
                result = written => if let Err(loss) = result {
                    return Some(loss);
                },
            }
        }
        // Best effort: the peer sees the end all the same when both halves are dropped.
        drop(timeout(write_timeout, write.shutdown()).await);
        None
    }
}

/// Ends the wire when one of its two tasks goes, however it goes.
struct Ender {
    wire: Wire,
}

impl Ender {
    fn of(wire: &Wire) -> Self {
        Self { wire: wire.clone() }
    }

    fn end(&self, loss: Option<Loss>) {
        self.wire.end(loss);
    }
}

/// A task that was dropped did not say why; after [`Ender::end`] this changes nothing.
impl Drop for Ender {
    fn drop(&mut self) {
        if !self.wire.0.down.is_cancelled() {
            self.wire.end(Some(Loss::TaskGone));
        }
    }
}

/// Writes `first` and what has been queued behind it. Small messages share a write; the rest of a long one has its own.
async fn write_batch(
    write: &mut (impl AsyncWrite + Unpin),
    outbox: &Outbox,
    scratch: &mut Vec<u8>,
    first: Taken,
    write_timeout: Duration,
) -> Result<(), Loss> {
    let mut next = Some(first);
    scratch.clear();
    // Kept until they are written: with them go the slots of requests.
    let mut batch = Vec::new();
    while let Some(taken) = next {
        let (channel, head) = taken.head();
        let rest = frame::append(scratch, channel, head, taken.body());
        if !rest.is_empty() {
            write_in_time(write, scratch, write_timeout).await?;
            write_in_time(write, rest, write_timeout).await?;
            scratch.clear();
            break;
        }
        batch.push(taken);
        next = if scratch.len() < CHUNK_BYTES { outbox.try_next() } else { None };
    }
    write_in_time(write, scratch, write_timeout).await?;
    in_time(write_timeout, write.flush()).await
}

/// Writes all of `bytes`. A peer may read as slowly as it likes, but has to read something again and again.
async fn write_in_time(
    write: &mut (impl AsyncWrite + Unpin),
    mut bytes: &[u8],
    write_timeout: Duration,
) -> Result<(), Loss> {
    while !bytes.is_empty() {
        match in_time(write_timeout, write.write(bytes)).await? {
            0 => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
            written => bytes = &bytes[written..],
        }
    }
    Ok(())
}

async fn in_time<T>(write_timeout: Duration, doing: impl Future<Output = io::Result<T>>) -> Result<T, Loss> {
    match timeout(write_timeout, doing).await {
        Ok(result) => result.map_err(Loss::from),
        Err(_) => Err(Loss::Stalled { after: write_timeout }),
    }
}
