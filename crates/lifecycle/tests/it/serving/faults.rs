//! Services that fail.

use std::convert::Infallible;
use std::future::Ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use landfall_lifecycle::Outcome;
use landfall_lifecycle::serving::{ServeOptions, Server};
use tokio::net::TcpListener;
use tower_service::Service;

use super::client::Client;
use super::{App, end, outcomes};

/// A service that answers before its future is made.
pub(super) fn from_fn<F: FnMut(Request<Incoming>) -> &'static str + Clone>(answer: F) -> FromFn<F> {
    FromFn(answer)
}

#[derive(Clone)]
pub(super) struct FromFn<F>(F);

impl<F: FnMut(Request<Incoming>) -> &'static str> Service<Request<Incoming>> for FromFn<F> {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        std::future::ready(Ok(Response::new(Full::from((self.0)(request)))))
    }
}

#[tokio::test]
async fn a_panicking_handler_ends_its_connection_and_no_other() {
    let app = App::new();
    let server = app.start().await;
    let mut neighbour = Client::connect(&server).await;
    assert_eq!(neighbour.get("/").await, "hello");
    let mut client = Client::connect(&server).await;
    let name = format!("connection {}", client.addr());
    client.ask("/panic").await;
    client.closed().await;

    assert_eq!(neighbour.get("/").await, "hello");
    assert_eq!(Client::connect(&server).await.get("/").await, "hello");
    let panicked = Outcome::Panicked { message: "the handler failed".into(), in_drop: false };
    assert_eq!(outcomes(&end(&server).await), [(name, panicked)]);
}

/// A service whose next clone panics when the test says so.
struct Fragile(Arc<AtomicBool>);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        assert!(!self.0.swap(false, Ordering::Relaxed), "no clone today");
        Self(Arc::clone(&self.0))
    }
}

impl Service<Request<Incoming>> for Fragile {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Incoming>) -> Self::Future {
        std::future::ready(Ok(Response::new(Full::from("hello"))))
    }
}

#[tokio::test]
async fn a_service_that_panics_when_cloned_loses_that_connection_and_goes_on_accepting() {
    let fails = Arc::new(AtomicBool::new(false));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::start("http", listener, Fragile(Arc::clone(&fails)), ServeOptions::default()).unwrap();
    fails.store(true, Ordering::Relaxed);
    let client = Client::connect(&server).await;
    let name = format!("connection {}", client.addr());
    client.closed().await;

    assert_eq!(Client::connect(&server).await.get("/").await, "hello");
    let panicked = Outcome::Panicked { message: "no clone today".into(), in_drop: false };
    assert_eq!(outcomes(&end(&server).await), [(name, panicked)]);
}
