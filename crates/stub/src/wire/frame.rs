//! The two headers: of a frame of NRI's multiplexer, and of a ttrpc message.

use super::loss::Loss;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};

/// Bytes of a multiplexer's header: connection id and length, both u32 and big-endian.
pub(super) const FRAME_HEAD_BYTES: usize = 8;
/// Bytes of a ttrpc header: length and stream id as u32, big-endian, then type and flags.
pub(super) const HEAD_BYTES: usize = 10;
/// The longest body of a ttrpc message.
pub(crate) const BODY_BYTES_MAX: usize = 4 << 20;
/// The longest payload of a frame: the longest message in one piece.
pub(super) const FRAME_BYTES_MAX: usize = BODY_BYTES_MAX + HEAD_BYTES;
/// The longest payload of a frame that begins a message: the Go side reads through a buffer of this size, and hangs
/// when a frame does not fit (NRI: pkg/net/multiplex, `ENOMEM`).
pub(super) const FIRST_FRAME_BYTES_MAX: usize = 4096;

/// The logical connections that NRI opens over one socket. Frames of all others are read and dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Channel {
    /// Connection 1: the runtime calls the plugin.
    Plugin,
    /// Connection 2: the plugin calls the runtime.
    Runtime,
}

impl Channel {
    pub(super) const fn id(self) -> u32 {
        match self {
            Self::Plugin => 1,
            Self::Runtime => 2,
        }
    }

    pub(super) const fn of(id: u32) -> Option<Self> {
        match id {
            1 => Some(Self::Plugin),
            2 => Some(Self::Runtime),
            _ => None,
        }
    }
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHead {
    pub(super) connection: u32,
    pub(super) bytes: usize,
}

impl FrameHead {
    pub(super) fn parse(raw: [u8; FRAME_HEAD_BYTES]) -> Result<Self, Loss> {
        let [a, b, c, d, e, f, g, h] = raw;
        let announced = u32::from_be_bytes([e, f, g, h]);
        let bytes = fit(announced, FRAME_BYTES_MAX)
            .ok_or(Loss::FrameTooLong { bytes: announced, bytes_max: FRAME_BYTES_MAX })?;
        Ok(Self { connection: u32::from_be_bytes([a, b, c, d]), bytes })
    }

    /// # Panics
    ///
    /// If the frame is longer than frames may be: the writer splits what is.
    pub(super) fn encode(self) -> [u8; FRAME_HEAD_BYTES] {
        assert!(self.bytes <= FRAME_BYTES_MAX, "a frame of {} bytes was about to be written", self.bytes);
        let mut raw = [0; FRAME_HEAD_BYTES];
        raw[..4].copy_from_slice(&self.connection.to_be_bytes());
        raw[4..].copy_from_slice(&(self.bytes as u32).to_be_bytes());
        raw
    }
}

/// What a ttrpc message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Request,
    Response,
    Data,
    /// Of a later version of ttrpc: read, and ignored.
    Unknown(u8),
}

impl Kind {
    const fn of(raw: u8) -> Self {
        match raw {
            1 => Self::Request,
            2 => Self::Response,
            3 => Self::Data,
            other => Self::Unknown(other),
        }
    }

    const fn raw(self) -> u8 {
        match self {
            Self::Request => 1,
            Self::Response => 2,
            Self::Data => 3,
            Self::Unknown(other) => other,
        }
    }
}

/// The header of a ttrpc message. Flags matter to streams only, and NRI has none: they are not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) bytes: usize,
    pub(super) stream: u32,
    pub(super) kind: Kind,
}

impl Head {
    pub(super) fn parse(raw: [u8; HEAD_BYTES]) -> Result<Self, Loss> {
        let [a, b, c, d, e, f, g, h, kind, _flags] = raw;
        let announced = u32::from_be_bytes([a, b, c, d]);
        let bytes = fit(announced, BODY_BYTES_MAX)
            .ok_or(Loss::MessageTooLong { bytes: announced, bytes_max: BODY_BYTES_MAX })?;
        Ok(Self { bytes, stream: u32::from_be_bytes([e, f, g, h]), kind: Kind::of(kind) })
    }

