//! HTTP/2, by hyper's client and by hand.

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::{Request, Response, Version};
use hyper_util::rt::TokioIo;
use landfall_lifecycle::serving::{HyperExecutor, ServeOptions, Server};
use landfall_lifecycle::{Outcome, TaskSet, Terminate};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{App, end, in_time, outcomes};

/// A client whose driver runs on a set of the test.
async fn connect(server: &Server, set: &TaskSet) -> (SendRequest<Empty<Bytes>>, String) {
    let stream = TcpStream::connect(server.local_addr()).await.unwrap();
    let addr = stream.local_addr().unwrap();
    let executor = HyperExecutor::new(set, "client stream");
    let (client, driver) = handshake(executor, TokioIo::new(stream)).await.unwrap();
    set.spawn("client", driver).unwrap();
    (client, addr.to_string())
}

fn request(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://test{path}")).body(Empty::new()).unwrap()
}

async fn body(response: Response<Incoming>) -> String {
    assert_eq!(response.version(), Version::HTTP_2);
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_one_connection_run_side_by_side() {
    let app = App::new();
    let server = app.start().await;
    let clients = TaskSet::new("clients");
    let (mut client, _) = connect(&server, &clients).await;
    let (first, second) = (client.send_request(request("/gate")), client.send_request(request("/")));
    let second = second.await.unwrap();
    assert_eq!(body(second).await, "hello");
    app.let_one_out();
    assert_eq!(body(first.await.unwrap()).await, "let out");
    assert_eq!(server.connections(), 1);

    assert!(end(&server).await.is_clean());
    drop(client);
    assert!(clients.terminate(&in_time()).await.unwrap().is_clean());
}

#[tokio::test]
async fn a_panicking_handler_resets_its_stream_and_no_other() {
    let app = App::new();
    let server = app.start().await;
    let clients = TaskSet::new("clients");
    let (mut client, addr) = connect(&server, &clients).await;
    client.send_request(request("/panic")).await.unwrap_err();
    assert_eq!(body(client.send_request(request("/")).await.unwrap()).await, "hello");

    let panicked = Outcome::Panicked { message: "the handler failed".into(), in_drop: false };
    assert_eq!(outcomes(&end(&server).await), [(format!("request {addr}"), panicked)]);
    let _ = clients.terminate(&in_time()).await.unwrap();
}

#[tokio::test]
async fn a_request_that_never_ends_is_aborted_when_grace_ends_and_named() {
    let app = App::new();
    let server = app.start().await;
    let clients = TaskSet::new("clients");
    let (mut client, addr) = connect(&server, &clients).await;
    let never = client.send_request(request("/never"));
    app.one_begun().await;

    let how = in_time();
    server.begin_terminate(&how);
    server.token().cancelled().await;
    how.force();
    let report = server.terminate(&how).await.unwrap();
    // The request's own task may end by itself once its connection is gone.
    assert_eq!(outcomes(&report).first(), Some(&(format!("connection {addr}"), Outcome::Aborted)), "{report:?}");
    never.await.unwrap_err();
    let _ = clients.terminate(&in_time()).await.unwrap();
}

/// A client that does only what the test says: it answers no ping and heeds no `GOAWAY`.
struct Wire(TcpStream);

#[derive(Debug, PartialEq, Eq)]
enum Frame {
    /// The head of an answer with status 200.
    Ok {
        stream: u32,
    },
    /// The head of an answer with another status.
    Refused {
        stream: u32,
    },
    Data {
        text: String,
    },
    Reset {
        stream: u32,
    },
    GoAway {
        last_stream: u32,
    },
    Ping {
        opaque: Vec<u8>,
    },
}

const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;

impl Wire {
    async fn connect(server: &Server) -> Self {
        let mut wire = Self(TcpStream::connect(server.local_addr()).await.unwrap());
        wire.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        wire.send(SETTINGS, 0, 0, &[]).await;
        wire
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).await.unwrap();
    }

    /// A whole request: `:method GET`, `:scheme http`, `:path`, `:authority test`.
    async fn ask(&mut self, stream: u32, path: &str) {
        let mut head = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
        head.extend(path.as_bytes());
        head.extend(b"\x01\x04test");
        self.send(HEADERS, 0x5, stream, &head).await;
    }

    /// The next frame that is not about settings or windows; `None` at the end.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            let mut head = [0; 9];
            if self.0.read_exact(&mut head).await.is_err() {
                return None;
            }
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            self.0.read_exact(&mut payload).await.unwrap();
            let word = |bytes: &[u8]| u32::from_be_bytes(bytes[..4].try_into().unwrap()) & 0x7fff_ffff;
            let stream = word(&head[5..]);
            return Some(match head[3] {
                0 if payload.is_empty() => continue,
                0 => Frame::Data { text: String::from_utf8(payload).unwrap() },
                // The static table's `:status 200`.
                HEADERS if payload[0] == 0x88 => Frame::Ok { stream },
                HEADERS => Frame::Refused { stream },
                3 => Frame::Reset { stream },
                PING => Frame::Ping { opaque: payload },
                7 => Frame::GoAway { last_stream: word(&payload) },
                _ => continue,
            });
        }
    }
}

