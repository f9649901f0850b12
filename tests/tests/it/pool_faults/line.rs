//! What the pools of these tests have: a connection to the server, and its connector.

use std::io;
use std::time::Duration;

use landfall_pool::{Backend, BoxError, ConnectCx, Connected, Connector, Fitness, Moment};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::server::GREETING;

/// For how long the other side's end is waited for.
const GOODBYE_MAX: Duration = Duration::from_millis(500);

/// A connection that knows whether it still works.
pub(super) struct Line {
    stream: TcpStream,
    is_broken: bool,
}

pub(super) struct Lines;

impl Line {
    /// Has the server send back a byte. Given up half way, the line is broken.
    pub(super) async fn ask(&mut self) -> io::Result<()> {
        self.is_broken = true;
        self.stream.write_all(b"?").await?;
        let mut answer = [0];
        self.stream.read_exact(&mut answer).await?;
        self.is_broken = answer != *b"?";
        Ok(())
    }
}

impl Lines {
    pub(super) async fn connect_to(&self, backend: &Backend) -> io::Result<Line> {
        let mut stream = TcpStream::connect(backend.address).await?;
        stream.set_nodelay(true)?;
        let mut greeting = [0; GREETING.len()];
        stream.read_exact(&mut greeting).await?;
        Ok(Line { stream, is_broken: false })
    }
}

impl Connector for Lines {
    type Connection = Line;

    async fn connect(&self, backend: &Backend, _: &ConnectCx) -> Result<Connected<Line>, BoxError> {
        Ok(self.connect_to(backend).await?.into())
    }

    fn fitness(&self, line: &mut Line, _: Moment) -> Fitness {
        // What the other side has ended or sent unasked can be seen without a wait.
        let is_quiet =
            matches!(line.stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        if line.is_broken || !is_quiet { Fitness::Broken } else { Fitness::Fit }
    }

    async fn is_valid(&self, line: &mut Line) -> Result<(), BoxError> {
        Ok(line.ask().await?)
    }

    async fn close(&self, mut line: Line) {
        let ends = async {
            line.stream.shutdown().await?;
            line.stream.read_to_end(&mut Vec::new()).await
        };
        // A server that says nothing has nothing to be waited for: there are no sessions on it.
        drop(timeout(GOODBYE_MAX, ends).await);
    }
}
