//! Backends from DNS, asked of a name server that is not ours: hickory's, in this process, over UDP and TCP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_server::Server;
use hickory_server::proto::rr::rdata::{A, AAAA, CNAME, SOA, SRV};
use hickory_server::proto::rr::{Name, RData, Record};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use landfall_lifecycle::{Shutdown, Terminate};
use landfall_pool::dns::{DnsBuilder, DnsPolicy, DnsResolver};
use landfall_pool::{Backend, BoxError, ConnectCx, Connected, Connector, Pool, Resolver};
use tokio::net::{TcpListener, UdpSocket};
use tokio::runtime::Builder;

/// Whatever has to come comes long before.
const LONG: Duration = Duration::from_secs(60);
/// P2.
const REPORT_WITHIN: Duration = Duration::from_secs(1);
const SERVICE: &str = "_pg._tcp.db.example.";
/// Answers in line on one TCP connection.
const ANSWERS_MAX: usize = 16;

/// A zone that changes while it is served.
type Zone = Arc<InMemoryZoneHandler>;

fn on_two_workers(body: impl AsyncFnOnce()) {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(LONG, body()).await }).expect("it hangs");
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).expect("a name")
}

fn record(owner: &str, ttl: u32, data: RData) -> Record {
    Record::from_rdata(name(owner), ttl, data)
}

fn srv(ttl: u32, (priority, weight, port): (u16, u16, u16), target: &str) -> Record {
    record(SERVICE, ttl, RData::SRV(SRV::new(priority, weight, port, name(target))))
}

fn address(owner: &str, ttl: u32, address: &str) -> Record {
    let data = match address.parse().expect("an address") {
        std::net::IpAddr::V4(address) => RData::A(A(address)),
        std::net::IpAddr::V6(address) => RData::AAAA(AAAA(address)),
    };
    record(owner, ttl, data)
}

fn zone() -> Zone {
    Arc::new(InMemoryZoneHandler::empty(name("example."), ZoneType::Primary, AxfrPolicy::Deny))
}

/// Replaces all records. That there are none holds for no time.
async fn set(zone: &Zone, records: impl IntoIterator<Item = Record>) {
    zone.records_mut().await.clear();
    let soa = RData::SOA(SOA::new(name("ns.example."), name("root.example."), 1, 60, 60, 60, 0));
    zone.upsert(record("example.", 0, soa), 0).await;
    for record in records {
        zone.upsert(record, 0).await;
    }
}

/// Serves a zone at this address, or at one of its own.
async fn serve(zone: &Zone, at: Option<SocketAddr>) -> (SocketAddr, Server<Catalog>) {
    let wanted = at.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind(wanted).await.expect("it was ours, or is new");
        // Somebody may have this port for TCP.
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().expect("it is bound")).await {
            break (udp, tcp);
        }
    };
    let address = udp.local_addr().expect("it is bound");
    let mut catalog = Catalog::new();
    catalog.upsert(name("example.").into(), vec![Arc::clone(zone) as _]);
    let mut server = Server::new(catalog);
    server.register_socket(udp);
    server.register_listener(tcp, LONG, ANSWERS_MAX);
    (address, server)
}

async fn end(mut server: Server<Catalog>) {
    server.shutdown_gracefully().await.expect("nothing went wrong");
}

/// Asks again soon, and gives a server the time that a busy machine needs.
fn quick(builder: DnsBuilder, server: SocketAddr) -> DnsResolver {
    resolver(builder, server, LONG)
}

/// The same with a server that is waited for only shortly, and asked again: it may be away.
fn impatient(builder: DnsBuilder, server: SocketAddr) -> DnsResolver {
    resolver(builder, server, Duration::from_millis(100))
}

fn resolver(builder: DnsBuilder, server: SocketAddr, server_timeout: Duration) -> DnsResolver {
    let mut policy = DnsPolicy::default();
    (policy.server_timeout, policy.lookup_timeout) = (server_timeout, LONG);
    (policy.ttl_min, policy.empty_ttl) = (Duration::from_millis(10), Duration::from_millis(10));
    (policy.retry_min, policy.retry_max) = (Duration::from_millis(10), Duration::from_millis(20));
    builder.servers([server]).policy(policy).build().expect("it can be asked for")
}

/// The next set, until one is like this; in order.
async fn until_set(resolver: &mut DnsResolver, is_it: impl Fn(&[Backend]) -> bool) -> Vec<Backend> {
    loop {
        let mut set = resolver.next().await.expect("DNS never ends");
        set.sort();
        if is_it(&set) {
            return set;
        }
    }
}

fn backend(name: &'static str, address: &str) -> Backend {
    Backend::new(name, address.parse::<SocketAddr>().expect("an address"))
}

