//! The other end of a pool's connections: greets, answers, and confirms a goodbye after a moment.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use landfall_lifecycle::TaskSet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a peer sends first.
pub(super) const GREETING: u8 = b'+';
/// What it is sent last.
pub(super) const GOODBYE: u8 = b'q';
/// How long it takes over a goodbye, so that connections are being closed when the end comes.
const GOODBYE_AFTER: Duration = Duration::from_millis(3);

/// Accepts for as long as the set lives. Its tasks heed nothing: the level that ends last has no grace left.
pub(super) async fn serve(tasks: &TaskSet) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let set = tasks.downgrade();
    let accept = async move {
        while let (Ok((stream, _)), Some(set)) = (listener.accept().await, set.upgrade()) {
            if set.spawn("heedless peer", async { drop(talk(stream).await) }).is_err() {
                return;
            }
        }
    };
    tasks.spawn("heedless accept", accept).map_err(io::Error::other)?;
    Ok(address)
}

async fn talk(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(&[GREETING]).await?;
    let mut byte = [0];
    while stream.read(&mut byte).await? > 0 {
        if byte[0] == GOODBYE {
            tokio::time::sleep(GOODBYE_AFTER).await;
            return Ok(());
        }
        stream.write_all(&byte).await?;
    }
    Ok(())
}
