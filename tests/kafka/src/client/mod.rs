//! The client: its connections, and the worker that knows where the cluster's partitions are.
//!
//! ```text
//! client                       one-for-one
//! ├─ connections               one-for-one; a connection that fails is made anew after a pause
//! │  ├─ bootstrap 127.0.0.1:9092
//! │  ├─ broker 1 at 127.0.0.1:9092
//! │  └─ broker 1 at 127.0.0.1:9092 for topic-0
//! └─ metadata                  asks where partitions are, and has the connections made that are wanted
//! ```

mod directory;
mod learn;
mod metadata;

use std::sync::Arc;
use std::time::Duration;

use landfall_supervise::{ChildSpec, RestartType, Supervisor, SupervisorBuilder};

pub(crate) use self::directory::{Directory, Want};
pub use self::learn::TopicError;
use crate::connection::{self, Peer};
use crate::settings::Settings;

const CONNECTIONS: &str = "connections";
/// Every restart is delayed: none is within the intensity.
const NEVER: (u32, Duration) = (0, Duration::from_secs(1));

/// The supervisor of a client.
pub(crate) fn supervisor(directory: &Arc<Directory>, settings: &Arc<Settings>) -> SupervisorBuilder {
    let connections = {
        let (directory, settings) = (Arc::clone(directory), Arc::clone(settings));
        move || connections(&directory, &settings)
    };
    let metadata = {
        let (directory, settings) = (Arc::clone(directory), Arc::clone(settings));
        move |cx| metadata::run(cx, Arc::clone(&directory), Arc::clone(&settings))
    };
    let metadata = ChildSpec::worker("metadata", metadata).restart(RestartType::Permanent.delayed(settings.reconnect));
    supervisor_of("client", settings).child(ChildSpec::supervisor(CONNECTIONS, connections)).child(metadata)
}

fn connections(directory: &Arc<Directory>, settings: &Arc<Settings>) -> SupervisorBuilder {
    let mut builder = supervisor_of(CONNECTIONS, settings);
    let mut endpoints = settings.bootstrap.clone();
    endpoints.sort();
    endpoints.dedup();
    for endpoint in endpoints {
        builder = builder.child(connection::spec(&Peer::Bootstrap(endpoint), directory, settings));
    }
    builder
}

/// A supervisor below which whatever fails comes back after a pause, so that nothing is restarted above it.
pub(crate) fn supervisor_of(name: &str, settings: &Settings) -> SupervisorBuilder {
    Supervisor::builder(name).clock(settings.clock.clone()).intensity(NEVER.0, NEVER.1)
}
