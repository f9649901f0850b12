//! What a start gives, and why it fails.

use std::time::Duration;

use super::closed::CloseCause;
use crate::endpoint::ConnectError;
use crate::runtime_info::RuntimeInfo;
use crate::wire::Loss;

/// A plugin that is registered and configured.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Started {
    /// Which generation it is: the first start makes generation 1.
    pub generation: u64,
    /// The runtime it is registered with.
    pub runtime: RuntimeInfo,
}

/// Why a start failed. Whatever the start had opened is closed again, and it can be tried anew.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The stub is starting or serving already.
    #[error("generation {generation} was started already: stop it first")]
    AlreadyStarted {
        /// Which one.
        generation: u64,
    },
    /// Something of the generation before still runs, so no new one may begin beside it.
    #[error("generation {generation} has not ended, these outlived its stop: {}", tasks.join(", "))]
    StillRunning {
        /// Which one.
        generation: u64,
        /// The names of its tasks that still run; a handler's is that of its method.
        tasks: Vec<String>,
    },
    /// The stub is terminating: it will not start again.
    #[error("the stub is terminating")]
    Terminating,
    /// There is no Tokio runtime, or one without time.
    #[error("there is no Tokio runtime with time and I/O enabled: call it on one made with `enable_all`")]
    NoRuntime,
    /// There is no connection to the runtime.
    #[error("no connection to the runtime")]
    Connect(#[source] ConnectError),
    /// The runtime refused the registration.
    #[error("the runtime refused the plugin {index}-{name}: {message}")]
    Refused {
        /// The plugin's name.
        name: String,
        /// Its index.
        index: String,
        /// What the runtime says.
        message: String,
    },
    /// The runtime did not answer the registration.
    #[error("the runtime did not answer the registration within {after:?}: see `StubOptions::registration_timeout`")]
    NotRegistered {
        /// How long it was waited for.
        after: Duration,
    },
    /// The registration could not be sent, or its answer could not be read.
    #[error("the registration failed: {message}")]
    Registration {
        /// Why.
        message: String,
    },
    /// The runtime did not configure the plugin.
    #[error("the runtime did not configure the plugin within {after:?}: see `StubOptions::configure_timeout`")]
    NotConfigured {
        /// How long it was waited for.
        after: Duration,
    },
    /// The plugin's own handler refused the configuration, or narrowed its events to what it must not.
    #[error("the plugin did not accept its configuration: {message}")]
    Configuration {
        /// Why.
        message: String,
    },
    /// The connection was lost before the plugin was registered and configured.
    #[error("the connection was lost while it was set up")]
    Lost(#[source] Loss),
    /// It was stopped before the plugin was registered and configured.
    #[error("it was stopped while it started")]
    Stopped,
}

impl StartError {
    /// Whether it may pass by itself, as when the runtime is not up yet: then it is worth trying again, after a pause.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect(error) => error.is_transient(),
            Self::NotRegistered { .. } | Self::NotConfigured { .. } | Self::Lost(_) => true,
            Self::AlreadyStarted { .. }
            | Self::StillRunning { .. }
            | Self::Terminating
            | Self::NoRuntime
            | Self::Refused { .. }
            | Self::Registration { .. }
            | Self::Configuration { .. }
            | Self::Stopped => false,
        }
    }

    /// Whether the runtime did not take the plugin as it is, or the plugin the runtime's configuration.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Registration { .. } | Self::Configuration { .. })
    }

    /// How the generation ended that failed to start.
    pub(super) fn cause(&self) -> CloseCause {
        match self {
            Self::Lost(loss) => CloseCause::Lost(loss.clone()),
            Self::Stopped => CloseCause::Stopped,
            Self::Connect(error) => CloseCause::Refused(format!("{self}: {error}")),
            error => CloseCause::Refused(error.to_string()),
        }
    }
}
