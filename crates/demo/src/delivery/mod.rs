//! One attempt to deliver one event.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request, header};
use landfall_lifecycle::{SpawnError, TaskError, TaskSet};
use tokio::sync::Semaphore;

use crate::chain::Chain;
use crate::client::{Client, RequestError};
use crate::event::Leased;
use crate::target::{AllowList, Forbidden, Host, Target};

/// Names looked up at once. A look-up cannot be stopped; one that outlives its attempt keeps its place until it ends.
const LOOKUPS_MAX: usize = 64;

/// What came of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// The target answered with a 2xx status.
    Delivered,
    /// It did not, for this reason. The event may have arrived all the same.
    Failed(String),
    /// The relay is terminating, and nothing was sent.
    NotMade,
}

/// Makes attempts.
pub(crate) struct Courier {
    client: Client,
    allowed: AllowList,
    timeout: Duration,
    /// Owns the look-ups.
    set: TaskSet,
    lookups: Arc<Semaphore>,
}

#[derive(Debug, thiserror::Error)]
enum DeliveryError {
    #[error("the host cannot be resolved")]
    Resolve(#[source] io::Error),
    #[error("the host resolves to nothing")]
    NoAddress,
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error("no thread to resolve the host with")]
    NoThread(#[source] io::Error),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("status {0}")]
    Status(u16),
    #[error("status {0}: redirects are not followed")]
    Redirect(u16),
    #[error("the relay is terminating")]
    Closing,
}

impl Courier {
    pub(crate) fn new(client: Client, allowed: AllowList, timeout: Duration, set: TaskSet) -> Self {
        Self { client, allowed, timeout, set, lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }

    /// Tries once, for a bounded time.
    ///
    /// Dropping the future closes the connection; whether the event has arrived is unknown then.
    pub(crate) async fn attempt(&self, event: &Leased, target: &Target) -> Attempt {
        match tokio::time::timeout(self.timeout, self.deliver(event, target)).await {
            Ok(Ok(())) => Attempt::Delivered,
            Ok(Err(DeliveryError::Closing)) => Attempt::NotMade,
            Ok(Err(error)) => Attempt::Failed(Chain(&error).to_string()),
            Err(_) => Attempt::Failed(format!("no answer within {:?}", self.timeout)),
        }
    }

    async fn deliver(&self, event: &Leased, target: &Target) -> Result<(), DeliveryError> {
        // The list may have become shorter since the event was accepted.
        self.allowed.check(target)?;
        let mut failure = DeliveryError::NoAddress;
        for address in self.resolve(target).await? {
            self.allowed.check_address(target, address)?;
            let address = SocketAddr::new(address, target.port());
            let name = format!("connection {} to {address}", event.id);
            match self.client.send(name, target, address, request(event, target)).await {
                Ok(status) if status.is_success() => return Ok(()),
                Ok(status) if status.is_redirection() => return Err(DeliveryError::Redirect(status.as_u16())),
                Ok(status) => return Err(DeliveryError::Status(status.as_u16())),
                // Nothing was sent: another of the host's addresses may do.
                Err(error @ RequestError::Connect(_)) => failure = error.into(),
                Err(RequestError::Spawn(SpawnError::Closed { .. } | SpawnError::NoRuntime)) => {
                    return Err(DeliveryError::Closing);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(failure)
    }

    async fn resolve(&self, target: &Target) -> Result<Vec<IpAddr>, DeliveryError> {
        let name = match target.host() {
            Host::Address(address) => return Ok(vec![*address]),
            Host::Name(name) => name.clone(),
        };
        let place = Arc::clone(&self.lookups).acquire_owned().await.map_err(|_| DeliveryError::Closing)?;
        // Not tokio's `lookup_host`: that runs on a thread nobody owns, and no report would name it.
        let lookup = self.set.spawn_blocking(format!("resolve {name}"), move |_| {
            let _place = place;
            (name, 0_u16).to_socket_addrs().map(|found| found.map(|address| address.ip()).collect())
        });
        let lookup = lookup.map_err(|refused| match refused {
            SpawnError::NoThread { source } => DeliveryError::NoThread(source),
            _ => DeliveryError::Closing,
        })?;
        match lookup.await {
            Ok(found) => found.map_err(DeliveryError::Resolve),
            Err(TaskError::Panicked { message }) => Err(DeliveryError::Resolve(io::Error::other(message))),
            Err(_) => Err(DeliveryError::Closing),
        }
    }
}

fn request(event: &Leased, target: &Target) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::from(event.body.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = target.path().clone().into();
    let headers = request.headers_mut();
    let host = target.authority().try_into().expect("a host and a port are header text");
    headers.insert(header::HOST, host);
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    headers.insert(header::USER_AGENT, header::HeaderValue::from_static("landfall-relay"));
    headers.insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    headers.insert("relay-event-id", event.id.0.into());
    headers.insert("relay-attempt", event.attempts.saturating_add(1).into());
    request
}

#[cfg(test)]
mod tests;