#[test]
fn services_are_found_with_their_ranks_and_every_address_of_their_targets() {
    on_two_workers(async || {
        let zone = zone();
        set(
            &zone,
            [
                srv(3_600, (0, 30, 5432), "one.example."),
                srv(3_600, (0, 0, 5432), "two.example."),
                srv(3_600, (7, 0, 5433), "two.example."),
                address("one.example.", 3_600, "127.0.0.1"),
                address("one.example.", 3_600, "::1"),
                address("two.example.", 3_600, "127.0.0.2"),
            ],
        )
        .await;
        let (address, server) = serve(&zone, None).await;
        let mut resolver = quick(DnsResolver::service(SERVICE), address);
        let found = until_set(&mut resolver, |set| set.len() == 4).await;
        let expected = [
            backend("one.example", "127.0.0.1:5432").ranked(0, 480),
            backend("one.example", "[::1]:5432").ranked(0, 480),
            backend("two.example", "127.0.0.2:5432").ranked(0, 1),
            backend("two.example", "127.0.0.2:5433").ranked(7, 1),
        ];
        assert_eq!(found, expected);
        end(server).await;
    });
}

/// An alias, one family of the two, and a name that does not exist.
#[test]
fn a_host_is_found_by_its_alias_and_what_is_not_there_is_an_empty_set() {
    on_two_workers(async || {
        let zone = zone();
        let alias = record("db.example.", 3_600, RData::CNAME(CNAME(name("six.example."))));
        set(&zone, [alias, address("six.example.", 3_600, "::1")]).await;
        let (address, server) = serve(&zone, None).await;
        let mut resolver = quick(DnsResolver::host("db.example", 5432), address);
        assert_eq!(resolver.next().await, Some(vec![backend("db.example", "[::1]:5432")]));
        let mut resolver = quick(DnsResolver::host("nobody.example", 5432), address);
        assert_eq!(resolver.next().await, Some(Vec::new()));
        let mut resolver = quick(DnsResolver::service(SERVICE), address);
        assert_eq!(resolver.next().await, Some(Vec::new()));
        end(server).await;
    });
}

#[test]
fn a_thousand_services_come_over_tcp() {
    on_two_workers(async || {
        let zone = zone();
        let services = (0..1_000).map(|port| srv(3_600, (0, 1, 1 + port), "one.example."));
        set(&zone, services.chain([address("one.example.", 3_600, "127.0.0.1")])).await;
        let (address, server) = serve(&zone, None).await;
        let mut resolver = quick(DnsResolver::service(SERVICE), address);
        let found = until_set(&mut resolver, |set| !set.is_empty()).await;
        assert_eq!(found.len(), 1_000);
        end(server).await;
    });
}

#[test]
fn what_changes_is_followed_and_a_server_that_is_away_takes_nothing() {
    on_two_workers(async || {
        let zone = zone();
        let at = |host: &str| [srv(0, (0, 1, 5432), "one.example."), address("one.example.", 0, host)];
        set(&zone, at("127.0.0.1")).await;
        let (server_address, server) = serve(&zone, None).await;
        let mut resolver = impatient(DnsResolver::service(SERVICE), server_address);
        until_set(&mut resolver, |set| set == [backend("one.example", "127.0.0.1:5432")]).await;
        set(&zone, at("127.0.0.2")).await;
        until_set(&mut resolver, |set| set == [backend("one.example", "127.0.0.2:5432")]).await;

        end(server).await;
        // Nobody answers, however often it asks: the times to live were 0.
        let mute = UdpSocket::bind(server_address).await.expect("it was ours");
        let mut question = [0; 512];
        for _ in 0..10 {
            tokio::select! {
                set = resolver.next() => panic!("another set: {set:?}"),
                heard = mute.recv(&mut question) => drop(heard.expect("somebody asks")),
            }
        }
        drop(mute);
        set(&zone, at("127.0.0.3")).await;
        let (_, server) = serve(&zone, Some(server_address)).await;
        until_set(&mut resolver, |set| set == [backend("one.example", "127.0.0.3:5432")]).await;
        end(server).await;
    });
}

struct Nothing;

impl Connector for Nothing {
    type Connection = ();

    async fn connect(&self, _: &Backend, _: &ConnectCx) -> Result<Connected<()>, BoxError> {
        Ok(().into())
    }
}

#[test]
fn a_pool_ends_on_time_whatever_it_has_asked() {
    on_two_workers(async || {
        let zone = zone();
        set(&zone, [srv(0, (0, 1, 5432), "one.example."), address("one.example.", 0, "127.0.0.1")]).await;
        let (address, server) = serve(&zone, None).await;
        for claims in 0..20 {
            let resolver = quick(DnsResolver::service(SERVICE), address);
            let pool = Pool::builder("pool").resolver(resolver).connector(Nothing).build().expect("it is fine");
            for _ in 0..claims % 3 {
                drop(pool.claim().await.expect("there is one"));
            }
            let began = Instant::now();
            let report = pool.terminate(&Shutdown::within(LONG, LONG)).await.expect("no task of the pool calls");
            assert!(report.is_clean(), "{report}");
            assert!(began.elapsed() < REPORT_WITHIN, "{:?}", began.elapsed());
        }
        end(server).await;
    });
}
