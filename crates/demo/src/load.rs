//! The sample load: posts events to the relay itself, over HTTP like any client.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request, header};
use landfall_lifecycle::{SpawnError, TaskSet, WeakTaskSet};
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;
use tracing::debug;

use crate::client::Client;
use crate::target::Target;

/// Posts under way at once; while so many are, no more are begun.
const POSTS_MAX: usize = 64;

/// What is posted where, and how often.
pub(crate) struct Load {
    pub(crate) client: Client,
    /// The relay.
    pub(crate) relay: SocketAddr,
    /// Where the events are to go.
    pub(crate) sink: SocketAddr,
    pub(crate) rate: u32,
}

impl Load {
    /// Starts to post, as tasks of the set.
    pub(crate) fn start(self, set: &TaskSet) -> Result<(), SpawnError> {
        let stop = set.token();
        let posts = set.downgrade();
        let load = async move {
            let mut ticks = tokio::time::interval(Duration::from_secs(1) / self.rate);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let (this, places) = (Arc::new(self), Arc::new(Semaphore::new(POSTS_MAX)));
            for number in 1_u64.. {
                tokio::select! {
                    // Stop first: at a high rate a tick is always there.
                    biased;
                    () = stop.cancelled() => return,
                    _ = ticks.tick() => {}
                }
                this.post(&posts, &places, number);
            }
        };
        set.spawn("load", load).map(|_| ())
    }

    fn post(self: &Arc<Self>, set: &WeakTaskSet, places: &Arc<Semaphore>, number: u64) {
        let Ok(place) = Arc::clone(places).try_acquire_owned() else { return };
        let Some(set) = set.upgrade() else { return };
        let load = Arc::clone(self);
        let post = async move {
            let _place = place;
            let target: Target = format!("http://{}/events", load.relay).parse().expect("an address makes a URL");
            let sent = load.client.send(format!("post {number}"), &target, load.relay, load.request(number)).await;
            if let Err(error) = sent {
                debug!(%error, "sample not posted");
            }
        };
        if let Err(error) = set.spawn(format!("sample {number}"), post) {
            debug!(%error, "sample not posted");
        }
    }

    fn request(&self, number: u64) -> Request<Full<Bytes>> {
        let event =
            serde_json::json!({ "target": format!("http://{}/sample", self.sink), "body": { "sample": number } });
        let mut request = Request::new(Full::from(event.to_string()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = hyper::Uri::from_static("/events");
        let headers = request.headers_mut();
        let host = self.relay.to_string().try_into().expect("an address is header text");
        headers.insert(header::HOST, host);
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        headers.insert(header::CONNECTION, header::HeaderValue::from_static("close"));
        request
    }
}
