//! One question to one server, over a socket that lives as long as the future.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use hickory_proto::op::ResponseCode;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::message::{Answer, Question, Unread};
use super::policy::{DnsPolicy, Transport};

/// How many datagrams that answer something else are passed over before the server is given up: it, or somebody in
/// between, floods us.
const FOREIGN_MAX: usize = 64;

/// Why a server has given no answer.
#[derive(Debug, Error)]
pub(super) enum ServerError {
    #[error("it did not answer in time")]
    TimedOut,
    #[error("the exchange failed")]
    Io(#[from] io::Error),
    #[error("it says {0}")]
    Refused(ResponseCode),
    #[error("what it sends answers something else")]
    Foreign,
    #[error("its answer over TCP does not fit")]
    Truncated,
}

/// Asks one server. Whatever is open is closed when this is dropped.
pub(super) async fn ask(server: SocketAddr, question: &Question, policy: &DnsPolicy) -> Result<Answer, ServerError> {
    match attempt(server, question, policy, Some(policy.udp_bytes_max)).await {
        // It is from before 1999, or in front of one.
        Err(Unanswered::NoEdns) => match attempt(server, question, policy, None).await {
            Ok(answer) => Ok(answer),
            Err(Unanswered::Error(error)) => Err(error),
            Err(Unanswered::NoEdns) => Err(ServerError::Refused(ResponseCode::FormErr)),
        },
        Ok(answer) => Ok(answer),
        Err(Unanswered::Error(error)) => Err(error),
    }
}

enum Unanswered {
    NoEdns,
    Error(ServerError),
}

impl From<io::Error> for Unanswered {
    fn from(error: io::Error) -> Self {
        Self::Error(error.into())
    }
}

async fn attempt(
    server: SocketAddr,
    question: &Question,
    policy: &DnsPolicy,
    edns: Option<u16>,
) -> Result<Answer, Unanswered> {
    let answer = match policy.transport {
        Transport::Udp => over_udp(server, question, edns).await?,
        Transport::Tcp => Err(Unread::Truncated),
    };
    let answer = match answer {
        Err(Unread::Truncated) => over_tcp(server, question, edns).await?,
        answer => answer,
    };
    answer.map_err(|unread| match unread {
        Unread::NoEdns => Unanswered::NoEdns,
        Unread::Foreign => Unanswered::Error(ServerError::Foreign),
        Unread::Truncated => Unanswered::Error(ServerError::Truncated),
        Unread::Refused(code) => Unanswered::Error(ServerError::Refused(code)),
    })
}

/// Takes a new port for each question: whoever would forge an answer has to guess it, and the id. A late answer to an
/// earlier one finds nobody.
async fn over_udp(server: SocketAddr, question: &Question, edns: Option<u16>) -> io::Result<Result<Answer, Unread>> {
    let local: SocketAddr =
        if server.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(local).await?;
    // So that the kernel takes datagrams from this server only, and tells if nobody is there.
    socket.connect(server).await?;
    let (sent, bytes) = question.encode(edns);
    socket.send(&bytes).await?;
    let mut buffer = vec![0; edns.unwrap_or(512).into()];
    for _ in 0..FOREIGN_MAX {
        let length = socket.recv(&mut buffer).await?;
        match sent.read(&buffer[..length]) {
            Err(Unread::Foreign) => {}
            read => return Ok(read),
        }
    }
    Ok(Err(Unread::Foreign))
}

async fn over_tcp(server: SocketAddr, question: &Question, edns: Option<u16>) -> io::Result<Result<Answer, Unread>> {
    let mut stream = TcpStream::connect(server).await?;
    let (sent, bytes) = question.encode(edns);
    let length = u16::try_from(bytes.len()).expect("a question is short");
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend(bytes);
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; length.into()];
    stream.read_exact(&mut answer).await?;
    Ok(sent.read(&answer))
}