    /// # Panics
    ///
    /// If the body is longer than bodies may be: that is refused before a message is queued.
    pub(super) fn encode(self) -> [u8; HEAD_BYTES] {
        assert!(self.bytes <= BODY_BYTES_MAX, "a message of {} bytes was about to be written", self.bytes);
        let mut raw = [0; HEAD_BYTES];
        raw[..4].copy_from_slice(&(self.bytes as u32).to_be_bytes());
        raw[4..8].copy_from_slice(&self.stream.to_be_bytes());
        raw[8] = self.kind.raw();
        raw
    }
}

/// The announced length, unless it is above the limit.
fn fit(announced: u32, bytes_max: usize) -> Option<usize> {
    #[cfg(landfall_faults)]
    if is_armed(Fault::BelieveLength) {
        return Some(announced as usize);
    }
    usize::try_from(announced).ok().filter(|bytes| *bytes <= bytes_max)
}

/// Appends the frames of a message to `scratch`, all of it or all but the end of a long body, which the caller writes
/// after it. One message takes one frame, or two if it does not fit into the first.
pub(super) fn append<'a>(scratch: &mut Vec<u8>, channel: Channel, head: Head, body: &'a [u8]) -> &'a [u8] {
    let connection = channel.id();
    let total = HEAD_BYTES + body.len();
    let first = total.min(FIRST_FRAME_BYTES_MAX);
    let (start, rest) = body.split_at(first - HEAD_BYTES);
    scratch.extend_from_slice(&FrameHead { connection, bytes: first }.encode());
    scratch.extend_from_slice(&head.encode());
    scratch.extend_from_slice(start);
    if !rest.is_empty() {
        scratch.extend_from_slice(&FrameHead { connection, bytes: rest.len() }.encode());
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn framed(body_bytes: usize, frames: &[usize]) {
        let body = vec![7; body_bytes];
        let head = Head { bytes: body_bytes, stream: 3, kind: Kind::Request };
        let mut wire = Vec::new();
        let rest = append(&mut wire, Channel::Runtime, head, &body);
        wire.extend_from_slice(rest);
        let mut seen = Vec::new();
        while !wire.is_empty() {
            let head: [u8; FRAME_HEAD_BYTES] = wire[..FRAME_HEAD_BYTES].try_into().expect("eight bytes");
            let head = FrameHead::parse(head).expect("a frame");
            assert_eq!(head.connection, 2);
            seen.push(head.bytes);
            wire.drain(..FRAME_HEAD_BYTES + head.bytes);
        }
        assert_eq!(seen, frames, "body of {body_bytes} bytes");
    }

    #[test]
    fn the_frame_that_begins_a_message_is_at_most_4096_bytes() {
        framed(0, &[10]);
        framed(1, &[11]);
        framed(4085, &[4095]);
        framed(4086, &[4096]);
        framed(4087, &[4096, 1]);
        framed(100_000, &[4096, 95_914]);
        framed(BODY_BYTES_MAX, &[4096, BODY_BYTES_MAX - 4086]);
    }

    #[test]
    fn a_length_above_the_limit_is_no_header() {
        let frame = |bytes: u32| {
            let mut raw = [0, 0, 0, 1, 0, 0, 0, 0];
            raw[4..].copy_from_slice(&bytes.to_be_bytes());
            FrameHead::parse(raw)
        };
        assert_eq!(frame(4_194_314).expect("the longest").bytes, 4_194_314);
        assert_eq!(frame(4_194_315), Err(Loss::FrameTooLong { bytes: 4_194_315, bytes_max: 4_194_314 }));
        assert_eq!(frame(u32::MAX), Err(Loss::FrameTooLong { bytes: u32::MAX, bytes_max: 4_194_314 }));
        let message = |bytes: u32| {
            let mut raw = [0, 0, 0, 0, 0, 0, 0, 1, 1, 0];
            raw[..4].copy_from_slice(&bytes.to_be_bytes());
            Head::parse(raw)
        };
        assert_eq!(message(4_194_304).expect("the longest").bytes, 4_194_304);
        assert_eq!(message(4_194_305), Err(Loss::MessageTooLong { bytes: 4_194_305, bytes_max: 4_194_304 }));
    }

    #[test]
    fn a_header_comes_back_as_it_went() {
        for kind in [Kind::Request, Kind::Response, Kind::Data, Kind::Unknown(9)] {
            let head = Head { bytes: 70_000, stream: 0x0102_0305, kind };
            assert_eq!(Head::parse(head.encode()), Ok(head));
        }
    }
}
