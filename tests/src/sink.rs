//! Where the relay delivers to: it remembers what arrived.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::Value;

use crate::http::{Reply, Request, Server};
use crate::journal::{Delivery, EventId, Number};

/// Deliveries that are answered at once; further ones wait to be accepted.
const THREADS: usize = 16;

/// Stands where webhooks carry their secrets, in the query of every target; it must never be printed.
pub const CANARY: &str = "canary-5b1e";

/// What it does with a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// Remembers it, and says yes.
    Accept,
    /// Takes it, and never says anything.
    Hang,
}

/// The sink.
#[derive(Debug)]
pub struct Sink {
    server: Server,
    arrived: Mutex<BTreeMap<EventId, Delivery>>,
    hanging: Mutex<Vec<EventId>>,
}

impl Sink {
    /// Listens on a free port.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn bind() -> io::Result<Self> {
        let server = Server::bind("127.0.0.1:0")?;
        Ok(Self { server, arrived: Mutex::default(), hanging: Mutex::default() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The target of events that shall arrive here.
    pub fn target(&self) -> String {
        format!("http://{}/hook?key={CANARY}", self.address())
    }

    /// Takes deliveries while `work` goes on.
    pub fn during<T>(&self, conduct: Conduct, work: impl FnOnce() -> T) -> T {
        self.server.during(THREADS, |request| self.take(conduct, &request), work)
    }

    /// What arrived so far.
    pub fn arrived(&self) -> BTreeMap<EventId, Delivery> {
        lock(&self.arrived).clone()
    }

    /// How many different events arrived so far.
    pub fn count(&self) -> usize {
        lock(&self.arrived).len()
    }

    /// The events that were taken and not answered.
    pub fn hanging(&self) -> Vec<EventId> {
        lock(&self.hanging).clone()
    }

    fn take(&self, conduct: Conduct, request: &Request) -> Reply {
        let id = request.head.header("relay-event-id").and_then(|id| id.parse().ok());
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let (Some(id), Some(number)) = (id.map(EventId), body["number"].as_u64().map(Number)) else {
            return Reply::Answer(400, "{}".to_owned());
        };
        if conduct == Conduct::Hang {
            lock(&self.hanging).push(id);
            return Reply::Silence;
        }
        let at = Instant::now();
        let mut arrived = lock(&self.arrived);
        let delivery = arrived.entry(id).or_insert(Delivery { number, first: at, last: at, times: 0 });
        delivery.times += 1;
        delivery.last = at;
        // A second arrival with another body is kept, for the journal to find.
        delivery.number = number;
        Reply::Answer(200, "{}".to_owned())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
