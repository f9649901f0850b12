//! The shape of an answer, walked before the codec decodes it.
//!
//! The codec reserves room for as many elements as an answer claims to have, which a peer may claim to be billions; and
//! what it reads beyond the end is an error in some places only. After the walk every element is known to be there.

/// What lies at one place of an answer. All but `Ints` is in Kafka's compact form, with lengths as varints.
#[derive(Debug)]
pub(crate) enum Shape {
    /// So many bytes of numbers.
    Ints(usize),
    /// A string or bytes, which may be null.
    Text,
    /// Elements that look alike, or null.
    Array(&'static [Shape]),
    /// Elements that look alike, with their number in four bytes, as older versions have it.
    OldArray(&'static [Shape]),
    /// Tagged fields, each with its length.
    Tags,
}

/// Why an answer has not its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ShapeError {
    #[error("it ends {missing} bytes too early")]
    Short { missing: usize },
    #[error("a length in it is no varint of 32 bits")]
    Length,
    #[error("{left} bytes follow its end")]
    Long { left: usize },
}

/// Walks over the whole answer.
pub(crate) fn check(shapes: &[Shape], bytes: &[u8]) -> Result<(), ShapeError> {
    let mut rest = bytes;
    walk(shapes, &mut rest)?;
    if rest.is_empty() { Ok(()) } else { Err(ShapeError::Long { left: rest.len() }) }
}

fn walk(shapes: &[Shape], rest: &mut &[u8]) -> Result<(), ShapeError> {
    for shape in shapes {
        match shape {
            Shape::Ints(bytes) => skip(rest, *bytes)?,
            Shape::Text => {
                let bytes = varint(rest)?.saturating_sub(1);
                skip(rest, bytes)?;
            }
            Shape::Array(element) => {
                // Each element has a byte at least, so a claim that is too high ends here.
                for _ in 1..varint(rest)? {
                    walk(element, rest)?;
                }
            }
            Shape::OldArray(element) => {
                let count = rest.first_chunk().map(|chunk| i32::from_be_bytes(*chunk));
                skip(rest, size_of::<i32>())?;
                for _ in 0..count.unwrap_or_default() {
                    walk(element, rest)?;
                }
            }
            Shape::Tags => {
                for _ in 0..varint(rest)? {
                    varint(rest)?;
                    let bytes = varint(rest)?;
                    skip(rest, bytes)?;
                }
            }
        }
    }
    Ok(())
}

fn skip(rest: &mut &[u8], bytes: usize) -> Result<(), ShapeError> {
    match rest.get(bytes..) {
        Some(after) => *rest = after,
        None => return Err(ShapeError::Short { missing: bytes - rest.len() }),
    }
    Ok(())
}

fn varint(rest: &mut &[u8]) -> Result<usize, ShapeError> {
    let mut value = 0_u64;
    for shift in (0..35).step_by(7) {
        let Some((byte, after)) = rest.split_first() else { return Err(ShapeError::Short { missing: 1 }) };
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return u32::try_from(value).map(|value| value as usize).map_err(|_| ShapeError::Length);
        }
    }
    Err(ShapeError::Length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPES: &[Shape] = &[Shape::Ints(4), Shape::Array(&[Shape::Text, Shape::Ints(2), Shape::Tags]), Shape::Tags];

    #[test]
    fn what_has_its_shape_passes() {
        let sound = [0, 0, 0, 7, 3, 3, b'a', b'b', 0, 1, 0, 0, 0, 2, 1, 9, 1, 77, 0];
        assert_eq!(check(SHAPES, &sound), Ok(()));
        assert_eq!(check(&[Shape::OldArray(&[Shape::Ints(1)])], &[0, 0, 0, 2, 1, 1]), Ok(()));
    }

    #[test]
    fn claims_beyond_the_end_are_refused_without_room_for_them() {
        assert_eq!(check(SHAPES, &[0, 0, 0]), Err(ShapeError::Short { missing: 1 }));
        let billions = [0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff, 0x0f, 0];
        assert!(matches!(check(SHAPES, &billions), Err(ShapeError::Short { .. })));
        let old = [&[0x7f, 0xff, 0xff, 0xff][..], &[0; 6]].concat();
        assert!(matches!(check(&[Shape::OldArray(&[Shape::Ints(6)])], &old), Err(ShapeError::Short { .. })));
        assert_eq!(check(SHAPES, &[0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff, 0xff]), Err(ShapeError::Length));
        assert_eq!(check(SHAPES, &[0, 0, 0, 7, 1, 0, 0, 0]), Err(ShapeError::Long { left: 2 }));
    }
}
