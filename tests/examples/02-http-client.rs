//! HTTP clients as a pool: hyper's connections to the three backends of a DNS name, as one tower service. What drives each
//! connection is a task of the pool; the name server, hickory's, is in this process.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use hickory_server::Server as NameServer;
use hickory_server::proto::rr::rdata::{A, SOA, SRV};
use hickory_server::proto::rr::{Name, RData, Record};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use landfall_lifecycle::serving::{ServeOptions, Server};
use landfall_lifecycle::{Shutdown, Stack, TaskSet, Terminate};
use landfall_pool::dns::DnsResolver;
use landfall_pool::tower::PooledService;
use landfall_pool::{Backend, BoxError, ConnectCx, Connected, Connector, Fitness, Moment, Pool};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tower::{Service, ServiceExt, service_fn};

/// Where the backends are found.
const SERVICE: &str = "_http._tcp.shop.example.";
const BACKENDS: usize = 3;
const CALLERS: usize = 12;

type Body = Full<Bytes>;

/// Opens HTTP/1 connections.
struct Http;

/// A connection. Its call has ended when the body is there: until then the next request could not be sent.
struct Connection(SendRequest<Body>);

impl Connector for Http {
    type Connection = Connection;

    async fn connect(&self, backend: &Backend, cx: &ConnectCx) -> Result<Connected<Connection>, BoxError> {
        let stream = TcpStream::connect(backend.address).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends when its sender is dropped; the pool's end waits for it.
        cx.spawner().spawn("connection", connection)?;
        Ok(Connection(sender).into())
    }

    fn fitness(&self, connection: &mut Connection, _: Moment) -> Fitness {
        if connection.0.is_closed() { Fitness::Broken } else { Fitness::Fit }
    }
}

impl Service<Request<Body>> for Connection {
    type Response = Response<Bytes>;
    type Error = hyper::Error;
    type Future = BoxFuture<'static, Result<Response<Bytes>, hyper::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        Poll::Ready(ready!(self.0.poll_ready(cx)))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let response = self.0.send_request(request);
        Box::pin(async {
            let (head, body) = response.await?.into_parts();
            Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
        })
    }
}

/// A backend that says which it is.
async fn serve(number: usize) -> Result<Server, BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let says = service_fn(move |_: Request<Incoming>| async move {
        Ok::<_, Infallible>(Response::new(Body::from(format!("backend {number}"))))
    });
    Ok(Server::start(&format!("backend {number}"), listener, says, ServeOptions::default())?)
}

/// Serves a zone with a record for each of these ports, on a set that ends it.
async fn serve_names(tasks: &TaskSet, ports: &[u16]) -> Result<SocketAddr, BoxError> {
    let (zone, host) = (Name::from_ascii("shop.example.")?, Name::from_ascii("host.shop.example.")?);
    let mut records: InMemoryZoneHandler =
        InMemoryZoneHandler::empty(zone.clone(), ZoneType::Primary, AxfrPolicy::Deny);
    let soa = SOA::new(host.clone(), host.clone(), 1, 60, 60, 60, 60);
    records.upsert_mut(Record::from_rdata(zone.clone(), 60, RData::SOA(soa)), 0);
    records.upsert_mut(Record::from_rdata(host.clone(), 60, RData::A(A(Ipv4Addr::LOCALHOST))), 0);
    for port in ports {
        let service = RData::SRV(SRV::new(0, 1, *port, host.clone()));
        records.upsert_mut(Record::from_rdata(Name::from_ascii(SERVICE)?, 60, service), 0);
    }
    let mut catalog = Catalog::new();
    catalog.upsert(zone.into(), vec![Arc::new(records)]);
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let address = socket.local_addr()?;
    let mut server = NameServer::new(catalog);
    server.register_socket(socket);
    let stop = tasks.token();
    tasks.spawn("name server", async move {
        stop.cancelled().await;
        // Its tasks have ended then.
        drop(server.shutdown_gracefully().await);
    })?;
    Ok(address)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let stack = Stack::new("client");
    let mut ports = Vec::new();
    for number in 0..BACKENDS {
        let server = serve(number).await?;
        ports.push(server.local_addr().port());
        stack.push(server)?;
    }
    let names = TaskSet::new("names");
    let resolver = DnsResolver::service(SERVICE).servers([serve_names(&names, &ports).await?]).build()?;
    stack.push(names)?;
    let pool = Pool::builder("clients").resolver(resolver).connector(Http).build()?;
    stack.push(pool.clone())?;

    // Twelve callers at once, each with a clone: a clone has a place in line of its own.
    let service = PooledService::new(pool.clone());
    let callers = TaskSet::new("callers");
    let (tell, mut told) = tokio::sync::mpsc::channel(CALLERS);
    for _ in 0..CALLERS {
        let (service, tell) = (service.clone(), tell.clone());
        callers.spawn("caller", async move {
            let request = Request::get("/").header("host", "backend").body(Body::default());
            let answer = match request {
                Ok(request) => service.oneshot(request).await.map_err(BoxError::from),
                Err(error) => Err(error.into()),
            };
            // Who asked waits for as many answers as there are callers.
            drop(tell.send(answer).await);
        })?;
    }
    drop(tell);
    let mut answers: BTreeMap<String, usize> = BTreeMap::new();
    while let Some(answer) = told.recv().await {
        let body = answer?.into_body();
        *answers.entry(String::from_utf8_lossy(&body).into_owned()).or_default() += 1;
    }
    println!("{answers:?}\n{}", pool.stats());
    assert_eq!(answers.values().sum::<usize>(), CALLERS);
    // They have one host, so that they were found together.
    assert_eq!(pool.stats().backends.len(), BACKENDS);

    stack.push(callers)?;
    let report = stack.terminate(&Shutdown::within(Duration::from_secs(10), Duration::from_secs(12))).await?;
    println!("{report}");
    assert!(report.is_clean());
    Ok(())
}