/// Two `GOAWAY` frames with a ping between them are how a server ends a connection without a race: whatever the client
/// has sent before it answers the ping is still to be served (RFC 9113, 6.8).
#[tokio::test]
async fn a_stream_opened_after_the_begin_and_before_the_client_knows_is_served() {
    let app = App::new();
    let server = app.start().await;
    let mut wire = Wire::connect(&server).await;
    wire.ask(1, "/gate").await;
    app.one_begun().await;
    server.begin_terminate(&in_time());
    assert_eq!(wire.next().await, Some(Frame::GoAway { last_stream: 0x7fff_ffff }));
    let Some(Frame::Ping { opaque }) = wire.next().await else { panic!("no ping") };

    wire.ask(3, "/").await;
    assert_eq!(wire.next().await, Some(Frame::Ok { stream: 3 }));
    assert_eq!(wire.next().await, Some(Frame::Data { text: "hello".into() }));
    wire.send(PING, 1, 0, &opaque).await;
    assert_eq!(wire.next().await, Some(Frame::GoAway { last_stream: 3 }));
    app.let_one_out();
    assert_eq!(wire.next().await, Some(Frame::Ok { stream: 1 }));
    assert_eq!(wire.next().await, Some(Frame::Data { text: "let out".into() }));
    assert_eq!(wire.next().await, None);
    assert!(end(&server).await.is_clean());
}

#[tokio::test]
async fn above_http2_streams_max_a_stream_is_refused() {
    let mut options = ServeOptions::default();
    options.http2_streams_max = 1;
    let app = App::new();
    let server = app.start_with(options).await;
    let mut wire = Wire::connect(&server).await;
    wire.ask(1, "/gate").await;
    app.one_begun().await;
    // The limit binds once the client has acknowledged the settings.
    wire.send(SETTINGS, 1, 0, &[]).await;
    wire.ask(3, "/").await;
    assert_eq!(wire.next().await, Some(Frame::Reset { stream: 3 }));
    app.let_one_out();
    assert_eq!(wire.next().await, Some(Frame::Ok { stream: 1 }));
    drop(wire);
    assert!(end(&server).await.is_clean());
}

#[tokio::test]
async fn a_head_above_its_bound_is_refused() {
    let mut options = ServeOptions::default();
    options.header_bytes_max = 100;
    let server = App::new().start_with(options).await;
    let mut wire = Wire::connect(&server).await;
    wire.ask(1, &format!("/{}", "x".repeat(120))).await;
    assert_eq!(wire.next().await, Some(Frame::Refused { stream: 1 }));
    drop(wire);
    assert!(end(&server).await.is_clean());
}
