//! HTTP/1 by hand: the test says when each byte is sent.

use std::io;
use std::net::SocketAddr;

use landfall_lifecycle::serving::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(super) struct Client(TcpStream);

#[derive(Debug)]
pub(super) struct Reply {
    pub(super) head: String,
    pub(super) body: String,
}

impl Client {
    pub(super) async fn connect(server: &Server) -> Self {
        Self(TcpStream::connect(server.local_addr()).await.unwrap())
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    pub(super) async fn ask(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
    }

    /// One request and its answer's body.
    pub(super) async fn get(&mut self, path: &str) -> String {
        self.ask(path).await;
        self.reply().await.body
    }

    pub(super) async fn reply(&mut self) -> Reply {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.expect("the connection ended instead of an answer"));
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).await.unwrap();
        Reply { head, body: String::from_utf8(body).unwrap() }
    }

    /// Waits for the end of the connection, after which nothing more was said.
    pub(super) async fn closed(mut self) {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest).await {
            Ok(_) => assert_eq!(rest, b"", "{}", rest.escape_ascii()),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
        }
    }

    /// Whether the server has said anything, or closed, by now.
    pub(super) fn is_quiet(&self) -> bool {
        self.0.try_read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// Whether a client is refused because nobody listens.
pub(super) async fn is_refused(server: &Server) -> bool {
    let refused = TcpStream::connect(server.local_addr()).await;
    refused.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}
