//! However the stream is split, the same messages come out of it.

use bytes::BufMut;
use proptest::prelude::*;

use super::super::budget::Budget;
use super::super::decode::Decoder;
use super::super::frame::{self, Channel, FRAME_HEAD_BYTES, FrameHead, Head, Kind};
use super::super::loss::Loss;

type Seen = (Channel, u8, u32, Vec<u8>);

/// What a peer may send: a message in frames of some lengths, or a frame for nobody.
#[derive(Clone, Debug)]
enum Sent {
    Message { channel: Channel, kind: u8, stream: u32, body: Vec<u8>, frames: Vec<usize> },
    ForNobody { connection: u32, payload: Vec<u8> },
    EmptyFrame(u32),
}

fn sent() -> impl Strategy<Value = Sent> {
    let channel = prop_oneof![Just(Channel::Plugin), Just(Channel::Runtime)];
    let body = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..40),
        1 => prop::collection::vec(any::<u8>(), 4000..9000),
    ];
    let frames = prop::collection::vec(1usize..3000, 1..4);
    let message = (channel, 1u8..5, any::<u32>(), body, frames)
        .prop_map(|(channel, kind, stream, body, frames)| Sent::Message { channel, kind, stream, body, frames });
    let nobody = (prop_oneof![Just(0u32), 3..u32::MAX], prop::collection::vec(any::<u8>(), 0..50))
        .prop_map(|(connection, payload)| Sent::ForNobody { connection, payload });
    prop_oneof![6 => message, 1 => nobody, 1 => (0u32..4).prop_map(Sent::EmptyFrame)]
}

fn frame(wire: &mut Vec<u8>, connection: u32, payload: &[u8]) {
    wire.extend(FrameHead { connection, bytes: payload.len() }.encode());
    wire.extend(payload);
}

/// The stream of all that is sent, and the messages in it.
fn stream_of(all: &[Sent]) -> (Vec<u8>, Vec<Seen>) {
    let (mut wire, mut seen) = (Vec::new(), Vec::new());
    for sent in all {
        match sent {
            Sent::EmptyFrame(connection) => frame(&mut wire, *connection, &[]),
            Sent::ForNobody { connection, payload } => frame(&mut wire, *connection, payload),
            Sent::Message { channel, kind, stream, body, frames } => {
                let kind_of = [Kind::Request, Kind::Response, Kind::Data, Kind::Unknown(4)][usize::from(*kind) - 1];
                let head = Head { bytes: body.len(), stream: *stream, kind: kind_of };
                let mut left: &[u8] = &[&head.encode()[..], body].concat();
                for bytes in frames.iter().cycle() {
                    let (payload, rest) = left.split_at(left.len().min(*bytes));
                    frame(&mut wire, channel.id(), payload);
                    left = rest;
                    if left.is_empty() {
                        break;
                    }
                }
                seen.push((*channel, *kind, *stream, body.clone()));
            }
        }
    }
    (wire, seen)
}

fn number_of(kind: Kind) -> u8 {
    match kind {
        Kind::Request => 1,
        Kind::Response => 2,
        Kind::Data => 3,
        Kind::Unknown(other) => other,
    }
}

/// Decodes `wire` in pieces of the lengths given, again and again; every second one is read into a body where it can be.
fn decoded(wire: &[u8], pieces: &[usize]) -> (Vec<Seen>, Decoder, Budget) {
    let budget = Budget::new(1 << 20);
    let (mut decoder, mut seen, mut left) = (Decoder::new(budget.clone()), Vec::new(), wire);
    for (nth, bytes) in pieces.iter().cycle().enumerate() {
        let (piece, rest) = left.split_at(left.len().min(*bytes));
        let mut sink = |message: super::super::decode::Incoming| {
            let body = message.body.expect("it fits").bytes.to_vec();
            seen.push((message.channel, number_of(message.kind), message.stream, body));
            Ok(())
        };
        let taken = if nth % 2 == 0 { decoder.push(piece, &mut sink) } else { decoder.push_as_read(piece, &mut sink) };
        taken.expect("a sound stream");
        left = rest;
        if left.is_empty() {
            break;
        }
    }
    (seen, decoder, budget)
}

