//! What a client can make a server hold, and for how long.

use std::time::Duration;

use hyper_util::rt::TokioTimer;
use landfall_lifecycle::serving::ServeOptions;
use tokio::time::Instant;

use super::client::Client;
use super::{App, end};

#[tokio::test]
async fn a_request_finds_its_client_s_address() {
    let server = App::new().start().await;
    let mut client = Client::connect(&server).await;
    assert_eq!(client.get("/peer").await, client.addr().to_string());
    assert!(end(&server).await.is_clean());
}

#[tokio::test]
async fn above_connections_max_clients_wait_until_a_connection_has_ended() {
    let mut options = ServeOptions::default();
    options.connections_max = 2;
    let app = App::new();
    let server = app.start_with(options).await;
    let (mut first, mut second) = (Client::connect(&server).await, Client::connect(&server).await);
    assert_eq!((first.get("/").await, second.get("/").await), ("hello".into(), "hello".into()));
    // The kernel takes the connection and the request; nobody reads them.
    let mut third = Client::connect(&server).await;
    third.ask("/").await;
    for _ in 0..10 {
        assert_eq!(first.get("/").await, "hello");
        assert_eq!(server.connections(), 2);
        assert!(third.is_quiet());
    }
    drop(second);
    assert_eq!(third.reply().await.body, "hello");
    assert_eq!(server.connections(), 2);
    assert!(end(&server).await.is_clean());
}

#[tokio::test]
async fn without_keep_alive_a_connection_serves_one_request() {
    let mut options = ServeOptions::default();
    options.keep_alive = false;
    let server = App::new().start_with(options).await;
    let mut client = Client::connect(&server).await;
    assert_eq!(client.get("/").await, "hello");
    client.closed().await;
    assert!(end(&server).await.is_clean());
}

#[tokio::test]
async fn a_head_above_its_bound_gets_431() {
    let mut options = ServeOptions::default();
    options.header_bytes_max = 1000;
    let server = App::new().start_with(options).await;
    let mut client = Client::connect(&server).await;
    client.send(format!("GET / HTTP/1.1\r\nhost: test\r\nx: {}\r\n\r\n", "y".repeat(1000))).await;
    let reply = client.reply().await;
    assert!(reply.head.starts_with("http/1.1 431"), "{}", reply.head);
    assert!(end(&server).await.is_clean());
}

#[tokio::test]
async fn a_body_larger_than_the_buffer_passes() {
    let mut options = ServeOptions::default();
    options.buffer_bytes_max = 8192;
    options.header_bytes_max = 8192;
    let server = App::new().start_with(options).await;
    let mut client = Client::connect(&server).await;
    client.send("POST /length HTTP/1.1\r\nhost: test\r\ncontent-length: 100000\r\n\r\n").await;
    client.send(vec![0; 100_000]).await;
    assert_eq!(client.reply().await.body, "100000");
    assert!(end(&server).await.is_clean());
}

/// Sends `heard` after one whole request if `after` says so, nothing more, and expects the connection to be cut when
/// the header timeout is over.
async fn is_cut(after: bool, heard: &[u8]) {
    let mut options = ServeOptions::with_timer(TokioTimer::new());
    options.header_read_timeout = Some(Duration::from_secs(7));
    let server = App::new().start_with(options).await;
    let mut client = Client::connect(&server).await;
    if after {
        assert_eq!(client.get("/").await, "hello");
    }
    client.send(heard).await;
    let began = Instant::now();
    client.closed().await;
    let elapsed = began.elapsed();
    assert!((6..9).contains(&elapsed.as_secs()), "{elapsed:?} for {}", heard.escape_ascii());
    assert!(end(&server).await.is_clean());
}

/// The clock is paused: it moves only while everybody waits.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_finish_its_head_is_cut() {
    is_cut(false, b"").await;
    // Half of HTTP/2's preface, so that not even the version is known.
    is_cut(false, b"PRI * HT").await;
    is_cut(false, b"GET / HTTP/1.1\r\nhost: te").await;
    is_cut(true, b"GET /again HTTP/1.1\r\n").await;
    // A connection that idles.
    is_cut(true, b"").await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_take_longer_than_the_header_timeout() {
    let mut options = ServeOptions::with_timer(TokioTimer::new());
    options.header_read_timeout = Some(Duration::from_secs(1));
    let app = App::new();
    let server = app.start_with(options).await;
    let mut client = Client::connect(&server).await;
    client.ask("/gate").await;
    app.one_begun().await;
    tokio::time::advance(Duration::from_secs(60)).await;
    app.let_one_out();
    assert_eq!(client.reply().await.body, "let out");
    assert!(end(&server).await.is_clean());
}
