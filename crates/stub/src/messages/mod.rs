//! The messages of NRI's protocol, as a runtime sends and a plugin answers them.
//!
//! Their names are NRI's. What NRI wraps to say that it may be absent is an `Option` here: an absent limit is `None`, a
//! limit of zero is `Some(0)`. Values of enumerations are numbers, since a newer runtime may know more of them than we
//! do; a method of the field's name gives the value itself.
//!
//! `Debug` shows a message whole, but for the values of variables: environments of containers may hold secrets. What else
//! may, such as a command line, is shown: think before you log a message.

mod generated;
mod make;
mod part;
mod read;
mod shapes;
mod shown;
mod weight;

pub use self::generated::*;
pub(crate) use self::shapes::{UPDATE_CONTAINERS_RESPONSE, argument_of};
pub(crate) use self::weight::{Malformed, Shape};