proptest! {
    #[test]
    fn any_split_gives_the_same_messages(
        all in prop::collection::vec(sent(), 0..12),
        pieces in prop::collection::vec(prop_oneof![3 => 1usize..20, 1 => 1usize..9000], 1..6),
    ) {
        let (wire, expected) = stream_of(&all);
        let (seen, decoder, budget) = decoded(&wire, &pieces);
        prop_assert_eq!(seen, expected);
        prop_assert_eq!(decoder.end(), Loss::Closed);
        prop_assert_eq!(budget.used(), 0);
    }

    #[test]
    fn no_bytes_make_it_panic_or_allocate_what_has_not_come(
        wire in prop::collection::vec(any::<u8>(), 0..4000),
        pieces in prop::collection::vec(1usize..200, 1..4),
    ) {
        let mut decoder = Decoder::new(Budget::new(1 << 20));
        let mut left = &wire[..];
        for bytes in pieces.iter().cycle() {
            let (piece, rest) = left.split_at(left.len().min(*bytes));
            if decoder.push(piece, &mut |_| Ok(())).is_err() || rest.is_empty() {
                break;
            }
            left = rest;
        }
    }

    #[test]
    fn what_is_written_is_what_is_read(
        body in prop::collection::vec(any::<u8>(), 0..12_000),
        stream in any::<u32>(),
        piece in 1usize..5000,
    ) {
        let mut wire = Vec::new();
        let head = Head { bytes: body.len(), stream, kind: Kind::Response };
        let rest = frame::append(&mut wire, Channel::Plugin, head, &body);
        wire.extend_from_slice(rest);
        let (seen, ..) = decoded(&wire, &[piece]);
        prop_assert_eq!(seen, vec![(Channel::Plugin, 2, stream, body)]);
    }
}

/// The end of the stream is a loss of one sort between messages, and of another inside of one.
#[test]
fn an_end_inside_of_a_message_is_told_from_one_between() {
    let (wire, _) = stream_of(&[Sent::Message {
        channel: Channel::Plugin,
        kind: 1,
        stream: 1,
        body: vec![1, 2, 3],
        frames: vec![4],
    }]);
    for cut in 0..=wire.len() {
        let mut decoder = Decoder::new(Budget::new(100));
        decoder.push(&wire[..cut], &mut |_| Ok(())).expect("a sound stream");
        let expected = if cut == 0 || cut == wire.len() { Loss::Closed } else { Loss::CutShort };
        assert_eq!(decoder.end(), expected, "cut after {cut} of {} bytes", wire.len());
    }
}

/// Of a body that was announced there is room for some times as much as has come and a chunk, and never for more than it
/// has.
#[test]
fn room_for_a_body_grows_with_what_has_come() {
    let bytes = 4 << 20;
    let mut wire = Vec::new();
    let head = Head { bytes, stream: 1, kind: Kind::Request };
    frame(&mut wire, 1, &head.encode());
    wire.extend(FrameHead { connection: 1, bytes }.encode());
    let mut decoder = Decoder::new(Budget::new(bytes));
    decoder.push(&wire, &mut |_| Ok(())).expect("a sound stream");
    let mut came = 0;
    while came < bytes {
        let mut room = decoder.room().expect("it is not whole");
        assert!(room.remaining_mut() <= (3 * came).max(64 << 10), "{} after {came}", room.remaining_mut());
        assert!(room.get_ref().capacity() <= bytes, "{} after {came}", room.get_ref().capacity());
        let part = room.remaining_mut().min(50_000);
        room.put_bytes(7, part);
        came += part;
        let mut whole = 0;
        let mut sink = |message: super::super::decode::Incoming| {
            whole = message.body.expect("it fits").bytes.len();
            Ok(())
        };
        decoder.filled(part, &mut sink).expect("a sound stream");
        assert_eq!(whole, if came == bytes { bytes } else { 0 });
    }
    assert!(decoder.room().is_none(), "the next bytes are a header");
}

/// A message that does not fit under the cap is dropped as it comes; those around it are not.
#[test]
fn a_message_above_the_cap_is_skipped() {
    let message = |stream, bytes| Sent::Message {
        channel: Channel::Plugin,
        kind: 1,
        stream,
        body: vec![7; bytes],
        frames: vec![FRAME_HEAD_BYTES],
    };
    let (wire, _) = stream_of(&[message(1, 10), message(3, 200), message(5, 90)]);
    let budget = Budget::new(100);
    let (mut decoder, mut seen) = (Decoder::new(budget.clone()), Vec::new());
    let mut sink = |message: super::super::decode::Incoming| {
        seen.push((message.stream, message.body.map(|body| body.bytes.len())));
        Ok(())
    };
    decoder.push(&wire, &mut sink).expect("a sound stream");
    assert_eq!(seen, [(1, Some(10)), (3, None), (5, Some(90))]);
    assert_eq!(budget.used(), 0);
    assert_eq!(frame::BODY_BYTES_MAX, 4 << 20);
}
