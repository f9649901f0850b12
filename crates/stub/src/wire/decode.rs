//! From bytes, however they are split, to messages.

use bytes::buf::Limit;
use bytes::{BufMut, Bytes};

use super::budget::{Budget, Held};
use super::frame::{Channel, FRAME_HEAD_BYTES, FrameHead, HEAD_BYTES, Head, Kind};
use super::loss::Loss;
use super::trunk::CHUNK_BYTES;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};

/// How many times as much as has come of a body there is room for.
const GROWTH: usize = 4;

/// Takes the socket's bytes, gives the messages in them.
///
/// It allocates for bytes that have come, at most [`GROWTH`] times as many and a chunk, never for a length that was
/// announced.
#[derive(Debug)]
pub(crate) struct Decoder {
    at: At,
    plugin: Assembler,
    runtime: Assembler,
    budget: Budget,
}

/// Where in the multiplexer's frames the stream is.
#[derive(Debug)]
enum At {
    Head(Partial<FRAME_HEAD_BYTES>),
    Payload { of: Option<Channel>, left: usize },
}

/// Where in the ttrpc messages of one logical connection its bytes are.
#[derive(Debug)]
enum Assembler {
    Head(Partial<HEAD_BYTES>),
    Body {
        head: Head,
        body: Vec<u8>,
        held: Held,
    },
    /// Its bytes do not fit under the cap: they are dropped as they come.
    Skipped {
        head: Head,
        left: usize,
    },
}

/// A header of which some bytes may be missing.
#[derive(Debug)]
struct Partial<const N: usize> {
    raw: [u8; N],
    have: usize,
}

/// A message that has come.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) channel: Channel,
    pub(crate) kind: Kind,
    pub(crate) stream: u32,
    /// None if it would have passed the cap on the bytes that are held.
    pub(crate) body: Option<Body>,
}

/// The bytes of a message, counted while it lives.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    pub(crate) held: Held,
}

impl Decoder {
    pub(crate) fn new(budget: Budget) -> Self {
        let (plugin, runtime) = (Assembler::new(), Assembler::new());
        Self { at: At::Head(Partial::new()), plugin, runtime, budget }
    }

    /// Takes the next bytes and gives each message that they complete to `sink`.
    pub(crate) fn push(
        &mut self,
        mut input: &[u8],
        sink: &mut impl FnMut(Incoming) -> Result<(), Loss>,
    ) -> Result<(), Loss> {
        while !input.is_empty() {
            match &mut self.at {
                At::Head(partial) => {
                    let Some(raw) = partial.take(&mut input) else { return Ok(()) };
                    let head = FrameHead::parse(raw)?;
                    self.at = match head.bytes {
                        // NRI: a frame without a payload is harmless.
                        0 => At::Head(Partial::new()),
                        left => At::Payload { of: Channel::of(head.connection), left },
                    };
                }
                At::Payload { of, left } => {
                    let (payload, others) = input.split_at(input.len().min(*left));
                    input = others;
                    let (of, left) = (*of, *left - payload.len());
                    self.pass(of, left, payload, sink)?;
                }
            }
        }
        Ok(())
    }

    /// Where the next bytes of the stream belong, if they are the body of a message that has begun: what is put there needs
    /// no copy, and is then told by [`filled`](Self::filled).
    pub(crate) fn room(&mut self) -> Option<Limit<&mut Vec<u8>>> {
        let At::Payload { of: Some(of), left } = self.at else { return None };
        let assembler = match of {
            Channel::Plugin => &mut self.plugin,
            Channel::Runtime => &mut self.runtime,
        };
        let Assembler::Body { head, body, .. } = assembler else { return None };
        let missing = left.min(head.bytes - body.len());
        if body.len() == body.capacity() {
            grow(body, missing.min(CHUNK_BYTES), head.bytes);
        }
        let room = missing.min(body.capacity() - body.len());
        Some(body.limit(room))
    }

    /// So many bytes were put where there was [`room`](Self::room); takes them as [`push`](Self::push) does.
    pub(crate) fn filled(
        &mut self,
        bytes: usize,
        sink: &mut impl FnMut(Incoming) -> Result<(), Loss>,
    ) -> Result<(), Loss> {
        let At::Payload { of, left } = self.at else { return Ok(()) };
        self.pass(of, left - bytes, &[], sink)
    }

