//! Name servers for a pool: one that answers with the address of the peers, over UDP and, every third time, only over
//! TCP; and one that is silent.

use std::io;
use std::net::SocketAddr;

use landfall_lifecycle::TaskSet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// What is said to be at 127.0.0.1.
pub(super) const HOST: &str = "db.example";

/// Flags of an answer, and of one that does not fit.
const ANSWER: u16 = 0x8180;
const TRUNCATED: u16 = 0x8380;
const TYPE_A: u16 = 1;
const HEADER_BYTES: usize = 12;

/// Answers for as long as the set lives. Its tasks heed nothing: the level that ends last has no grace left.
pub(super) async fn serve(tasks: &TaskSet) -> io::Result<SocketAddr> {
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await?;
        // Somebody may have this port for TCP.
        if let Ok(tcp) = TcpListener::bind(udp.local_addr()?).await {
            break (udp, tcp);
        }
    };
    let address = udp.local_addr()?;
    let answers = async move {
        let mut buffer = [0; 1_024];
        for number in 0_u64.. {
            let Ok((length, from)) = udp.recv_from(&mut buffer).await else { continue };
            if let Some(answer) = answer(&buffer[..length], number % 3 == 2) {
                // Who asked may have gone.
                drop(udp.send_to(&answer, from).await);
            }
        }
    };
    tasks.spawn("heedless name server", answers).map_err(io::Error::other)?;
    let set = tasks.downgrade();
    let accept = async move {
        while let (Ok((stream, _)), Some(set)) = (tcp.accept().await, set.upgrade()) {
            if set.spawn("heedless name server", async { drop(talk(stream).await) }).is_err() {
                return;
            }
        }
    };
    tasks.spawn("heedless name server", accept).map_err(io::Error::other)?;
    Ok(address)
}

async fn talk(mut stream: TcpStream) -> io::Result<()> {
    loop {
        let mut question = vec![0; stream.read_u16().await?.into()];
        stream.read_exact(&mut question).await?;
        let answer = answer(&question, false).ok_or(io::ErrorKind::InvalidData)?;
        stream.write_u16(answer.len().try_into().map_err(io::Error::other)?).await?;
        stream.write_all(&answer).await?;
    }
}

/// That every name is at 127.0.0.1 and nowhere else, for no time at all.
fn answer(question: &[u8], is_truncated: bool) -> Option<Vec<u8>> {
    let asked = question.get(HEADER_BYTES..)?;
    // The name's labels up to the empty one, its type, its class.
    let end = asked.iter().position(|byte| *byte == 0)? + 5;
    let asked = asked.get(..end)?;
    let kind = u16::from_be_bytes(asked[end - 4..end - 2].try_into().ok()?);
    let records: u16 = (kind == TYPE_A && !is_truncated).into();
    let mut answer = question[..2].to_vec();
    for field in [if is_truncated { TRUNCATED } else { ANSWER }, 1, records, 0, 0] {
        answer.extend(field.to_be_bytes());
    }
    answer.extend(asked);
    if records == 1 {
        // The name as above, A, IN, 0 s, four bytes.
        answer.extend([0xc0, HEADER_BYTES as u8, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
    }
    Some(answer)
}
