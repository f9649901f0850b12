//! Where brokers are, and how connections to them are made.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use futures_util::future::{BoxFuture, FutureExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// What goes to and fro on a connection.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Makes connections. [`Tcp`] does unless a test has brokers of its own.
pub trait Dial: fmt::Debug + Send + Sync {
    /// Makes one. It is dropped when its time is over, or when the client ends.
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives the attempt up.
    fn dial(&self, endpoint: &Endpoint) -> BoxFuture<'static, io::Result<Box<dyn Stream>>>;
}

/// Connections over TCP, to addresses and to `localhost`.
///
/// Other names are refused: the system looks them up by a call that nobody can end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp;

impl Dial for Tcp {
    fn dial(&self, endpoint: &Endpoint) -> BoxFuture<'static, io::Result<Box<dyn Stream>>> {
        let (host, port) = (endpoint.host.clone(), endpoint.port);
        async move {
            let address = match host.parse::<IpAddr>() {
                Ok(address) => address,
                Err(_) if host == "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
                Err(_) => {
                    let why = format!("{host:?} is neither an address nor localhost, and names are not looked up");
                    return Err(io::Error::new(io::ErrorKind::Unsupported, why));
                }
            };
            let stream = TcpStream::connect((address, port)).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        }
        .boxed()
    }
}

/// A host and its port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Endpoint {
    /// An address, IPv6 without brackets, or a name.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Endpoint {
    pub(crate) fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A text is no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no HOST:PORT")]
#[non_exhaustive]
pub struct EndpointError {
    /// The text.
    pub text: String,
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let error = || EndpointError { text: text.to_owned() };
        let (host, port) = text.rsplit_once(':').ok_or_else(error)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = port.parse().map_err(|_| error())?;
        if host.is_empty() || port == 0 { Err(error()) } else { Ok(Self::new(host, port)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_host_and_a_port() {
        let shown = |text: &str| text.parse::<Endpoint>().map(|endpoint| endpoint.to_string());
        for text in ["127.0.0.1:9092", "localhost:1", "[::1]:9092"] {
            assert_eq!(shown(text), Ok(text.to_owned()));
        }
        for text in ["", "9092", "localhost", ":9092", "localhost:0", "localhost:99999", "localhost:x"] {
            assert!(shown(text).is_err(), "{text}");
        }
    }
}