    /// Goes on where `left` bytes of a frame are still to come after `payload`.
    fn pass(
        &mut self,
        of: Option<Channel>,
        left: usize,
        payload: &[u8],
        sink: &mut impl FnMut(Incoming) -> Result<(), Loss>,
    ) -> Result<(), Loss> {
        self.at = if left == 0 { At::Head(Partial::new()) } else { At::Payload { of, left } };
        match of {
            Some(Channel::Plugin) => self.plugin.push(payload, Channel::Plugin, &self.budget, sink),
            Some(Channel::Runtime) => self.runtime.push(payload, Channel::Runtime, &self.budget, sink),
            None => Ok(()),
        }
    }

    /// Takes the next bytes as the reader does: those that there is room for go there.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn push_as_read(
        &mut self,
        mut input: &[u8],
        sink: &mut impl FnMut(Incoming) -> Result<(), Loss>,
    ) -> Result<(), Loss> {
        while !input.is_empty() {
            let Some(mut room) = self.room() else { return self.push(input, sink) };
            let (payload, others) = input.split_at(input.len().min(room.remaining_mut()));
            room.put_slice(payload);
            self.filled(payload.len(), sink)?;
            input = others;
        }
        Ok(())
    }

    /// What the end of the stream means here.
    pub(crate) fn end(&self) -> Loss {
        let is_between = |assembler: &Assembler| matches!(assembler, Assembler::Head(partial) if partial.have == 0);
        let is_clean = matches!(&self.at, At::Head(partial) if partial.have == 0)
            && is_between(&self.plugin)
            && is_between(&self.runtime);
        if is_clean { Loss::Closed } else { Loss::CutShort }
    }
}

impl Assembler {
    fn new() -> Self {
        Self::Head(Partial::new())
    }

    fn push(
        &mut self,
        mut input: &[u8],
        channel: Channel,
        budget: &Budget,
        sink: &mut impl FnMut(Incoming) -> Result<(), Loss>,
    ) -> Result<(), Loss> {
        loop {
            // A body may be empty: it is complete before any of its bytes.
            match std::mem::replace(self, Self::new()) {
                Self::Head(mut partial) => {
                    let Some(raw) = partial.take(&mut input) else {
                        *self = Self::Head(partial);
                        return Ok(());
                    };
                    let head = Head::parse(raw)?;
                    *self = match budget.take(head.bytes) {
                        Some(held) => Self::Body { head, body: Vec::new(), held },
                        None => Self::Skipped { head, left: head.bytes },
                    };
                }
                Self::Body { head, mut body, held } => {
                    let (more, others) = input.split_at(input.len().min(head.bytes - body.len()));
                    input = others;
                    grow(&mut body, more.len(), head.bytes);
                    body.extend_from_slice(more);
                    if body.len() < head.bytes {
                        *self = Self::Body { head, body, held };
                        return Ok(());
                    }
                    let body = Some(Body { bytes: Bytes::from(body), held });
                    sink(Incoming { channel, kind: head.kind, stream: head.stream, body })?;
                }
                Self::Skipped { head, left } => {
                    let skipped = input.len().min(left);
                    input = &input[skipped..];
                    if skipped < left {
                        *self = Self::Skipped { head, left: left - skipped };
                        return Ok(());
                    }
                    sink(Incoming { channel, kind: head.kind, stream: head.stream, body: None })?;
                }
            }
        }
    }
}

/// Makes room for `more` bytes: by [`GROWTH`], so that copying stays cheap, but never beyond the whole message.
fn grow(body: &mut Vec<u8>, more: usize, total: usize) {
    let wanted = body.len() + more;
    if wanted > body.capacity() {
        let capacity = wanted.max(body.capacity().saturating_mul(GROWTH)).min(total);
        body.reserve_exact(capacity - body.len());
    }
}

impl<const N: usize> Partial<N> {
    fn new() -> Self {
        Self { raw: [0; N], have: 0 }
    }

    /// Takes bytes from `input` until the header is whole, and then gives it.
    fn take(&mut self, input: &mut &[u8]) -> Option<[u8; N]> {
        let (more, others) = input.split_at(input.len().min(N - self.have));
        self.raw[self.have..self.have + more.len()].copy_from_slice(more);
        self.have += more.len();
        *input = others;
        #[cfg(landfall_faults)]
        if is_armed(Fault::LoseSplit) && self.have < N {
            self.have = 0;
        }
        (self.have == N).then_some(self.raw)
    }
}
