//! How much memory a message takes once it is decoded, known before it is.
//!
//! An element of a list may be two bytes on the wire and some hundred in memory. So the wire is walked first, without any
//! allocation, and what every element would take is added up.

/// What a message may hold more than once. What it holds once is in the message itself, or as long as its bytes.
#[derive(Debug)]
pub(crate) struct Shape {
    /// How much the message itself takes.
    pub(super) bytes: usize,
    pub(super) fields: &'static [(u32, Field)],
}

#[derive(Debug)]
pub(super) enum Field {
    Message(&'static Shape),
    Messages(&'static Shape),
    Texts,
    /// Numbers of so many bytes, which may come in one field or each in its own.
    Numbers(usize),
    /// Entries of a map from text, or from a number, to text.
    Entries,
}

/// The bytes are no message: no decoder would take them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// While a list grows, the old one is there beside the new one, which is up to twice as long as its elements.
const GROWTH: usize = 3;
/// What an allocation takes besides the bytes that were asked for, and the least that is asked for.
const ALLOCATION_BYTES: usize = 24;
const TEXT_BYTES: usize = size_of::<String>() + ALLOCATION_BYTES;

impl Shape {
    /// The shape of what ttrpc puts around each request: metadata are a list of pairs of texts.
    pub(crate) const ENVELOPE: Self = Self { bytes: 0, fields: &[(5, Field::Messages(&Self::PAIR))] };
    const PAIR: Self = Self { bytes: 2 * TEXT_BYTES, fields: &[] };

    /// How many bytes a message takes at most while it is decoded and after that.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if it cannot be walked: then it must not be decoded, for nobody knows what it takes.
    pub(crate) fn weigh(&self, message: &[u8]) -> Result<usize, Malformed> {
        Ok(self.elements(message)?.saturating_add(message.len()))
    }

    /// What the elements of all lists take, those of messages inside of it too.
    fn elements(&self, mut rest: &[u8]) -> Result<usize, Malformed> {
        let mut sum = 0usize;
        if self.fields.is_empty() {
            // Whatever is in it, a decoder takes no more for it.
            return Ok(sum);
        }
        while !rest.is_empty() {
            let (number, value) = next(&mut rest)?;
            let field = self.fields.iter().find(|(other, _)| *other == number).map(|(_, field)| field);
            sum = sum.saturating_add(match (field, value) {
                (None, _) => 0,
                (Some(Field::Message(shape)), Value::Bytes(bytes)) => shape.elements(bytes)?,
                (Some(Field::Messages(shape)), Value::Bytes(bytes)) => {
                    (GROWTH * shape.bytes).saturating_add(shape.elements(bytes)?)
                }
                (Some(Field::Texts), _) => GROWTH * TEXT_BYTES,
                (Some(Field::Entries), _) => GROWTH * 2 * TEXT_BYTES,
                // In one field each has a byte at least.
                (Some(Field::Numbers(size)), Value::Bytes(bytes)) => bytes.len().saturating_mul(GROWTH * size),
                (Some(Field::Numbers(size)), Value::Number) => GROWTH * size,
                // A decoder does not take it.
                (Some(Field::Message(_) | Field::Messages(_)), Value::Number) => return Err(Malformed),
            });
        }
        Ok(sum)
    }
}

/// How often a message has a field.
pub(super) fn count(mut message: &[u8], field: u32) -> Result<usize, Malformed> {
    let mut times = 0;
    while !message.is_empty() {
        times += usize::from(next(&mut message)?.0 == field);
    }
    Ok(times)
}

enum Value<'a> {
    Number,
    Bytes(&'a [u8]),
}

/// Takes a field with its number. Groups, which NRI has none of, are malformed.
#[inline]
fn next<'a>(rest: &mut &'a [u8]) -> Result<(u32, Value<'a>), Malformed> {
    let key = varint(rest)?;
    let number = u32::try_from(key >> 3).map_err(|_| Malformed)?;
    let bytes = match key & 7 {
        0 => {
            varint(rest)?;
            return Ok((number, Value::Number));
        }
        1 => 8,
        5 => 4,
        2 => {
            let bytes = usize::try_from(varint(rest)?).map_err(|_| Malformed)?;
            let (value, others) = rest.split_at_checked(bytes).ok_or(Malformed)?;
            *rest = others;
            return Ok((number, Value::Bytes(value)));
        }
        _ => return Err(Malformed),
    };
    *rest = rest.split_at_checked(bytes).ok_or(Malformed)?.1;
    Ok((number, Value::Number))
}

#[inline]
fn varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    match rest.first() {
        Some(byte) if *byte < 0x80 => {
            *rest = &rest[1..];
            Ok(u64::from(*byte))
        }
        _ => prost::encoding::decode_varint(rest).map_err(|_| Malformed),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::messages::{Container, CreateContainerRequest, Mount, PodSandbox, SynchronizeRequest, argument_of};

    fn weigh(method: &str, message: &[u8]) -> Result<usize, Malformed> {
        argument_of(method).expect("it takes a message").weigh(message)
    }

    #[test]
    fn elements_of_lists_weigh_what_they_take_and_what_is_there_once_weighs_nothing() {
        let pods = SynchronizeRequest { pods: vec![PodSandbox::default(); 3], ..Default::default() }.encode_to_vec();
        assert_eq!(weigh("Synchronize", &pods), Ok(pods.len() + 3 * GROWTH * size_of::<PodSandbox>()));

        let mounts = vec![Mount { options: vec![String::new(); 5], ..Mount::default() }; 2];
        let labels = [("a".to_owned(), String::new())].into();
        let container = Container { mounts, labels, name: "c".repeat(1_000), ..Container::default() };
        let create = CreateContainerRequest { pod: None, container: Some(container) }.encode_to_vec();
        let texts = 2 * 5 + 2;
        let expected = create.len() + 2 * GROWTH * size_of::<Mount>() + texts * GROWTH * TEXT_BYTES;
        assert_eq!(weigh("CreateContainer", &create), Ok(expected));
        // The same bytes as those of another message, which has only one field of them.
        assert!(weigh("RunPodSandbox", &create).is_ok_and(|weight| weight < expected));
    }

    #[test]
    fn what_cannot_be_walked_is_no_message() {
        let malformed: &[&[u8]] = &[
            // A length without its bytes, one that is cut, a number that never ends, a group, a kind that is none.
            &[0x0a, 5, 1],
            &[0x0a, 0x80],
            &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            &[0x0b, 0x0c],
            &[0x0f],
            // A number where a pod should be, and four of the eight bytes of another.
            &[0x08, 1],
            &[0x39, 0, 0, 0, 0],
            // The same inside of a pod.
            &[0x0a, 2, 0x0a, 5],
        ];
        for message in malformed {
            assert_eq!(weigh("Synchronize", message), Err(Malformed), "{message:x?}");
            assert!(SynchronizeRequest::decode(*message).is_err() || message[0] == 0x0b, "{message:x?}");
        }
        assert_eq!(weigh("Synchronize", &[]), Ok(0));
    }

    proptest! {
        /// Whatever comes, it is walked without a panic, and weighs no less than it has bytes.
        #[test]
        fn anything_can_be_weighed(message in proptest::collection::vec(any::<u8>(), 0..200)) {
            for method in ["Synchronize", "CreateContainer", "ValidateContainerAdjustment"] {
                if let Ok(weight) = weigh(method, &message) {
                    prop_assert!(weight >= message.len());
                }
            }
        }
    }
}
