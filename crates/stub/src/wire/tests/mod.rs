//! The wire against a peer that the test plays, and against itself.

mod calls;
mod hostile;
mod splits;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
use prost::Message;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::sync::Semaphore;
use tokio_util::sync::PollSemaphore;

use super::calls::Method;
use super::envelope::{RequestBody, ResponseBody};
use super::frame::{self, FRAME_HEAD_BYTES, FrameHead, HEAD_BYTES, Head, Kind};
use super::{Channel, Code, Connection, Limits, Request, Role, Service, Status, Wire};
use crate::messages::Malformed;

const LIMITS: Limits = Limits {
    calls_max: 64,
    handlers_max: 64,
    received_bytes_max: 16 << 20,
    decoded_bytes_max: 64 << 20,
    write_timeout: Duration::from_secs(10),
};
const SERVICE: &str = "test";
/// Above every timeout in these tests: reached on the paused clock when something hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Answers by the name of the method.
struct Scripted;

impl Service for Scripted {
    fn call(self: Arc<Self>, request: Request) -> BoxFuture<'static, Result<Vec<u8>, Status>> {
        async move {
            match request.method.as_str() {
                "echo" => Ok(request.payload.to_vec()),
                "metadata" => Ok(request.metadata.value("TraceParent").unwrap_or("none").into()),
                "wait" => {
                    request.token.cancelled().await;
                    Ok(b"cancelled".to_vec())
                }
                "panic" => panic!("as planned"),
                "long" => Ok(vec![0; frame::BODY_BYTES_MAX + 1]),
                _ => Err(Status::new(Code::UNIMPLEMENTED, "no such method")),
            }
        }
        .boxed()
    }

    fn weigh(&self, _: &str, argument: &[u8]) -> Result<usize, Malformed> {
        Ok(argument.len())
    }
}

/// A socket whose bytes are with the peer before the writer knows: each flush waits for a permit.
struct SlowToFlush {
    io: DuplexStream,
    permits: PollSemaphore,
}

impl SlowToFlush {
    fn new(io: DuplexStream, permits: &Arc<Semaphore>) -> Self {
        Self { io, permits: PollSemaphore::new(Arc::clone(permits)) }
    }
}

impl AsyncRead for SlowToFlush {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for SlowToFlush {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.permits.poll_acquire(cx)).expect("it is never closed").forget();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// A wire with its two sets.
struct End {
    handlers: TaskSet,
    tasks: TaskSet,
    wire: Wire,
}

impl End {
    fn open(connection: impl Into<Connection>, role: Role, limits: &Limits) -> Self {
        let (handlers, tasks) = (TaskSet::new("handlers"), TaskSet::new("wire"));
        let wire = Wire::open(&tasks, &handlers, connection.into(), role, Arc::new(Scripted), limits).expect("opened");
        Self { handlers, tasks, wire }
    }

    /// A plugin's end, and the socket of a peer that the test plays.
    fn facing_peer(limits: &Limits) -> (Self, DuplexStream) {
        let (ours, peer) = duplex(64 << 10);
        (Self::open(Connection::new(ours), Role::Plugin, limits), peer)
    }

    /// A plugin's and a runtime's end, connected.
    fn pair(limits: &Limits) -> (Self, Self) {
        let (ours, theirs) = duplex(64 << 10);
        let plugin = Self::open(Connection::new(ours), Role::Plugin, limits);
        (plugin, Self::open(Connection::new(theirs), Role::Runtime, limits))
    }

    /// Ends both sets, and looks whether anything was left.
    async fn end(self) {
        for set in [self.handlers, self.tasks] {
            assert_eq!(set.terminate(&Shutdown::now()).await.expect("not of the set").stragglers().count(), 0);
        }
    }
}

fn method(name: &'static str) -> Method {
    Method { service: SERVICE, name }
}

/// An argument whose encoding is its bytes.
fn raw(bytes: &[u8]) -> RawMessage {
    RawMessage { bytes: Bytes::copy_from_slice(bytes) }
}

/// A message with one field of bytes.
#[derive(Clone, PartialEq, Message)]
struct RawMessage {
    #[prost(bytes = "bytes", tag = "1")]
    bytes: Bytes,
}

/// A message in frames as the product writes them.
fn framed(channel: Channel, kind: Kind, stream: u32, body: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    let rest = frame::append(&mut wire, channel, Head { bytes: body.len(), stream, kind }, body);
    wire.extend_from_slice(rest);
    wire
}

fn request(method: &str, timeout_nanos: i64) -> Vec<u8> {
    let body = RequestBody { service: SERVICE.into(), method: method.into(), timeout_nanos, ..Default::default() };
    body.encode_to_vec()
}

/// Reads the next message of the wire, in as many frames as it takes.
async fn next_message(peer: &mut DuplexStream) -> (u32, Head, Vec<u8>) {
    let (connection, mut message) = next_frame(peer).await;
    assert!(message.len() <= 4096, "a frame that begins a message has {} bytes", message.len());
    let head: [u8; HEAD_BYTES] = message[..HEAD_BYTES].try_into().expect("a header in the first frame");
    let head = Head::parse(head).expect("a header");
    if message.len() < HEAD_BYTES + head.bytes {
        message.extend(next_frame(peer).await.1);
    }
    assert_eq!(message.len(), HEAD_BYTES + head.bytes, "the rest comes in one frame");
    (connection, head, message.split_off(HEAD_BYTES))
}

async fn next_frame(peer: &mut DuplexStream) -> (u32, Vec<u8>) {
    let mut head = [0; FRAME_HEAD_BYTES];
    peer.read_exact(&mut head).await.expect("a frame");
    let head = FrameHead::parse(head).expect("a frame");
    let mut payload = vec![0; head.bytes];
    peer.read_exact(&mut payload).await.expect("a payload");
    (head.connection, payload)
}

/// Reads the answer to a request of the test's.
async fn next_answer(peer: &mut DuplexStream) -> (u32, Result<Bytes, Status>) {
    let (connection, head, body) = next_message(peer).await;
    assert_eq!((connection, head.kind), (1, Kind::Response));
    (head.stream, ResponseBody::decode(&body[..]).expect("a response").into_result())
}

async fn send(peer: &mut DuplexStream, bytes: &[u8]) {
    peer.write_all(bytes).await.expect("the wire reads");
}

/// Sends a request and reads its answer.
async fn ask(peer: &mut DuplexStream, stream: u32, name: &str) -> Result<Bytes, Status> {
    send(peer, &framed(Channel::Plugin, Kind::Request, stream, &request(name, 0))).await;
    let (answered, result) = next_answer(peer).await;
    assert_eq!(answered, stream);
    result
}

#[track_caller]
fn code_of(result: Result<Bytes, Status>) -> Code {
    result.expect_err("refused").code
}
