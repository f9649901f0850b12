//! One HTTP request over a connection of its own, with or without TLS.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use landfall_lifecycle::{SpawnError, TaskSet};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;

use crate::target::{Host, Target};

/// The longest head of a response.
const HEAD_BYTES_MAX: usize = 65_536;

/// How much of a response's body is read, and for how long, so that a target that answers a little sees no reset. The
/// answer that counts is the status; a body without end is left.
const BODY_BYTES_MAX: usize = 65_536;
const BODY_TIME_MAX: Duration = Duration::from_secs(1);

/// Why a request got no status.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    #[error("no TLS session")]
    Tls(#[source] io::Error),
    #[error("no response")]
    Http(#[source] hyper::Error),
    /// The task set takes no more tasks: nothing was sent.
    #[error("no new connections any more")]
    Spawn(#[source] SpawnError),
}

/// Makes requests. Its connections are driven by tasks of a set, which it keeps alive: to be held by tasks of other
/// sets only.
#[derive(Clone)]
pub(crate) struct Client {
    tls: TlsConnector,
    set: TaskSet,
}

impl Client {
    pub(crate) fn new(tls: Arc<ClientConfig>, set: TaskSet) -> Self {
        Self { tls: TlsConnector::from(tls), set }
    }

    /// Sends a request to an address, over TLS if the target's URL says so, and gives the status of the response.
    ///
    /// Dropping the future closes the connection.
    pub(crate) async fn send(
        &self,
        connection: String,
        target: &Target,
        address: SocketAddr,
        request: Request<Full<Bytes>>,
    ) -> Result<StatusCode, RequestError> {
        let stream = TcpStream::connect(address).await.map_err(RequestError::Connect)?;
        if !target.is_tls() {
            return self.exchange(connection, stream, request).await;
        }
        let stream = self.tls.connect(server_name(target)?, stream).await.map_err(RequestError::Tls)?;
        self.exchange(connection, stream, request).await
    }

    async fn exchange(
        &self,
        name: String,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        request: Request<Full<Bytes>>,
    ) -> Result<StatusCode, RequestError> {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD_BYTES_MAX);
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(RequestError::Http)?;
        // Held for as long as the connection is wanted. The driver ends by itself when it is dropped, with whatever the
        // connection is doing, so it need not be aborted and shows in no report.
        let (_wanted, unwanted) = oneshot::channel::<()>();
        let driver = async move {
            select(pin!(connection), unwanted).await;
        };
        self.set.spawn(name, driver).map_err(RequestError::Spawn)?;
        let response = sender.send_request(request).await.map_err(RequestError::Http)?;
        let status = response.status();
        // Whether this ends, fails or takes too long changes nothing about the status.
        _ = tokio::time::timeout(BODY_TIME_MAX, read_some(response.into_body())).await;
        Ok(status)
    }
}

async fn read_some(mut body: Incoming) {
    let mut seen = 0;
    while let Some(Ok(frame)) = body.frame().await {
        seen += frame.data_ref().map_or(0, Bytes::len);
        if seen > BODY_BYTES_MAX {
            return;
        }
    }
}

fn server_name(target: &Target) -> Result<ServerName<'static>, RequestError> {
    match target.host() {
        Host::Address(address) => Ok(ServerName::from(*address)),
        Host::Name(name) => ServerName::try_from(name.clone())
            .map_err(|error| RequestError::Tls(io::Error::new(io::ErrorKind::InvalidInput, error))),
    }
}

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file of `--tls-ca` cannot be read, or holds something that is no certificate.
    #[error("the file of certificates {} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file of `--tls-ca` holds no certificate.
    #[error("the file {} holds no certificates in PEM form", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The TLS library refuses its own defaults.
    #[error("no TLS configuration")]
    Config {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Makes the TLS configuration: the public authorities, and those in a file.
pub(crate) fn tls_config(ca: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(path) = ca {
        let unreadable =
            |source: Box<dyn std::error::Error + Send + Sync>| TlsError::Unreadable { path: path.to_owned(), source };
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(error.into()))?;
        let before = roots.len();
        for certificate in certificates {
            let certificate = certificate.map_err(|error| unreadable(error.into()))?;
            roots.add(certificate).map_err(|error| unreadable(error.into()))?;
        }
        if roots.len() == before {
            return Err(TlsError::Empty { path: path.to_owned() });
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Config { source: error.into() })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
