//! The life of a stub: its phases, and the task that takes one generation through them.

mod again;
mod closed;
mod drive;
mod generation;
mod handshake;
mod phase;
mod session;
mod start_error;

pub use self::closed::{CloseCause, Closed};
pub(crate) use self::drive::{Core, Course, Definition, For, OnClose, drive};
pub(crate) use self::generation::{Generation, Series};
pub(crate) use self::handshake::RUNTIME_SERVICE;
pub use self::phase::Phase;
pub(crate) use self::phase::{Event, Life};
#[cfg(feature = "testing")]
pub(crate) use self::session::PLUGIN_SERVICE;
pub use self::start_error::{StartError, Started};
