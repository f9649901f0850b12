//! Connections over TCP with everything that a connector may have: a driver, an interrupt, a goodbye that is awaited.

use std::net::{Shutdown, TcpStream as StdStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use landfall_lifecycle::{SpawnError, TaskId};
use landfall_pool::{Backend, BoxError, ConnectCx, Connected, Connector, Fitness, Moment, Spawner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::peer::{GOODBYE, GREETING};

/// What a connection's driver waits for: the end of its connection.
type Driver = (fn(&Spawner, oneshot::Receiver<()>) -> Result<TaskId, SpawnError>, &'static str);

pub(super) const DRIVER: Driver =
    (|it, end| it.spawn("driver", async { drop(end.await) }), concat!(file!(), ":", line!()));

/// Connects, and asks for every third connection to be prepared before it is used.
#[derive(Debug, Default)]
pub(super) struct Tcp;

/// A connection.
#[derive(Debug)]
pub(super) struct Conn {
    stream: TcpStream,
    is_interrupted: Arc<AtomicBool>,
    uses: u32,
    /// Its driver ends with it.
    _driven: oneshot::Sender<()>,
}

impl Conn {
    /// Sends a byte, and waits for it to come back.
    pub(super) async fn echo(&mut self) -> std::io::Result<()> {
        self.uses += 1;
        self.stream.write_all(b".").await?;
        self.stream.read_exact(&mut [0]).await.map(drop)
    }

    /// Waits until it is interrupted.
    pub(super) async fn interrupted(&mut self) {
        drop(self.stream.read(&mut [0]).await);
    }

    pub(super) fn interrupt_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_interrupted)
    }
}

impl Connector for Tcp {
    type Connection = Conn;

    async fn connect(&self, backend: &Backend, cx: &ConnectCx) -> Result<Connected<Conn>, BoxError> {
        let mut stream = TcpStream::connect(backend.address).await?;
        if stream.read_u8().await? != GREETING {
            return Err("it does not greet".into());
        }
        let stream = stream.into_std()?;
        let is_interrupted = Arc::new(AtomicBool::new(false));
        // A descriptor of its own, which has to go too.
        let interrupt = Interrupts { stream: stream.try_clone()?, flag: Arc::clone(&is_interrupted) };
        let (_driven, end) = oneshot::channel();
        DRIVER.0(cx.spawner(), end)?;
        let conn = Conn { stream: TcpStream::from_std(stream)?, is_interrupted, uses: 0, _driven };
        Ok(Connected::from(conn).with_interrupt(interrupt))
    }

    fn fitness(&self, connection: &mut Conn, at: Moment) -> Fitness {
        match at {
            Moment::Release if connection.uses % 5 == 4 => Fitness::Broken,
            _ if connection.uses % 3 == 2 => Fitness::Prepare,
            _ => Fitness::Fit,
        }
    }

    async fn on_claim(&self, connection: &mut Conn) -> Result<(), BoxError> {
        Ok(connection.echo().await?)
    }

    async fn on_recycle(&self, connection: &mut Conn) -> Result<(), BoxError> {
        Ok(connection.echo().await?)
    }

    async fn close(&self, mut connection: Conn) {
        if connection.stream.write_all(&[GOODBYE]).await.is_ok() {
            drop(connection.stream.read(&mut [0]).await);
        }
    }
}

struct Interrupts {
    stream: StdStream,
    flag: Arc<AtomicBool>,
}

impl landfall_pool::Interrupt for Interrupts {
    fn interrupt(&self, _: &Spawner) {
        self.flag.store(true, Ordering::SeqCst);
        // One that the peer has closed already is as good as shut down.
        drop(self.stream.shutdown(Shutdown::Both));
    }
}
