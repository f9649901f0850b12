//! One connection to a broker, as a supervised child.
//!
//! | state      | event                                                     | next       |
//! |------------|-----------------------------------------------------------|------------|
//! | Connecting | the broker speaks what is spoken here                     | Up         |
//! | Connecting | `connect_timeout`, an error, another protocol, its stop   | ended      |
//! | Up         | a request has no answer within `request_timeout`          | ended      |
//! | Up         | end of file, an error, a frame that is none, wrong order  | ended      |
//! | Up         | its stop                                                  | Stopping   |
//! | Stopping   | the last answer that somebody waits for, or what ends it when it is up | ended |
//!
//! Whoever waits for an answer when it ends is told that it is lost: the broker may have done what was asked. Its
//! supervisor makes it anew, with the pauses of [`reconnect`](crate::Settings::reconnect).

mod link;
mod serve;

use std::fmt;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use kafka_protocol::messages::ApiVersionsRequest;
use landfall_supervise::{ChildCx, ChildSpec, RestartType};
use tokio::sync::mpsc;
use tokio::time::timeout;

pub(crate) use self::link::{Answer, CallError, Link, broker_timeout};
use self::serve::Connection;
use crate::client::Directory;
use crate::dial::Endpoint;
use crate::settings::Settings;
use crate::wire::{FrameError, Versions};

/// How long a connection that is ended gets for the answers that are under way.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// What a connection is for. A broker takes up one request of a connection after the other, so that a consumer, whose
/// requests wait for records, has one of its own (brod: `share_leader_conn`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Lane {
    Producers,
    Consumer { topic: Arc<str>, partition: i32 },
}

/// Whom a connection is to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Peer {
    Bootstrap(Endpoint),
    Broker { id: i32, endpoint: Endpoint, lane: Lane },
}

impl Peer {
    fn endpoint(&self) -> &Endpoint {
        match self {
            Self::Bootstrap(endpoint) | Self::Broker { endpoint, .. } => endpoint,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bootstrap(endpoint) => write!(f, "bootstrap {endpoint}"),
            Self::Broker { id, endpoint, lane: Lane::Producers } => write!(f, "broker {id} at {endpoint}"),
            Self::Broker { id, endpoint, lane: Lane::Consumer { topic, partition } } => {
                write!(f, "broker {id} at {endpoint} for {topic}-{partition}")
            }
        }
    }
}

/// Why a connection ended by itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error("cannot connect to {peer}")]
    Connect { peer: Peer, source: io::Error },
    #[error("{peer} was not up within {limit:?} (connect_timeout)")]
    TimedOut { peer: Peer, limit: Duration },
    #[error("{peer} is not to be spoken with")]
    Hello { peer: Peer, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{peer} closed the connection")]
    Closed { peer: Peer },
    #[error("the connection to {peer} failed")]
    Io { peer: Peer, source: io::Error },
    #[error("{peer} speaks another protocol")]
    Frame { peer: Peer, source: FrameError },
    #[error("{peer} did not answer {api} within {limit:?} (request_timeout)")]
    Unanswered { peer: Peer, api: &'static str, limit: Duration },
}

/// The child that keeps a connection to that peer.
pub(crate) fn spec(peer: &Peer, directory: &Arc<Directory>, settings: &Arc<Settings>) -> ChildSpec {
    let (peer, directory, settings) = (peer.clone(), Arc::clone(directory), Arc::clone(settings));
    let restart = RestartType::Permanent.delayed(settings.reconnect);
    let worker = ChildSpec::worker(peer.to_string(), move |cx| {
        run(cx, peer.clone(), Arc::clone(&directory), Arc::clone(&settings))
    });
    worker.restart(restart).shutdown(CLOSE_MAX)
}

async fn run(
    cx: ChildCx,
    peer: Peer,
    directory: Arc<Directory>,
    settings: Arc<Settings>,
) -> Result<(), ConnectionError> {
    let stop = cx.token();
    let limit = settings.connect_timeout;
    let up = timeout(limit, async {
        let dialled = settings.dial.dial(peer.endpoint()).await;
        let stream = dialled.map_err(|source| ConnectionError::Connect { peer: peer.clone(), source })?;
        let (calls, queue) = mpsc::channel(settings.requests_max);
        let link = Link::new(&peer, calls, &settings);
        let mut connection = Connection::new(&peer, stream, queue, &settings);
        let hello = {
            let (serving, hello) = (pin!(connection.serve(&stop)), pin!(hello(&link)));
            match select(serving, hello).await {
                Either::Left((ended, _)) => return ended.map(|()| None),
                Either::Right((hello, _)) => hello,
            }
        };
        hello.map_err(|source| ConnectionError::Hello { peer: peer.clone(), source })?;
        Ok(Some((link, connection)))
    });
    let Some(up) = stop.run_until_cancelled(up).await else { return Ok(()) };
    let Some((link, mut connection)) = up.unwrap_or(Err(ConnectionError::TimedOut { peer: peer.clone(), limit }))?
    else {
        return Ok(());
    };
    tracing::debug!(peer = %peer, "connected");
    let _listed = directory.list(peer, link);
    connection.serve(&stop).await
}

/// The first exchange: whether this is a broker that speaks what is spoken here.
async fn hello(link: &Link) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let versions = link.call(&ApiVersionsRequest::default()).await?;
    Ok(Versions::new(versions).check()?)
}
