//! `serving` as its users and its clients see it.

mod client;
mod drain;
mod executor;
mod faults;
mod http2;
mod limits;
mod start;

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use landfall_lifecycle::serving::{ConnectionInfo, ServeOptions, Server};
use landfall_lifecycle::{Outcome, Report, Shutdown, TaskReport, Terminate};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// A service whose answers the test lets out one by one.
#[derive(Clone)]
struct App {
    /// One permit for each request that a handler has begun.
    begun: Arc<Semaphore>,
    /// One permit lets one request to `/gate` be answered.
    gate: Arc<Semaphore>,
}

impl App {
    fn new() -> Self {
        Self { begun: Arc::new(Semaphore::new(0)), gate: Arc::new(Semaphore::new(0)) }
    }

    async fn start(&self) -> Server {
        self.start_with(ServeOptions::default()).await
    }

    async fn start_with(&self, options: ServeOptions) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Server::start("http", listener, self.clone(), options).unwrap()
    }

    /// Waits until a handler has begun.
    async fn one_begun(&self) {
        self.begun.acquire().await.unwrap().forget();
    }

    fn let_one_out(&self) {
        self.gate.add_permits(1);
    }

    async fn answer(self, request: Request<Incoming>) -> String {
        self.begun.add_permits(1);
        let info = request.extensions().get::<ConnectionInfo>().unwrap().clone();
        match request.uri().path() {
            "/gate" => {
                self.gate.acquire().await.unwrap().forget();
                "let out".to_owned()
            }
            "/never" => std::future::pending().await,
            "/panic" => panic!("the handler failed"),
            "/peer" => info.peer.to_string(),
            "/stopped" => {
                info.token.cancelled().await;
                "stopped".to_owned()
            }
            "/length" => request.into_body().collect().await.unwrap().to_bytes().len().to_string(),
            _ => "hello".to_owned(),
        }
    }
}

impl tower_service::Service<Request<Incoming>> for App {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let app = self.clone();
        Box::pin(async move { Ok(Response::new(Full::from(app.answer(request).await))) })
    }
}

/// A server that holds a guard for as long as anything of it lives.
#[cfg(feature = "testing")]
pub(crate) fn guarded_server(guard: crate::harness::Guard) -> Server {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    Server::start("http", listener, Guarded(Arc::new(guard)), ServeOptions::default()).unwrap()
}

#[cfg(feature = "testing")]
#[derive(Clone)]
struct Guarded(#[expect(dead_code, reason = "held, not read")] Arc<crate::harness::Guard>);

#[cfg(feature = "testing")]
impl tower_service::Service<Request<Incoming>> for Guarded {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Incoming>) -> Self::Future {
        std::future::ready(Ok(Response::default()))
    }
}

/// Far longer than any test may take: what ends by it is a failure.
fn in_time() -> Shutdown {
    Shutdown::within(Duration::from_secs(60), Duration::from_secs(61))
}

async fn end(server: &Server) -> Report {
    server.terminate(&in_time()).await.unwrap()
}

/// Every abnormal entry of the tree.
fn abnormal(report: &Report) -> Vec<&TaskReport> {
    report.tasks.iter().chain(report.children.iter().flat_map(abnormal)).collect()
}

/// Name and outcome of every abnormal entry of the tree.
fn outcomes(report: &Report) -> Vec<(String, Outcome)> {
    abnormal(report).into_iter().map(|task| (task.name.to_string(), task.outcome.clone())).collect()
}
