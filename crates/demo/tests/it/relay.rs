//! A relay in this process. Clients and targets are plain sockets held by the test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use landfall_demo::{Config, OpenError, Relay, StartError};
use landfall_lifecycle::{Outcome, Reason, Report, Shutdown, Stack, Terminate};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const MINUTE: Duration = Duration::from_secs(60);

/// A folder that goes with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("landfall-demo-{test}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn database(&self) -> String {
        format!("sqlite:{}", self.0.join("relay.db").display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Running {
    stack: Stack,
    address: SocketAddr,
    stop: CancellationToken,
    asked_to_end: mpsc::UnboundedReceiver<Reason>,
}

impl Running {
    async fn start(args: &[&str]) -> Result<Self, StartError> {
        let args = ["landfall-demo"].iter().chain(args).copied();
        let config = Config::try_from_args(args).unwrap();
        let (stack, stop) = (Stack::new("relay"), CancellationToken::new());
        let (sender, asked_to_end) = mpsc::unbounded_channel();
        let end = move |reason| drop(sender.send(reason));
        match Relay::new(config)?.start(&stack, stop.clone(), end).await {
            Ok(address) => Ok(Self { stack, address, stop, asked_to_end }),
            Err(error) => {
                // What was started is ended by whoever owns the stack.
                check_clean(&terminate(&stack, MINUTE).await);
                Err(error)
            }
        }
    }

    async fn post(&self, target: &str) -> String {
        let body = format!("{{\"target\": \"{target}\", \"body\": {{\"n\": 1}}}}");
        let head = "POST /events HTTP/1.1\r\nhost: relay\r\ncontent-type: application/json\r\nconnection: close\r\n";
        self.ask(&format!("{head}content-length: {}\r\n\r\n{body}", body.len())).await
    }

    async fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n")).await
    }

    async fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        response
    }

    async fn terminate(self, grace: Duration) -> Report {
        self.stop.cancel();
        let report = terminate(&self.stack, grace).await;
        check_clean(&report);
        report
    }
}

async fn terminate(stack: &Stack, grace: Duration) -> Report {
    stack.terminate(&Shutdown::within(grace, grace + MINUTE)).await.unwrap()
}

#[track_caller]
fn check_clean(report: &Report) {
    assert!(report.is_clean(), "{report}");
}

#[track_caller]
fn check_order(report: &Report, expected: &[&str]) {
    // A server's name goes on with its address.
    let order: Vec<_> = report.children.iter().map(|child| child.name.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(order, expected, "{report}");
}

/// Takes one delivery and gives its text; the caller answers.
async fn take_delivery(target: &TcpListener) -> (TcpStream, String) {
    let (mut stream, _) = target.accept().await.unwrap();
    let mut bytes = Vec::new();
    // The body that is posted in these tests.
    while !bytes.ends_with(b"{\"n\": 1}") {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0);
    }
    (stream, String::from_utf8(bytes).unwrap())
}

async fn accept_delivery(target: &TcpListener) -> String {
    let (mut stream, request) = take_delivery(target).await;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_posted_event_is_delivered_and_the_parts_end_in_order() {
    let folder = Folder::new("delivered");
    let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let relay = Running::start(&["--no-sample", "--database", &folder.database()]).await.unwrap();
    assert!(relay.get("/readyz").await.starts_with("HTTP/1.1 200"));
    let accepted = relay.post(&format!("http://{}/hook", target.local_addr().unwrap())).await;
    assert!(accepted.starts_with("HTTP/1.1 202") && accepted.contains("location: /events/1\r\n"), "{accepted}");
    let request = accept_delivery(&target).await;
    assert!(request.starts_with("POST /hook HTTP/1.1\r\n") && request.contains("relay-event-id: 1\r\n"), "{request}");
    while !relay.get("/events/1").await.contains("\"delivered\"") {}
    check_order(&relay.terminate(MINUTE).await, &["watch", "http", "dispatch", "connections", "storage"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_outlives_the_relay_that_accepted_it() {
    let folder = Folder::new("outlives");
    let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let args = ["--no-sample", "--database", &folder.database()];
    let first = Running::start(&args).await.unwrap();
    let url = format!("http://{}/hang", target.local_addr().unwrap());
    assert!(first.post(&url).await.starts_with("HTTP/1.1 202"));
    // Held open and never answered: only the end of grace ends this delivery.
    let (_held, _) = take_delivery(&target).await;
    let report = first.terminate(Duration::ZERO).await;
    let dispatch = report.children.iter().find(|child| child.name == "dispatch").unwrap();
    let delivery = dispatch.tasks.iter().find(|task| task.name == format!("delivery 1 → {url}"));
    assert_eq!(delivery.map(|task| &task.outcome), Some(&Outcome::Aborted), "{report}");
    let second = Running::start(&args).await.unwrap();
    assert!(accept_delivery(&target).await.contains("relay-attempt: 1\r\n"));
    while !second.get("/events/1").await.contains("\"delivered\"") {}
    check_clean(&second.terminate(MINUTE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sample_traffic_is_delivered_and_ends() {
    let mut relay = Running::start(&["--sample-rate", "200", "--until", "300ms"]).await.unwrap();
    while !relay.get("/events/20").await.contains("\"delivered\"") {}
    assert_eq!(relay.asked_to_end.recv().await, Some(Reason::Requested));
    check_order(
        &relay.terminate(MINUTE).await,
        &["watch", "sample", "http", "dispatch", "connections", "sink", "storage"],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_is_unready_still_accepts() {
    let relay = Running::start(&["--no-sample", "--unready-for", "1h"]).await.unwrap();
    relay.stop.cancel();
    relay.stack.begin_terminate(&Shutdown::within(MINUTE, MINUTE * 2));
    assert!(relay.get("/readyz").await.starts_with("HTTP/1.1 503"));
    assert!(relay.post("http://127.0.0.1:9/").await.starts_with("HTTP/1.1 202"));
    check_clean(&relay.terminate(Duration::ZERO).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_is_taken_is_a_typed_error_and_nothing_is_left() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let started = Running::start(&["--no-sample", "--listen", &address.to_string()]).await;
    assert!(matches!(started.err(), Some(StartError::Listen { address: named, .. }) if named == address));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_cannot_be_used_is_a_typed_error_and_nothing_is_left() {
    let folder = Folder::new("unusable");
    std::fs::write(folder.path().join("relay.db"), [b'x'; 4_096]).unwrap();
    let started = Running::start(&["--no-sample", "--database", &folder.database()]).await;
    assert!(matches!(started.err(), Some(StartError::Database(OpenError::Broken { .. }))));
}
