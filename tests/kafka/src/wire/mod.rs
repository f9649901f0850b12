//! Bytes on the wire: which requests are spoken and in which version, frames, and the shape an answer must have before
//! it is decoded.

mod api;
mod frame;
mod shape;

pub(crate) use self::api::{Api, Versions};
pub(crate) use self::frame::{EncodeError, FrameError, correlate, decoded, encoded, next_frame};
