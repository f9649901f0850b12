//! TLS, by rustls: a server shows that it is who it has to be, or hears nothing.

use std::sync::Arc;

use landfall_pool::Backend;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::open_error::PgOpenError;
use crate::build_error::Refusal;

/// Asks whether it encrypts: the length, and a version of the protocol that there is not.
const ASKS: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// What a user has said of it.
#[derive(Default)]
pub(super) struct TlsOptions {
    pub(super) ca_pem: Option<Vec<u8>>,
    pub(super) server_name: Option<String>,
}

/// Whom to trust, and as whom.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    /// None if each backend has its own name.
    server: Option<ServerName<'static>>,
}

impl Tls {
    /// A resolver says where servers are, and not whom to trust: that only the user says.
    pub(super) fn new(options: &TlsOptions, hosts: &[&str], is_resolved: bool) -> Result<Self, Refusal> {
        let trusted = match &options.ca_pem {
            Some(pem) => trusted(pem)
                .ok_or_else(|| Refusal::new("ca_pem", format!("{} bytes", pem.len()), "certificates in PEM"))?,
            None => RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        };
        let named = |name: &str| match ServerName::try_from(name.to_owned()) {
            Ok(name) => Ok(name),
            Err(_) => {
                let allowed = "what a certificate can be for: a name or an address";
                Err(Refusal::new("server_name", format!("{name:?}"), allowed))
            }
        };
        let server = match (&options.server_name, hosts) {
            (Some(name), _) => Some(named(name)?),
            (None, [host, others @ ..]) if is_resolved && others.iter().all(|other| other == host) => {
                Some(named(host)?)
            }
            (None, _) if is_resolved => {
                let allowed = "the name in the servers' certificates, if a resolver takes the place of several hosts";
                return Err(Refusal::new("server_name", "not given".to_owned(), allowed));
            }
            (None, hosts) => {
                for host in hosts {
                    named(host)?;
                }
                None
            }
        };
        let versions = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has them");
        let config = Arc::new(versions.with_root_certificates(trusted).with_no_client_auth());
        Ok(Self { config, server })
    }

    pub(super) async fn open(
        &self,
        mut stream: TcpStream,
        backend: &Backend,
        database: &str,
    ) -> Result<TlsStream<TcpStream>, PgOpenError> {
        let database = || database.to_owned();
        let unreachable = |source| PgOpenError::Unreachable { database: database(), source };
        stream.write_all(&ASKS).await.map_err(unreachable)?;
        // One byte and no more: what else has come was not encrypted, and is taken for a part of the handshake.
        match stream.read_u8().await.map_err(unreachable)? {
            b'S' => {}
            b'N' => return Err(PgOpenError::NotEncrypted { database: database() }),
            _ => {
                let source = "it does not say whether it encrypts".into();
                return Err(PgOpenError::Refused { database: database(), source });
            }
        }
        let refused = |source| PgOpenError::Refused { database: database(), source };
        let server = match &self.server {
            Some(server) => server.clone(),
            None => ServerName::try_from(backend.name.to_string()).map_err(|error| refused(error.into()))?,
        };
        let connects = TlsConnector::from(Arc::clone(&self.config)).connect(server, stream);
        connects.await.map_err(|error| match error.get_ref().and_then(|cause| cause.downcast_ref()) {
            Some(rustls::Error::InvalidCertificate(_)) => {
                PgOpenError::Untrusted { database: database(), source: error.into() }
            }
            _ => refused(error.into()),
        })
    }
}

fn trusted(pem: &[u8]) -> Option<RootCertStore> {
    let mut trusted = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        trusted.add(certificate.ok()?).ok()?;
    }
    (!trusted.is_empty()).then_some(trusted)
}
