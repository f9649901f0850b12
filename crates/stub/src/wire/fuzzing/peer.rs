//! The runtime's end of a connection, as the input of a fuzz target plays it.

use std::collections::VecDeque;
use std::time::Duration;

use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;

use super::super::budget::Budget;
use super::super::decode::{Decoder, Incoming};
use super::super::envelope::{Code, RequestBody, ResponseBody, Status};
use super::super::frame::{self, Channel, FrameHead, Head, Kind};

/// A plugin that has something to write has written it by then, and one that may read has read.
const SOON: Duration = Duration::from_millis(1);
/// A plugin reads whatever comes: on the paused clock this passes only if it does not.
const READS_WITHIN: Duration = Duration::from_secs(3600);

/// The runtime's end of one connection. What it reads has to be sound; what it writes need not be.
pub(crate) struct Peer {
    /// Nothing once one of the two has closed it.
    io: Option<DuplexStream>,
    decoder: Decoder,
    /// The plugin's calls that have no answer.
    calls: VecDeque<u32>,
    /// The plugin's last call.
    last_call: u32,
    /// The id of the next request.
    next: u32,
}

impl Peer {
    pub(crate) fn new(io: DuplexStream) -> Self {
        let decoder = Decoder::new(Budget::new(usize::MAX));
        Self { io: Some(io), decoder, calls: VecDeque::new(), last_call: 0, next: 1 }
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let Some(io) = &mut self.io else { return };
        let sent = timeout(READS_WITHIN, io.write_all(bytes)).await.expect("the plugin does not read");
        if sent.is_err() {
            self.io = None;
        }
    }

    /// Sends a frame that says it has `announced` bytes.
    pub(crate) async fn send_frame(&mut self, connection: u32, announced: usize, payload: &[u8]) {
        let head = FrameHead { connection, bytes: announced }.encode();
        self.send(&[&head, payload].concat()).await;
    }

    /// Calls the plugin; it has `limit` to answer, if that is not zero.
    pub(crate) async fn call(&mut self, service: &str, method: &str, payload: &[u8], limit: Duration) {
        let body = RequestBody {
            service: service.to_owned(),
            method: method.to_owned(),
            payload: payload.to_vec().into(),
            timeout_nanos: limit.as_nanos() as i64,
            metadata: Vec::new(),
        };
        let stream = self.next;
        self.next = self.next.wrapping_add(2);
        self.send_message(Channel::Plugin, Kind::Request, stream, &body.encode_to_vec()).await;
    }

    /// Answers the oldest call of the plugin that has no answer.
    pub(crate) async fn answer(&mut self, result: Result<Vec<u8>, Code>) {
        self.read().await;
        let Some(stream) = self.calls.pop_front() else { return };
        let body = ResponseBody::of(result.map_err(|code| Status::new(code, "as the input says")));
        self.send_message(Channel::Runtime, Kind::Response, stream, &body.encode_to_vec()).await;
    }

    async fn send_message(&mut self, channel: Channel, kind: Kind, stream: u32, body: &[u8]) {
        let mut wire = Vec::new();
        let rest = frame::append(&mut wire, channel, Head { bytes: body.len(), stream, kind }, body);
        self.send(&[&wire, rest].concat()).await;
    }

    /// Reads what the plugin has written. False once the plugin has closed the connection.
    ///
    /// # Panics
    ///
    /// If what it wrote is not sound: no messages of NRI, requests of ids that do not increase, an answer that cannot be
    /// read or says that a handler panicked.
    pub(crate) async fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        loop {
            let Some(io) = &mut self.io else { return false };
            match timeout(SOON, io.read(&mut buffer)).await {
                Err(_) => return true,
                Ok(Ok(0) | Err(_)) => self.io = None,
                Ok(Ok(bytes)) => {
                    let mut messages = Vec::new();
                    let mut sink = |message| {
                        messages.push(message);
                        Ok(())
                    };
                    self.decoder.push(&buffer[..bytes], &mut sink).expect("the plugin writes messages of NRI");
                    messages.into_iter().for_each(|message| self.take(message));
                }
            }
        }
    }

    fn take(&mut self, message: Incoming) {
        let Incoming { channel, kind, stream, body } = message;
        let body = body.expect("there is no cap here").bytes;
        match (channel, kind) {
            (Channel::Plugin, Kind::Response) => {
                let answer = ResponseBody::decode(body).expect("the plugin's answers can be read");
                let refused = answer.into_result().err();
                assert!(refused.as_ref().is_none_or(|it| it.code != Code::INTERNAL), "{refused:?}");
            }
            (Channel::Runtime, Kind::Request) => {
                RequestBody::decode(body).expect("the plugin's requests can be read");
                assert!(stream % 2 == 1 && stream > self.last_call, "{stream} after {}", self.last_call);
                self.last_call = stream;
                self.calls.push_back(stream);
            }
            (channel, kind) => panic!("a plugin sends no {kind:?} on {channel:?}"),
        }
    }
}
