//! One connection, with the task that speaks the protocol and does not end before the server has.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::{error, io};

use rustix::net::{Shutdown, shutdown, sockopt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_postgres::{CancelToken, Client, Config, Error, NoTls, SimpleQueryMessage};

use super::cluster::USER;
use super::connector::Manners;

/// For how long the server's end is waited for after a goodbye; a termination may be shorter.
const GOODBYE_MAX: Duration = Duration::from_secs(30);
/// How long sent bytes may stay unconfirmed until the kernel gives the connection up.
const UNCONFIRMED_MAX: Duration = Duration::from_secs(15);

/// What the task gives to who connects.
pub(super) type Opened = Result<(Client, Arc<TcpStream>), Box<dyn error::Error + Send + Sync>>;

/// A connection to the server.
pub struct Session {
    client: Client,
    /// Ready when the task has ended, and with it the session on the server.
    over: oneshot::Receiver<()>,
    address: SocketAddr,
    is_busy: bool,
}

/// How to stop what runs on a connection, from outside.
#[derive(Clone)]
pub(super) struct Stop {
    token: CancelToken,
    address: SocketAddr,
}

impl Session {
    pub(super) fn new(client: Client, over: oneshot::Receiver<()>, address: SocketAddr) -> Self {
        Self { client, over, address, is_busy: false }
    }

    /// Runs queries, and gives what the server answers.
    ///
    /// # Errors
    ///
    /// What the server says, or that it is gone.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: what was begun goes on. The session knows, and is closed in place of being reused.
    pub async fn query(&mut self, queries: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        self.is_busy = true;
        let answer = self.client.simple_query(queries).await;
        self.is_busy = false;
        answer
    }

    /// Whether something was begun and given up.
    pub(super) fn is_busy(&self) -> bool {
        self.is_busy
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(super) fn stop(&self) -> Stop {
        Stop { token: self.client.cancel_token(), address: self.address }
    }

    /// Says goodbye, and waits until the task has ended.
    pub(super) async fn end(self) {
        drop(self.client);
        // An error says that it has ended already.
        drop(self.over.await);
    }
}

impl Stop {
    /// Has the server cancel what it does for the session, and waits until it has been told.
    pub(super) async fn cancel(&self) -> Result<(), Box<dyn error::Error + Send + Sync>> {
        let mut stream = TcpStream::connect(self.address).await?;
        self.token.cancel_query_raw(&mut stream, NoTls).await?;
        // The server closes when it has passed the request on.
        stream.read_to_end(&mut Vec::new()).await?;
        Ok(())
    }
}

/// Connects, and then speaks for the connection until both sides have ended it. If nobody waits for the connection any
/// more it is ended in the same way: a session that was half open would be left on the server.
pub(super) async fn drive(
    address: SocketAddr,
    manners: Manners,
    mut opened: oneshot::Sender<Opened>,
    _over: oneshot::Sender<()>,
) {
    let connected = tokio::select! {
        connected = TcpStream::connect(address) => connected,
        () = opened.closed() => return,
    };
    let stream = match connected.and_then(prepared) {
        Ok(stream) => Arc::new(stream),
        Err(error) => return drop(opened.send(Err(error.into()))),
    };
    let mut config = Config::new();
    config.user(USER).dbname("postgres").application_name("landfall");
    let begun = tokio::select! {
        begun = config.connect_raw(Shared(Arc::clone(&stream)), NoTls) => begun,
        () = opened.closed() => {
            if manners == Manners::Forgets {
                Box::leak(Box::new(stream));
                return;
            }
            return goodbye(&stream, manners).await;
        }
    };
    match begun {
        Ok((client, connection)) => {
            // A client that nobody takes is dropped, and the connection says goodbye.
            drop(opened.send(Ok((client, Arc::clone(&stream)))));
            // Who uses the connection hears of an error too.
            drop(connection.await);
        }
        Err(error) => drop(opened.send(Err(error.into()))),
    }
    goodbye(&stream, manners).await;
}

fn prepared(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    sockopt::set_tcp_user_timeout(&stream, UNCONFIRMED_MAX.as_millis() as u32)?;
    Ok(stream)
}

/// Says that nothing more will come, and reads until the server has ended too. By then its session is gone.
async fn goodbye(stream: &TcpStream, manners: Manners) {
    end_writing(stream);
    if manners == Manners::DoesNotWait {
        return;
    }
    let mut rest = [0; 1_024];
    let ends = async {
        loop {
            match stream.readable().await.and_then(|()| stream.try_read(&mut rest)) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    };
    if timeout(GOODBYE_MAX, ends).await.is_err() {
        tracing::warn!(elapsed = ?GOODBYE_MAX, "the end of a session was not seen");
    }
}

/// Tells the server that nothing more will come; what it sends still arrives.
pub(super) fn end_writing(stream: &TcpStream) {
    // It fails when the other side has ended the connection.
    _ = shutdown(stream, Shutdown::Write);
}

/// A stream that outlives the connection that uses it: so who drops that can still wait for the server's end.
struct Shared(Arc<TcpStream>);

impl AsyncRead for Shared {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            match self.0.try_read(buffer.initialize_unfilled()) {
                Ok(read) => {
                    buffer.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Shared {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        end_writing(&self.0);
        Poll::Ready(Ok(()))
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("address", &self.address)
            .field("is_busy", &self.is_busy)
            .finish_non_exhaustive()
    }
}
