//! How a generation ended.

use std::fmt::{self, Display, Formatter};

use crate::wire::Loss;

/// The end of one generation: from here on nothing of it runs, and its socket is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// Which one: the first start makes generation 1.
    pub generation: u64,
    /// Why it ended.
    pub cause: CloseCause,
}

/// Why a generation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseCause {
    /// The connection ended, or the runtime broke the rules of the wire.
    Lost(Loss),
    /// Somebody stopped it: `stop`, a termination, or a `start` that was dropped.
    Stopped,
    /// It never came to serve: the runtime refused the plugin or did not configure it, or the plugin did not accept its
    /// configuration. The text is that of the error that `start` gave.
    Refused(String),
}

impl Display for Closed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "generation {}: {}", self.generation, self.cause)
    }
}

impl Display for CloseCause {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(loss) => write!(f, "lost: {loss}"),
            Self::Stopped => f.write_str("stopped"),
            Self::Refused(why) => write!(f, "refused: {why}"),
        }
    }
}
