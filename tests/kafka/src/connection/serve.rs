//! A connection while it is up: requests go out in order, and their answers come in the same order.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::link::Call;
use super::{ConnectionError, Peer};
use crate::dial::Stream;
use crate::settings::Settings;
use crate::wire::{FrameError, correlate, next_frame};

/// Bytes that wait to be written before no further request is taken.
const OUTBOX_BYTES_MAX: usize = 1024 * 1024;

pub(super) struct Connection {
    peer: Peer,
    from: ReadHalf<Box<dyn Stream>>,
    to: WriteHalf<Box<dyn Stream>>,
    calls: mpsc::Receiver<Call>,
    inbox: BytesMut,
    outbox: BytesMut,
    asked: VecDeque<Asked>,
    next: i32,
    requests_max: usize,
    frame_bytes_max: usize,
    request_timeout: Duration,
}

/// A request without its answer.
struct Asked {
    id: i32,
    api: &'static str,
    deadline: Instant,
    answer: oneshot::Sender<Bytes>,
}

enum Event {
    Stop,
    Call(Call),
    Read(io::Result<usize>),
    Wrote(io::Result<usize>),
    Unanswered,
    /// Nothing more is to be done.
    Over,
}

impl Connection {
    pub(super) fn new(peer: &Peer, stream: Box<dyn Stream>, calls: mpsc::Receiver<Call>, settings: &Settings) -> Self {
        let (from, to) = split(stream);
        Self {
            peer: peer.clone(),
            from,
            to,
            calls,
            inbox: BytesMut::new(),
            outbox: BytesMut::new(),
            asked: VecDeque::new(),
            next: 0,
            requests_max: settings.requests_max,
            frame_bytes_max: settings.frame_bytes_max,
            request_timeout: settings.request_timeout,
        }
    }

    /// Serves until it is stopped and all is answered, or until the connection is lost. Dropping it loses nothing: it
    /// may be called again.
    pub(super) async fn serve(&mut self, stop: &CancellationToken) -> Result<(), ConnectionError> {
        loop {
            match self.next_event(stop).await {
                Event::Stop => self.calls.close(),
                Event::Call(call) => self.ask(call),
                Event::Read(Ok(0)) => return Err(ConnectionError::Closed { peer: self.peer.clone() }),
                Event::Read(Ok(_)) => self.take_answers()?,
                Event::Wrote(Ok(_)) => {}
                Event::Read(Err(source)) | Event::Wrote(Err(source)) => {
                    return Err(ConnectionError::Io { peer: self.peer.clone(), source });
                }
                Event::Unanswered => {
                    let api = self.asked.front().map_or("nothing", |asked| asked.api);
                    let limit = self.request_timeout;
                    return Err(ConnectionError::Unanswered { peer: self.peer.clone(), api, limit });
                }
                Event::Over => return Ok(()),
            }
        }
    }

    async fn next_event(&mut self, stop: &CancellationToken) -> Event {
        let is_closed = self.calls.is_closed();
        // Who waits for records may have gone: an answer that is for nobody is not waited for.
        if is_closed && self.calls.is_empty() && self.asked.iter().all(|asked| asked.answer.is_closed()) {
            return Event::Over;
        }
        let has_room = self.asked.len() < self.requests_max && self.outbox.len() < OUTBOX_BYTES_MAX;
        let deadline = self.asked.front().map(|asked| asked.deadline);
        let is_overdue = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => pending().await,
            }
        };
        tokio::select! {
            // Stop first: a flood of requests must not delay it. Answers before the deadline: one that is there is one.
            biased;
            () = stop.cancelled(), if !is_closed => Event::Stop,
            read = self.from.read_buf(&mut self.inbox) => Event::Read(read),
            () = is_overdue => Event::Unanswered,
            wrote = self.to.write_buf(&mut self.outbox), if !self.outbox.is_empty() => Event::Wrote(wrote),
            Some(call) = self.calls.recv(), if has_room => Event::Call(call),
        }
    }

    fn ask(&mut self, mut call: Call) {
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        correlate(&mut call.frame, id);
        self.outbox.extend_from_slice(&call.frame);
        let deadline = Instant::now() + self.request_timeout;
        self.asked.push_back(Asked { id, api: call.api, deadline, answer: call.answer });
    }

    fn take_answers(&mut self) -> Result<(), ConnectionError> {
        let error = |source| ConnectionError::Frame { peer: self.peer.clone(), source };
        while let Some((came, frame)) = next_frame(&mut self.inbox, self.frame_bytes_max).map_err(error)? {
            let Some(asked) = self.asked.pop_front() else { return Err(error(FrameError::Unasked { came })) };
            if asked.id != came {
                return Err(error(FrameError::Order { came, wanted: asked.id }));
            }
            // Who asked may have gone.
            drop(asked.answer.send(frame));
        }
        Ok(())
    }
}
