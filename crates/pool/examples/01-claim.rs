//! A pool of TCP connections: built, used, and ended on purpose.

use std::io;
use std::time::Duration;

use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
use landfall_pool::{Backend, BoxError, ConnectCx, Connected, Connector, FixedResolver, Pool};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

struct Tcp;

impl Connector for Tcp {
    type Connection = TcpStream;

    async fn connect(&self, backend: &Backend, _: &ConnectCx) -> Result<Connected<TcpStream>, BoxError> {
        Ok(TcpStream::connect(backend.address).await?.into())
    }
}

/// A server that sends back what it gets.
async fn echo(listener: TcpListener) -> io::Result<()> {
    let (mut stream, _) = listener.accept().await?;
    let mut buffer = [0; 64];
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..read]).await?;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = TaskSet::new("server");
    server.spawn("echo", echo(listener))?;

    let pool = Pool::builder("orders").resolver(FixedResolver::new([address])).connector(Tcp).build()?;
    let mut connection = pool.claim().await?;
    connection.write_all(b"hello").await?;
    let mut answer = [0; 5];
    connection.read_exact(&mut answer).await?;
    println!("{} says {}", connection.backend(), String::from_utf8_lossy(&answer));
    drop(connection);

    let how = Shutdown::within(Duration::from_secs(5), Duration::from_secs(6));
    let report = pool.terminate(&how).await?;
    println!("{report}");
    assert!(report.is_clean());
    assert!(server.terminate(&how).await?.is_clean());
    Ok(())
}
