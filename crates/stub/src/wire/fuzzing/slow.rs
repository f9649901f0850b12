//! A slow and obvious decoder, beside which the real one is held.

use super::super::frame::{BODY_BYTES_MAX, Channel, FRAME_BYTES_MAX, FRAME_HEAD_BYTES, HEAD_BYTES};
use super::super::loss::Loss;
use super::{HELD_BYTES_MAX, Seen, announced};

/// A decoder that takes one byte after the other and keeps all of a message.
#[derive(Default)]
pub(super) struct Slow {
    /// The header of a frame, as far as it has come.
    head: Vec<u8>,
    /// How many bytes of the frame's payload are to come.
    left: usize,
    /// What has come of a message on each of the two connections, and whether it fits under the cap.
    messages: [(Vec<u8>, bool); 2],
    seen: Vec<Seen>,
}

impl Slow {
    pub(super) fn read(stream: &[u8]) -> (Vec<Seen>, Loss) {
        let mut slow = Self::default();
        let loss = stream.iter().find_map(|byte| slow.take(*byte));
        let is_between = slow.head.is_empty() && slow.messages.iter().all(|(message, _)| message.is_empty());
        let end = if is_between { Loss::Closed } else { Loss::CutShort };
        (slow.seen, loss.unwrap_or(end))
    }

    fn take(&mut self, byte: u8) -> Option<Loss> {
        if self.head.len() < FRAME_HEAD_BYTES {
            self.head.push(byte);
            if self.head.len() == FRAME_HEAD_BYTES {
                self.left = announced(&self.head[4..]);
                if self.left > FRAME_BYTES_MAX {
                    return Some(Loss::FrameTooLong { bytes: self.left as u32, bytes_max: FRAME_BYTES_MAX });
                }
            }
        } else {
            self.left -= 1;
            let lost = match announced(&self.head[..4]) {
                1 => self.take_into(0, Channel::Plugin, byte),
                2 => self.take_into(1, Channel::Runtime, byte),
                _ => None,
            };
            if lost.is_some() {
                return lost;
            }
        }
        if self.head.len() == FRAME_HEAD_BYTES && self.left == 0 {
            self.head.clear();
        }
        None
    }

    fn take_into(&mut self, at: usize, channel: Channel, byte: u8) -> Option<Loss> {
        self.messages[at].0.push(byte);
        let message = &self.messages[at].0;
        if message.len() < HEAD_BYTES {
            return None;
        }
        let bytes = announced(&message[..4]);
        if bytes > BODY_BYTES_MAX {
            return Some(Loss::MessageTooLong { bytes: bytes as u32, bytes_max: BODY_BYTES_MAX });
        }
        if message.len() == HEAD_BYTES {
            let other = &self.messages[1 - at];
            let held = if other.1 && other.0.len() >= HEAD_BYTES { announced(&other.0[..4]) } else { 0 };
            self.messages[at].1 = held + bytes <= HELD_BYTES_MAX;
        }
        let (message, fits) = &mut self.messages[at];
        if message.len() == HEAD_BYTES + bytes {
            let message = std::mem::take(message);
            let body = fits.then(|| message[HEAD_BYTES..].to_vec());
            self.seen.push((channel, message[8], announced(&message[4..8]) as u32, body));
        }
        None
    }
}
