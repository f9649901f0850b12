//! Why a stub cannot be built.

use std::path::PathBuf;

/// Why a stub cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// NRI takes other names for plugins.
    #[error("the plugin's name is {name:?}: it must be one or more of A-Z, a-z, 0-9, `_`, `.`, `+`, `-`")]
    Name {
        /// What was given.
        name: String,
    },
    /// NRI takes two digits as the index of a plugin.
    #[error("the plugin's index is {index}: it must be two digits, 00 to 99")]
    Index {
        /// What was given.
        index: String,
    },
    /// The plugin would be told of nothing: a runtime reads an empty subscription as one to everything.
    #[error("no handler of an event is registered: give the builder at least one, such as `on_create_container`")]
    NoHandlers,
    /// The system takes shorter paths for sockets.
    #[error("the socket's path has {bytes} bytes, and {bytes_max} are allowed: {}", path.display())]
    PathTooLong {
        /// What was given.
        path: PathBuf,
        /// How long it is.
        bytes: usize,
        /// What is allowed.
        bytes_max: usize,
    },
    /// An option is out of its range.
    #[error("the option `{field}` is {value}: it must be in {allowed}")]
    Option {
        /// Which one of `StubOptions`, or which one of `Reconnect`, as in `Reconnect::max`.
        field: &'static str,
        /// What was given.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// The runtime that launched the plugin says which descriptor to use, and says it wrongly.
    #[error("the variable NRI_PLUGIN_SOCKET is {value:?}: it must be the number of a descriptor, such as 3")]
    Descriptor {
        /// What the variable says.
        value: String,
    },
}
