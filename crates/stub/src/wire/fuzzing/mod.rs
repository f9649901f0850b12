//! What fuzz targets do with the wire: any bytes through the decoder, and a peer that sends what it likes.

mod peer;
mod slow;

pub(crate) use self::peer::Peer;
use self::slow::Slow;
use super::budget::Budget;
use super::decode::{Decoder, Incoming};
use super::frame::{
    self, BODY_BYTES_MAX, Channel, FIRST_FRAME_BYTES_MAX, FRAME_BYTES_MAX, FRAME_HEAD_BYTES, FrameHead, HEAD_BYTES,
    Head, Kind,
};
use super::loss::Loss;

/// The cap on what is held: small, so that short inputs pass it.
const HELD_BYTES_MAX: usize = 1000;

/// A message that came out of a stream; without its body where the cap was passed.
type Seen = (Channel, u8, u32, Option<Vec<u8>>);

/// Takes `data` for a stream of NRI's multiplexer: however it is split, the decoder gives the messages that the slow one
/// gives, ends as that does, and holds nothing afterwards. The first byte says how the stream is split.
///
/// # Panics
///
/// If any of this is not so.
pub fn mux_frame(data: &[u8]) {
    let Some((split, stream)) = data.split_first() else { return };
    let expected = Slow::read(stream);
    for piece in [stream.len().max(1), 1, usize::from(*split) + 1] {
        let budget = Budget::new(HELD_BYTES_MAX);
        let seen = decoded(stream, piece, &budget);
        assert_eq!(seen, expected, "in pieces of {piece} bytes");
        assert_eq!(budget.used(), 0, "in pieces of {piece} bytes");
    }
}

/// Takes the first bytes of `data` for the two headers, and the others for the body of a message that is written and read
/// again. The first byte says how often the body is repeated, so that it takes two frames.
///
/// # Panics
///
/// If a header does not come back as it went, a length above the limit is accepted or one below it refused, or the message
/// that is read is not the one that was written.
pub fn ttrpc_header(data: &[u8]) {
    let Some((repeats, rest)) = data.split_first() else { return };
    let Some((frame, rest)) = rest.split_first_chunk::<FRAME_HEAD_BYTES>() else { return };
    let announced = announced(&frame[4..]);
    match FrameHead::parse(*frame) {
        Ok(head) => assert_eq!((head.encode(), head.bytes), (*frame, announced)),
        Err(loss) => assert!(matches!(loss, Loss::FrameTooLong { bytes, .. } if bytes as usize == announced)),
    }
    assert_eq!(FrameHead::parse(*frame).is_ok(), announced <= FRAME_BYTES_MAX, "a frame of {announced} bytes");

    let Some((raw, body)) = rest.split_first_chunk::<HEAD_BYTES>() else { return };
    let announced = self::announced(&raw[..4]);
    let parsed = Head::parse(*raw);
    assert_eq!(parsed.is_ok(), announced <= BODY_BYTES_MAX, "a message of {announced} bytes");
    let Ok(head) = parsed else { return };
    let [without_flags @ .., _] = raw;
    assert_eq!(head.encode()[..HEAD_BYTES - 1], *without_flags);

    let body = body.repeat(usize::from(*repeats) + 1);
    let head = Head { bytes: body.len(), ..head };
    let mut wire = Vec::new();
    let rest = frame::append(&mut wire, Channel::Plugin, head, &body);
    wire.extend_from_slice(rest);
    let first = self::announced(&wire[4..FRAME_HEAD_BYTES]);
    assert!(first <= FIRST_FRAME_BYTES_MAX, "a frame that begins a message has {first} bytes");
    let (seen, loss) = decoded(&wire, wire.len(), &Budget::new(usize::MAX));
    assert_eq!((seen, loss), (vec![(Channel::Plugin, raw[8], head.stream, Some(body))], Loss::Closed));
}

/// The length in four bytes of a header.
fn announced(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

/// What the decoder makes of a stream in pieces of `piece` bytes, every second of which is read into a body where it can be.
fn decoded(stream: &[u8], piece: usize, budget: &Budget) -> (Vec<Seen>, Loss) {
    let (mut decoder, mut seen) = (Decoder::new(budget.clone()), Vec::new());
    let mut sink = |message: Incoming| {
        let Incoming { channel, kind, stream, body } = message;
        seen.push((channel, number_of(kind), stream, body.map(|body| body.bytes.to_vec())));
        Ok(())
    };
    let loss = stream.chunks(piece).enumerate().find_map(|(nth, piece)| {
        let taken = if nth % 2 == 0 { decoder.push(piece, &mut sink) } else { decoder.push_as_read(piece, &mut sink) };
        taken.err()
    });
    let loss = loss.unwrap_or_else(|| decoder.end());
    (seen, loss)
}

const fn number_of(kind: Kind) -> u8 {
    match kind {
        Kind::Request => 1,
        Kind::Response => 2,
        Kind::Data => 3,
        Kind::Unknown(other) => other,
    }
}
