//! Why `run` came back without being asked to.

use crate::life::StartError;
use crate::wire::Loss;

/// Why [`Stub::run`](crate::Stub::run) came back although nobody stopped the plugin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The plugin did not start.
    #[error("the plugin did not start")]
    Start(#[from] StartError),
    /// The connection was lost while the plugin served.
    #[error("the connection to the runtime was lost")]
    Lost(#[source] Loss),
    /// The connection was lost, and the last of the starts that followed failed.
    #[error("the plugin did not start again: {message}")]
    NotAgain {
        /// Why that one failed.
        message: String,
    },
}
