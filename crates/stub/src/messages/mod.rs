//! The messages of NRI's protocol, as a runtime sends and a plugin answers them.
//!
//! Their names are NRI's. What NRI wraps to say that it may be absent is an `Option` here: an absent limit is `None`, a
//! limit of zero is `Some(0)`. Values of enumerations are numbers, since a newer runtime may know more of them than we
//! do; a method of the field's name gives the value itself.
//!
//! `Debug` shows a message whole. The environments of containers are among what they carry, and may hold secrets: think
//! before you log one.

mod generated;
mod make;
mod read;

pub use self::generated::*;
