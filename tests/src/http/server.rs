//! A server with a fixed number of threads, each with one connection at a time.

use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::{Head, read_body, read_head};

/// How often a thread that waits for a peer looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(50);

/// What was asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// All of the head.
    pub head: Head,
    /// The body.
    pub body: Vec<u8>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A status and a body of JSON.
    Answer(u16, String),
    /// Nothing, for as long as the peer likes to wait.
    Silence,
}

/// A listener.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    stop: AtomicBool,
}

/// Ends the threads of a server, also when the work panics: the scope waits for them.
struct StopAtEnd<'a> {
    server: &'a Server,
    threads: usize,
}

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.server.stop.store(true, Ordering::SeqCst);
        for _ in 0..self.threads {
            // Wakes a thread that accepts; one that does not sees the flag.
            drop(TcpStream::connect_timeout(&self.server.address, LOOK));
        }
    }
}

/// A stream that is read patiently: until the peer is done, or the server is to stop.
struct Patient<'a> {
    stream: &'a TcpStream,
    stop: &'a AtomicBool,
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match (&mut &*self.stream).read(buffer) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    if self.stop.load(Ordering::SeqCst) {
                        return Ok(0);
                    }
                }
                read => return read,
            }
        }
    }
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn bind(address: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, stop: AtomicBool::new(false) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves while `work` goes on, and returns what it gives once all threads have ended. May be called again.
    pub fn during<T>(&self, threads: usize, handler: impl Fn(Request) -> Reply + Sync, work: impl FnOnce() -> T) -> T {
        self.stop.store(false, Ordering::SeqCst);
        thread::scope(|scope| {
            let stop = StopAtEnd { server: self, threads };
            for _ in 0..threads {
                scope.spawn(|| self.accept(&handler));
            }
            let result = work();
            drop(stop);
            result
        })
    }

    fn accept(&self, handler: &(impl Fn(Request) -> Reply + Sync)) {
        while let Ok((stream, _)) = self.listener.accept() {
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
            // What is wrong with a connection is the peer's matter: it has no answer then.
            _ = self.converse(&stream, handler);
        }
    }

    fn converse(&self, stream: &TcpStream, handler: &(impl Fn(Request) -> Reply + Sync)) -> io::Result<()> {
        stream.set_read_timeout(Some(LOOK))?;
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(Patient { stream, stop: &self.stop });
        while let Some(head) = read_head(&mut reader)? {
            let body = read_body(&mut reader, &head)?;
            let mut words = head.start.split(' ').map(str::to_owned);
            let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let is_last = head.is_last();
            match handler(Request { method, path, head, body }) {
                Reply::Answer(status, body) => respond(stream, status, &body)?,
                Reply::Silence => {
                    // Until the peer gives up: whatever else it sends is not heard.
                    return io::copy(&mut reader, &mut io::sink()).map(|_| ());
                }
            }
            if is_last || self.stop.load(Ordering::SeqCst) {
                break;
            }
        }
        Ok(())
    }
}

fn respond(mut stream: &TcpStream, status: u16, body: &str) -> io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} said\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Client;

    const LONG: Duration = Duration::from_secs(60);

    fn echo(request: Request) -> Reply {
        Reply::Answer(200, format!("{} {} {}", request.method, request.path, String::from_utf8_lossy(&request.body)))
    }

    #[test]
    fn requests_follow_one_another_on_a_connection() {
        let server = Server::bind("127.0.0.1:0").expect("a free port");
        server.during(2, echo, || {
            let mut client = Client::connect(server.address(), LONG).expect("it listens");
            let answer = client.post("/a", b"{}").expect("an answer");
            assert_eq!((answer.status, answer.body.as_slice(), answer.is_last), (200, &b"POST /a {}"[..], false));
            assert_eq!(client.get("/b").expect("an answer").body, b"GET /b ");
        });
    }

    /// The scope ends although a connection is still open, and one is never answered.
    #[test]
    fn open_connections_do_not_hold_up_the_end() {
        let server = Server::bind("127.0.0.1:0").expect("a free port");
        let silent = |_: Request| Reply::Silence;
        let open = server.during(2, silent, || {
            let idle = Client::connect(server.address(), LONG).expect("it listens");
            let mut waiting = Client::connect(server.address(), Duration::from_millis(1)).expect("it listens");
            assert!(waiting.get("/").is_err(), "nothing is answered");
            (idle, waiting)
        });
        drop(open);
    }
}
