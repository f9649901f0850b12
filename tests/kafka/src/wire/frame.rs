//! Frames: a request as bytes, bytes as frames, a frame as the answer to a request.

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};

use super::api::Api;
use super::shape::{self, ShapeError};

/// The length in front of each frame.
const LENGTH: usize = size_of::<i32>();
/// Where the correlation id of a request lies: behind length, key and version.
const CORRELATION: usize = 8;

/// A request cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot encode a {api} request: {why}")]
pub(crate) struct EncodeError {
    pub(crate) api: &'static str,
    why: String,
}

/// What came is no frame, or no answer to what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a frame of {bytes} bytes came, and {bytes_max} (frame_bytes_max) may be: is it a Kafka broker?")]
    Length { bytes: i32, bytes_max: usize },
    #[error("answer {came} came where {wanted} was to come")]
    Order { came: i32, wanted: i32 },
    #[error("answer {came} came, and nothing was asked")]
    Unasked { came: i32 },
    #[error("a frame of {bytes} bytes came, too short for an answer")]
    Short { bytes: usize },
    #[error("the answer to {api} is malformed: {why}")]
    Malformed { api: &'static str, why: String },
}

/// The whole frame of a request; its [correlation id](correlate) is set by the connection that it goes to.
pub(crate) fn encoded<A: Api>(request: &A, client_id: &StrBytes) -> Result<BytesMut, EncodeError> {
    let header = RequestHeader::default()
        .with_request_api_key(A::KEY as i16)
        .with_request_api_version(A::VERSION)
        .with_client_id(Some(client_id.clone()));
    let mut frame = BytesMut::zeroed(LENGTH);
    let written = header
        .encode(&mut frame, A::header_version(A::VERSION))
        .and_then(|()| request.encode(&mut frame, A::VERSION))
        .map_err(|error| error.to_string());
    let length = written.and_then(|()| i32::try_from(frame.len() - LENGTH).map_err(|error| error.to_string()));
    let length = length.map_err(|why| EncodeError { api: A::NAME, why })?;
    frame[..LENGTH].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

/// Sets the correlation id of a request.
pub(crate) fn correlate(frame: &mut BytesMut, id: i32) {
    frame[CORRELATION..CORRELATION + size_of::<i32>()].copy_from_slice(&id.to_be_bytes());
}

/// Takes the first whole frame out of what came, if there is one, with its correlation id; otherwise makes room for it.
pub(crate) fn next_frame(inbox: &mut BytesMut, bytes_max: usize) -> Result<Option<(i32, Bytes)>, FrameError> {
    let Some(length) = inbox.first_chunk().map(|chunk| i32::from_be_bytes(*chunk)) else { return Ok(None) };
    let bytes = match usize::try_from(length) {
        Ok(bytes) if bytes <= bytes_max => bytes,
        _ => return Err(FrameError::Length { bytes: length, bytes_max }),
    };
    if inbox.len() < LENGTH + bytes {
        inbox.reserve(LENGTH + bytes - inbox.len());
        return Ok(None);
    }
    inbox.advance(LENGTH);
    let frame = inbox.split_to(bytes).freeze();
    match frame.first_chunk() {
        Some(chunk) => Ok(Some((i32::from_be_bytes(*chunk), frame))),
        None => Err(FrameError::Short { bytes }),
    }
}

/// The answer that a frame holds.
pub(crate) fn decoded<A: Api>(mut frame: Bytes) -> Result<A::Response, FrameError> {
    let malformed = |why: String| FrameError::Malformed { api: A::NAME, why };
    shape::check(A::SHAPE, &frame).map_err(|error: ShapeError| malformed(error.to_string()))?;
    ResponseHeader::decode(&mut frame, A::Response::header_version(A::VERSION))
        .and_then(|_| A::Response::decode(&mut frame, A::VERSION))
        .map_err(|error| malformed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{
        ApiVersionsRequest, FetchRequest, InitProducerIdRequest, ListOffsetsRequest, MetadataRequest, ProduceRequest,
    };

    use super::*;

    #[test]
    fn a_request_has_its_length_and_its_correlation_id() {
        let id = StrBytes::from_static_str("me");
        let mut frame = encoded(&ApiVersionsRequest::default(), &id).unwrap();
        correlate(&mut frame, 0x0102_0304);
        assert_eq!(frame[..], [0, 0, 0, 12, 0, 18, 0, 0, 1, 2, 3, 4, 0, 2, b'm', b'e']);
    }

    #[test]
    fn frames_are_cut_where_they_end() {
        let mut inbox = BytesMut::from(&[0, 0, 0, 5, 0, 0, 0, 7, 9, 0, 0][..]);
        let (id, frame) = next_frame(&mut inbox, 5).unwrap().unwrap();
        assert_eq!((id, &frame[4..], &inbox[..]), (7, &[9][..], &[0, 0][..]));
        assert_eq!(next_frame(&mut inbox, 5), Ok(None));
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let refused = |bytes: &[u8]| next_frame(&mut BytesMut::from(bytes), 1_000).unwrap_err();
        let error = refused(b"HTTP/1.1 400 Bad Request");
        assert_eq!(error, FrameError::Length { bytes: 0x4854_5450, bytes_max: 1_000 });
        assert!(error.to_string().contains("is it a Kafka broker?"), "{error}");
        assert!(matches!(refused(&[0xff; 4]), FrameError::Length { bytes: -1, .. }));
        assert_eq!(refused(&[0, 0, 0, 2, 1, 1]), FrameError::Short { bytes: 2 });
    }

    /// Whatever a peer sends is an answer or an error, and takes no more room than it has bytes.
    #[test]
    fn any_bytes_are_an_answer_or_an_error() {
        let mut seed = 7_u64;
        for _ in 0..20_000 {
            let mut next = || {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 56) as u8
            };
            let length = usize::from(next() % 80);
            let bytes: Bytes = (0..length).map(|_| if next() < 160 { next() % 4 } else { next() }).collect();
            drop(decoded::<MetadataRequest>(bytes.clone()));
            drop(decoded::<ApiVersionsRequest>(bytes.clone()));
            drop(decoded::<InitProducerIdRequest>(bytes.clone()));
            drop(decoded::<ProduceRequest>(bytes.clone()));
            drop(decoded::<ListOffsetsRequest>(bytes.clone()));
            drop(decoded::<FetchRequest>(bytes));
        }
    }
}
