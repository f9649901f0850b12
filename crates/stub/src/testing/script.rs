//! How a test's runtime behaves on one connection.

use std::time::Duration;

use super::fault::Fault;
use crate::messages::{ConfigureRequest, Container, PodSandbox};

/// How a [`TestRuntime`](super::TestRuntime) behaves on one connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Script {
    /// How the registration is answered. Default: accepted.
    pub registration: Registration,
    /// When the plugin is configured. Default: after the answer to its registration.
    pub configure: ConfigureWhen,
    /// What the plugin is configured with. Default: a runtime named `test` that speaks NRI v0.12.5.
    pub configuration: ConfigureRequest,
    /// The pods of the synchronization. Default none.
    pub pods: Vec<PodSandbox>,
    /// Its containers. Default none.
    pub containers: Vec<Container>,
    /// Whether unsolicited updates are answered. Default yes.
    pub updates_answered: bool,
    /// How long each request may take. Default 2 s, as with containerd.
    pub request_timeout: Duration,
    /// What happens to the connection. Default nothing.
    pub fault: Option<Fault>,
}

/// How a registration is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registration {
    /// With nothing, which means yes.
    Accept,
    /// With an error.
    Refuse(String),
    /// Never.
    Ignore,
}

/// When a plugin is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigureWhen {
    /// Before its registration is answered: runtimes do so now and then.
    BeforeAnswer,
    /// After that.
    AfterAnswer,
    /// Never.
    Never,
}

impl Default for Script {
    fn default() -> Self {
        let configuration = ConfigureRequest {
            runtime_name: "test".to_owned(),
            runtime_version: env!("CARGO_PKG_VERSION").to_owned(),
            registration_timeout: 5_000,
            request_timeout: 2_000,
            nri_version: crate::runtime_info::NRI_VERSION.to_owned(),
            ..Default::default()
        };
        Self {
            registration: Registration::Accept,
            configure: ConfigureWhen::AfterAnswer,
            configuration,
            pods: Vec::new(),
            containers: Vec::new(),
            updates_answered: true,
            request_timeout: Duration::from_secs(2),
            fault: None,
        }
    }
}
