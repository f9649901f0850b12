//! For tests: a target that does what the test says, and a storage in a temporary folder.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;

use crate::storage::{Database, Limits, Storage, TemporaryFolder};

/// What a peer does with each request.
#[derive(Clone)]
pub(crate) enum Answer {
    /// Answers with this text at once.
    Text(&'static str),
    /// Answers 200 for each permit it is given.
    OnPermit(Arc<Semaphore>),
    /// Keeps the connection and says nothing.
    Hang,
    /// Answers 200, and a body without end.
    Endless,
}

pub(crate) const OK: Answer = Answer::Text("HTTP/1.1 204 No Content\r\n\r\n");

/// A target. Its work ends with `end`.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// The requests it got, as text.
    pub(crate) requests: mpsc::UnboundedReceiver<String>,
    set: TaskSet,
}

impl Peer {
    pub(crate) async fn start(answer: Answer) -> Self {
        Self::listen(answer, None).await
    }

    pub(crate) async fn start_tls(answer: Answer, config: Arc<ServerConfig>) -> Self {
        Self::listen(answer, Some(TlsAcceptor::from(config))).await
    }

    async fn listen(answer: Answer, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let set = TaskSet::new("peer");
        let (sender, requests) = mpsc::unbounded_channel();
        let (stop, weak) = (set.token(), set.downgrade());
        let accept = async move {
            while let Some(Ok((stream, _))) = stop.run_until_cancelled(listener.accept()).await {
                let (answer, sender, tls, stop) = (answer.clone(), sender.clone(), tls.clone(), stop.clone());
                let serve = async move {
                    match tls {
                        None => serve(stream, answer, sender).await,
                        Some(tls) => {
                            // A client that refuses the certificate is as good as one that went away.
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, answer, sender).await;
                            }
                        }
                    }
                };
                let set = weak.upgrade().unwrap();
                _ = set.spawn("serve", async move { stop.run_until_cancelled(serve).await });
            }
        };
        set.spawn("accept", accept).unwrap();
        Self { address, requests, set }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn end(self) {
        end(&self.set).await;
    }
}

/// Ends a set and shows that nothing of it is left.
pub(crate) async fn end(set: &TaskSet) {
    let how = Shutdown::within(Duration::from_secs(60), Duration::from_secs(61));
    let report = set.terminate(&how).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: Answer,
    requests: mpsc::UnboundedSender<String>,
) {
    let Some(request) = read_request(&mut stream).await else { return };
    _ = requests.send(request);
    // A client that went away is part of some tests.
    match answer {
        Answer::Text(text) => _ = stream.write_all(text.as_bytes()).await,
        Answer::OnPermit(permits) => {
            permits.acquire().await.unwrap().forget();
            _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        }
        Answer::Hang => std::future::pending().await,
        Answer::Endless => {
            let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while sent.is_ok() {
                sent = stream.write_all(&[b'x'; 1_024]).await;
            }
        }
    }
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// A storage whose thread is the set's. It ends with the set, and its folder with it.
pub(crate) async fn storage(set: &TaskSet) -> Storage {
    let limits = Limits { lock_wait: Duration::ZERO, backlog_max: 1_000, delivered_max: 1_000, dead_max: 1_000 };
    storage_with(set, limits, 100).await
}

pub(crate) async fn storage_with(set: &TaskSet, limits: Limits, queue_max: u32) -> Storage {
    let (storage, worker) = Storage::new(queue_max, 100, 100);
    let folder = TemporaryFolder::new().unwrap();
    let database = Database::open(&folder.path().join("relay.db"), "this-run".to_owned(), limits).unwrap();
    let thread = set.spawn_thread("storage", move |stop| {
        worker.run(database, stop).unwrap();
        drop(folder);
    });
    drop(thread.unwrap());
    storage
}
