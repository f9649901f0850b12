//! From nothing to a plugin that is registered and configured.

use std::sync::Arc;

use tokio::time::{Instant, timeout, timeout_at};

use super::drive::Definition;
use super::generation::Generation;
use super::session::Session;
use super::start_error::StartError;
use crate::endpoint::ConnectError;
#[cfg(landfall_faults)]
use crate::faults::{Fault, forgotten, is_armed};
use crate::messages::RegisterPluginRequest;
use crate::runtime_info::{NRI_VERSION, RuntimeInfo};
use crate::wire::{CallError, Connection, Method, Role, Service, Wire};

/// The service of NRI that a runtime serves.
pub(crate) const RUNTIME_SERVICE: &str = "nri.pkg.api.v1alpha1.Runtime";
const REGISTER: Method = Method { service: RUNTIME_SERVICE, name: "RegisterPlugin" };

/// Opens the connection. That is a task of the generation: a dialer that never returns is its straggler, not ours.
pub(super) async fn connect(plugin: &Definition, generation: &Generation) -> Result<Connection, StartError> {
    let after = plugin.options.connect_timeout;
    let connects = plugin.endpoint.clone().connect();
    #[cfg(landfall_faults)]
    if is_armed(Fault::LeaveDial) {
        let (sender, answer) = tokio::sync::oneshot::channel();
        let stays = async { (drop(sender.send(connects.await)), std::future::pending::<()>().await).0 };
        forgotten().spawn("connect", stays).map_err(|_| StartError::Terminating)?;
        return answer.await.map_err(|_| StartError::Terminating)?.map_err(StartError::Connect);
    }
    let connecting = generation.tasks.spawn_with_handle("connect", connects);
    // Whoever stops in the meantime does not wait for it.
    let connecting = connecting.map_err(|_| StartError::Terminating)?.abort_on_drop();
    match timeout(after, connecting).await {
        Ok(Ok(result)) => result.map_err(StartError::Connect),
        Ok(Err(error)) => Err(StartError::Connect(ConnectError::TaskGone { message: error.to_string() })),
        Err(_) => Err(StartError::Connect(ConnectError::TimedOut { after })),
    }
}

/// Serves on the connection, registers, and waits until the runtime has configured the plugin: before it has answered
/// the registration or after.
pub(super) async fn register(
    plugin: &Arc<Definition>,
    generation: &Generation,
    wire: &Wire,
    session: &Session,
) -> Result<RuntimeInfo, StartError> {
    let began = Instant::now();
    let identity = &plugin.identity;
    let request = RegisterPluginRequest {
        plugin_name: identity.name.clone(),
        plugin_idx: identity.index.clone(),
        nri_version: NRI_VERSION.to_owned(),
    };
    let after = plugin.options.registration_timeout;
    match wire.call(&REGISTER, &request, after).await {
        Ok(_) => {}
        Err(CallError::Answered(status)) => {
            let (name, index) = (identity.name.clone(), identity.index.clone());
            return Err(StartError::Refused { name, index, message: status.to_string() });
        }
        Err(CallError::TimedOut { after }) => return Err(StartError::NotRegistered { after }),
        Err(CallError::Lost(loss)) => {
            // A runtime that configures first closes the connection without an answer if that is refused.
            let refused = session.refusal().map(|message| StartError::Configuration { message });
            return Err(refused.unwrap_or(StartError::Lost(loss)));
        }
        // The connection may well be as it was: there is nothing to wait for.
        Err(error) => return Err(StartError::Registration { message: error.to_string() }),
    }
    tracing::debug!(plugin.name = identity.name, generation = generation.number, "registered");
    let after = plugin.options.configure_timeout;
    let configured = tokio::select! {
        // What was configured counts, also when the connection is lost right after it.
        biased;
        configured = timeout_at(began + after, session.configured()) => configured,
        loss = wire.lost() => return Err(StartError::Lost(loss)),
    };
    match configured {
        Ok(Ok(runtime)) => Ok(runtime),
        Ok(Err(message)) => Err(StartError::Configuration { message }),
        Err(_) => Err(StartError::NotConfigured { after }),
    }
}

/// Opens the wire of a generation on a connection.
pub(super) fn open(
    plugin: &Definition,
    generation: &Generation,
    connection: Connection,
    session: Arc<Session>,
) -> Result<Wire, StartError> {
    let Generation { wire, handlers, .. } = generation;
    #[cfg(landfall_faults)]
    let handlers = if is_armed(Fault::SkipHandlers) { forgotten() } else { handlers };
    let service: Arc<dyn Service> = session;
    Wire::open(wire, handlers, connection, Role::Plugin, service, &plugin.options.limits())
        .map_err(|_| StartError::Terminating)
}
