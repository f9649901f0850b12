//! A TCP server that says of itself how it fails. It greets each client with a byte and sends back each byte it gets.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
use landfall_pool::Backend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

/// What a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conduct {
    /// It answers.
    Well,
    /// It is not there: its connections are closed, connects are refused.
    Refuses,
    /// It resets every connection, those that come too.
    Resets,
    /// It neither takes nor sends anything, nor ends anything; connects that come stay without an answer.
    BlackHole,
    /// It takes one client at a time, each after this long.
    SlowAccept(Duration),
    /// Each byte that it sends takes this long.
    Dribbles(Duration),
}

/// The bytes of the greeting.
pub(super) const GREETING: &[u8] = b"hello";

/// The server, in the hands of a test.
pub(super) struct Server {
    address: SocketAddr,
    conduct: watch::Sender<Conduct>,
    tasks: TaskSet,
    open: Arc<AtomicUsize>,
}

impl Server {
    pub(super) fn start(conduct: Conduct) -> Self {
        // Keeps the port while nobody listens on it.
        let reserved = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
        let address = reserved.local_addr().expect("it is bound");
        let (conduct, changes) = watch::channel(conduct);
        let open = Arc::default();
        let tasks = TaskSet::new("server");
        let accepts = Accepts { address, changes, tasks: tasks.clone(), open: Arc::clone(&open) };
        tasks.spawn("accepts", accepts.run(reserved)).expect("it is new");
        Self { address, conduct, tasks, open }
    }

    pub(super) fn backend(&self) -> Backend {
        self.address.into()
    }

    /// From now on it does that, also to the clients that are there.
    pub(super) fn set(&self, conduct: Conduct) {
        self.conduct.send_replace(conduct);
    }

    /// How many connections of clients it has not seen the end of.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub(super) async fn end(self) {
        drop(self.tasks.terminate(&Shutdown::now()).await.expect("no task of it calls"));
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

struct Accepts {
    address: SocketAddr,
    changes: watch::Receiver<Conduct>,
    tasks: TaskSet,
    open: Arc<AtomicUsize>,
}

impl Accepts {
    async fn run(mut self, reserved: TcpSocket) {
        let mut reserved = Some(reserved);
        loop {
            let conduct = *self.changes.borrow_and_update();
            if conduct == Conduct::Refuses {
                if reserved.is_none() {
                    reserved = Some(bound(self.address).expect("nobody else has it"));
                }
                // The test is over if this fails.
                if self.changes.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let socket = reserved.take().map_or_else(|| bound(self.address), Ok).expect("nobody else has it");
            // A black hole's backlog is full at once: the kernel drops what comes then.
            let is_black_hole = conduct == Conduct::BlackHole;
            let listener = socket.listen(if is_black_hole { 1 } else { 1_024 }).expect("it is bound");
            let _fillers = if is_black_hole { fill(self.address).await } else { Vec::new() };
            if self.serve(listener, is_black_hole).await.is_err() {
                return;
            }
        }
    }

    /// Takes clients until it is to do something for which it needs another listener.
    async fn serve(&mut self, listener: TcpListener, is_black_hole: bool) -> Result<(), watch::error::RecvError> {
        loop {
            let conduct = *self.changes.borrow_and_update();
            // Looked at here, and not where a change is heard: one that comes beside a client is heard by nobody.
            if conduct == Conduct::Refuses || (conduct == Conduct::BlackHole) != is_black_hole {
                return Ok(());
            }
            let pause = match conduct {
                Conduct::SlowAccept(pause) => pause,
                _ => Duration::ZERO,
            };
            let next = async {
                if is_black_hole {
                    std::future::pending::<()>().await;
                }
                sleep(pause).await;
                listener.accept().await
            };
            let taken = tokio::select! {
                biased;
                changed = self.changes.changed() => {
                    changed?;
                    continue;
                }
                taken = next => taken,
            };
            // A client that has gone already is none.
            let Ok((stream, _)) = taken else { continue };
            self.open.fetch_add(1, Ordering::SeqCst);
            let client = Client { stream, changes: self.changes.clone(), open: Arc::clone(&self.open) };
            // It is refused when the test is over.
            drop(self.tasks.spawn("client", client.run()));
        }
    }
}

/// Connects until the kernel takes no more.
async fn fill(address: SocketAddr) -> Vec<TcpStream> {
    let mut fillers = Vec::new();
    while let Ok(Ok(filler)) = tokio::time::timeout(Duration::from_millis(100), TcpStream::connect(address)).await {
        fillers.push(filler);
    }
    fillers
}

struct Client {
    stream: TcpStream,
    changes: watch::Receiver<Conduct>,
    open: Arc<AtomicUsize>,
}

impl Client {
    async fn run(mut self) {
        let mut greeted = 0;
        loop {
            let conduct = *self.changes.borrow_and_update();
            let done = match conduct {
                Conduct::Refuses => return,
                Conduct::Resets => return self.stream.set_zero_linger().expect("it is open"),
                Conduct::BlackHole => None,
                Conduct::Dribbles(pause) => Some(pause),
                Conduct::Well | Conduct::SlowAccept(_) => Some(Duration::ZERO),
            };
            let stream = &mut self.stream;
            let acts = async {
                let Some(pause) = done else { return std::future::pending().await };
                while let Some(byte) = GREETING.get(greeted) {
                    sleep(pause).await;
                    stream.write_all(&[*byte]).await?;
                    greeted += 1;
                }
                let mut bytes = [0; 64];
                match stream.read(&mut bytes).await? {
                    0 => Err(io::ErrorKind::UnexpectedEof.into()),
                    read => {
                        sleep(pause).await;
                        stream.write_all(&bytes[..read]).await
                    }
                }
            };
            tokio::select! {
                biased;
                changed = self.changes.changed() => if changed.is_err() { return },
                acted = acts => if acted.is_err() { return },
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}
