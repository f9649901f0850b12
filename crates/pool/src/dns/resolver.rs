//! What asks when something is due, and tells the pool: the thin side of the directory.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, sleep_until};

use super::builder::DnsBuilder;
use super::directory::{Ask, Directory};
use super::lookup::{Outcome, look_up};
use super::policy::DnsPolicy;
use super::servers::Servers;
use crate::backend::Backend;
use crate::resolver::Resolver;
use landfall_lifecycle::internal::log;

/// Finds backends by DNS: SRV records and their addresses, or the addresses of a host.
///
/// - Every address is a backend of its own, named after its host. One that changes is another backend, and the old one is
///   drained. The priority and the weight of an SRV record are its backends'.
/// - A set is lost neither to an outage nor to an empty answer: the last one stays. If there never was one, and the
///   answer is that there are no records, the set is empty; while nobody answers, claims wait.
/// - An answer is asked for again when its time to live is over, within [`DnsPolicy::ttl_min`] and
///   [`DnsPolicy::ttl_max`]; that there is none as long after as the answer says, or [`DnsPolicy::empty_ttl`].
/// - Servers are asked one after the other, those last that did not answer. A record of another name, an answer to
///   another question or with another id is passed over. Records with port 0 or without a target are left out.
/// - All of it runs inside of [`Resolver::next`], hence in the pool's own task: no task, thread or socket is left when
///   that has ended.
///
/// # Examples
///
/// ```
/// use landfall_pool::dns::{DnsResolver, ResolvConf};
///
/// // Or `ResolvConf::read("/etc/resolv.conf")`.
/// let conf = ResolvConf::parse("nameserver 10.0.0.53\nsearch shop.example.com\n");
/// let resolver = DnsResolver::service("_postgresql._tcp.db").resolv_conf(conf).build()?;
/// # drop(resolver);
/// # Ok::<(), landfall_pool::dns::DnsBuildError>(())
/// ```
#[derive(Debug)]
pub struct DnsResolver {
    state: State,
}

#[derive(Debug)]
enum State {
    /// From the list of hosts; none once it has been given.
    Listed(Option<Vec<Backend>>),
    Asking(Box<Asks>),
}

/// Whose question it is.
#[derive(Clone, Copy, Debug)]
enum Whose {
    Backends,
    Servers,
}

/// What is asked, and what waits for a place.
#[derive(Debug)]
pub(super) struct Asks {
    name: String,
    servers: Servers,
    policy: Arc<DnsPolicy>,
    backends: Directory,
    discovery: Option<Directory>,
    waiting: VecDeque<(Whose, Ask)>,
    running: FuturesUnordered<BoxFuture<'static, (Whose, Ask, Outcome)>>,
    /// The last question was answered by nobody.
    is_out: bool,
}

impl DnsResolver {
    /// A resolver of the SRV records under a name like `_postgresql._tcp.example.com`, and of their targets' addresses.
    pub fn service(name: impl Into<String>) -> DnsBuilder {
        DnsBuilder::of_service(name.into())
    }

    /// A resolver of a host's A and AAAA records, all with this port.
    pub fn host(name: impl Into<String>, port: u16) -> DnsBuilder {
        DnsBuilder::of_host(name.into(), port)
    }

    pub(super) fn listed(backends: Vec<Backend>) -> Self {
        Self { state: State::Listed(Some(backends)) }
    }

    pub(super) fn asking(asks: Asks) -> Self {
        Self { state: State::Asking(Box::new(asks)) }
    }
}

impl Resolver for DnsResolver {
    async fn next(&mut self) -> Option<Vec<Backend>> {
        match &mut self.state {
            State::Listed(backends) => backends.take(),
            State::Asking(asks) => Some(asks.next().await),
        }
    }
}

impl Asks {
    pub(super) fn new(
        name: String,
        servers: Servers,
        policy: Arc<DnsPolicy>,
        backends: Directory,
        discovery: Option<Directory>,
    ) -> Self {
        let (waiting, running) = (VecDeque::new(), FuturesUnordered::new());
        Self { name, servers, policy, backends, discovery, waiting, running, is_out: false }
    }

    /// Everything is in `self`: a future that is dropped loses nothing, and the next one goes on with it.
    async fn next(&mut self) -> Vec<Backend> {
        loop {
            let now = Instant::now();
            self.begin_due(now);
            if let Some(found) = self.discovery.as_mut().and_then(|discovery| discovery.news(now)) {
                log(|| tracing::debug!(dns.servers = found.len(), "name servers discovered"));
                self.servers.discover(found.into_iter().map(|server| server.address));
            }
            if let Some(set) = self.backends.news(now) {
                return set;
            }
            let due = self.directories().filter_map(|directory| directory.next_due()).min();
            tokio::select! {
                Some((whose, ask, outcome)) = self.running.next() => self.heard(whose, &ask, outcome),
                () = async { sleep_until(due.unwrap_or(now)).await }, if due.is_some() => {}
            }
        }
    }

    fn directories(&self) -> impl Iterator<Item = &Directory> {
        self.discovery.iter().chain([&self.backends])
    }

    fn begin_due(&mut self, now: Instant) {
        if let Some(discovery) = &mut self.discovery {
            self.waiting.extend(discovery.take_due(now).into_iter().map(|ask| (Whose::Servers, ask)));
        }
        self.waiting.extend(self.backends.take_due(now).into_iter().map(|ask| (Whose::Backends, ask)));
        while self.running.len() < self.policy.concurrency_max
            && let Some((whose, ask)) = self.waiting.pop_front()
        {
            let look_up = look_up(Arc::clone(&ask.names), ask.kind, self.servers.clone(), Arc::clone(&self.policy));
            #[cfg(landfall_faults)]
            let look_up = left(look_up);
            self.running.push(look_up.map(move |outcome| (whose, ask, outcome)).boxed());
        }
    }

    fn heard(&mut self, whose: Whose, ask: &Ask, outcome: Outcome) {
        let is_out = outcome == Outcome::Failed;
        if is_out && !std::mem::replace(&mut self.is_out, is_out) {
            log(|| tracing::warn!(dns.name = self.name, dns.asked = %ask.names[0], "no name server answers"));
        } else if !is_out && std::mem::replace(&mut self.is_out, is_out) {
            log(|| tracing::info!(dns.name = self.name, "name servers answer again"));
        }
        let directory = match whose {
            Whose::Backends => &mut self.backends,
            Whose::Servers => self.discovery.as_mut().expect("it has asked"),
        };
        directory.heard(ask, outcome, Instant::now());
    }
}

/// Runs it where nobody ends it.
#[cfg(landfall_faults)]
async fn left(look_up: impl Future<Output = Outcome> + Send + 'static) -> Outcome {
    use crate::faults::{Fault, is_armed};
    if !is_armed(Fault::LeaveLookup) {
        return look_up.await;
    }
    let (tell, told) = tokio::sync::oneshot::channel();
    let _refused = crate::shared::forgotten().spawn("look-up", async { drop(tell.send(look_up.await)) });
    told.await.unwrap_or(Outcome::Failed)
}
