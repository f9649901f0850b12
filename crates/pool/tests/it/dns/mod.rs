//! Backends from DNS, asked of name servers in this process.

mod answers;
mod lies;
mod names;
mod outages;
mod pools;
mod server;
mod servers;

use std::net::SocketAddr;
use std::time::Duration;

use landfall_pool::dns::{DnsBuilder, DnsPolicy, DnsResolver};
use landfall_pool::{Backend, Resolver};

use self::server::Server;

const SERVICE: &str = "_pg._tcp.example";

/// Asks again as soon as may be, and gives a server the time that a busy machine needs.
fn quick() -> DnsPolicy {
    let mut policy = DnsPolicy::default();
    policy.server_timeout = Duration::from_secs(10);
    policy.lookup_timeout = Duration::from_secs(30);
    policy.rounds = 1;
    policy.ttl_min = Duration::from_millis(10);
    policy.ttl_max = Duration::from_secs(3_600);
    policy.retry_min = Duration::from_millis(10);
    policy.retry_max = Duration::from_millis(20);
    policy.empty_ttl = Duration::from_millis(10);
    policy
}

/// The same with servers that are waited for only shortly: for those that never answer.
fn impatient() -> DnsPolicy {
    let mut policy = quick();
    policy.server_timeout = Duration::from_millis(20);
    policy
}

fn service(servers: &[&Server]) -> DnsBuilder {
    with(DnsResolver::service(SERVICE), servers)
}

fn host(servers: &[&Server]) -> DnsBuilder {
    with(DnsResolver::host("db.example", 5432), servers)
}

fn with(builder: DnsBuilder, servers: &[&Server]) -> DnsBuilder {
    builder.servers(servers.iter().map(|server| server.address)).policy(quick())
}

/// The next set, by address.
async fn addresses(resolver: &mut DnsResolver) -> Vec<String> {
    let mut set: Vec<String> = next(resolver).await.iter().map(|backend| backend.address.to_string()).collect();
    set.sort();
    set
}

async fn next(resolver: &mut DnsResolver) -> Vec<Backend> {
    resolver.next().await.expect("DNS never ends")
}

/// The set stays as it is until something has happened.
async fn stays(resolver: &mut DnsResolver, event: impl Future<Output = ()>) {
    tokio::select! {
        set = resolver.next() => panic!("another set: {set:?}"),
        () = event => {}
    }
}

/// The sets, until one has these addresses. Those before it may have some of them, or more.
async fn until_set(resolver: &mut DnsResolver, expected: &[&str]) {
    while addresses(resolver).await != expected {}
}

fn backend(name: &'static str, address: &str) -> Backend {
    Backend::new(name, address.parse::<SocketAddr>().unwrap())
}
