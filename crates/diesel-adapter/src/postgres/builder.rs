//! From a URL to a pool of connections to PostgreSQL.

use std::fmt::{self, Debug, Formatter};

use futures_util::future::BoxFuture;
use landfall_lifecycle::TaskName;
use landfall_pool::{Backend, BoxError, FixedResolver, MergedResolver, Policy, Pool, Resolver};
use tokio_postgres::config::SslMode;

use super::address::Address;
use super::connection::PgConnection;
use super::connector::{OnOpen, PgConnector};
use super::encryption::Encryption;
use super::session::Source;
#[cfg(feature = "postgres-tls")]
use super::tls::{Tls, TlsOptions};
use crate::build_error::{BuildError, Refusal, check_health_query};
use crate::pool::DieselPool;
use crate::redacted::redacted;

/// A pool of connections to PostgreSQL, about to be built. Made by [`DieselPool::postgres`].
#[must_use = "nothing is built unless `build` is called"]
pub struct PgBuilder {
    name: TaskName,
    url: String,
    policy: Policy,
    health_query: String,
    is_plain: bool,
    #[cfg(feature = "postgres-tls")]
    tls: TlsOptions,
    resolver: Option<MergedResolver>,
    on_open: Vec<OnOpen>,
}

impl DieselPool<PgConnector> {
    /// Begins to build a pool of connections to PostgreSQL, which is spoken in Rust: no libpq is needed.
    ///
    /// The URL is as libpq has it, `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with several hosts, with
    /// `application_name` and `options` if wanted. A host is an address, `localhost`, which is 127.0.0.1, or a name for which
    /// there is a [`resolver`](PgBuilder::resolver). User, password and options are never shown, but for
    /// what a server itself says of them; no environment variable and no password file is read.
    ///
    /// All is encrypted, and the server has to show who it is, unless [`plain_text`](PgBuilder::plain_text) is called.
    ///
    /// Each connection has a task in the pool's task set, which speaks for it and does not end before the server has ended
    /// the session. What runs is cancelled on the server when it is given up, and when the pool's grace ends.
    pub fn postgres(url: impl Into<String>) -> PgBuilder {
        PgBuilder {
            name: "postgres".into(),
            url: url.into(),
            policy: Policy::default(),
            health_query: "SELECT 1".to_owned(),
            is_plain: false,
            #[cfg(feature = "postgres-tls")]
            tls: TlsOptions::default(),
            resolver: None,
            on_open: Vec::new(),
        }
    }
}

impl PgBuilder {
    /// Names the pool, in logs, errors and reports. Default `postgres`.
    pub fn name(mut self, name: impl Into<TaskName>) -> Self {
        self.name = name.into();
        self
    }

    /// Says how the pool behaves. Default: [`Policy::default`].
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Says what an idle connection is asked to see whether it still works, at the times that the policy gives. Default
    /// `SELECT 1`.
    pub fn health_query(mut self, query: impl Into<String>) -> Self {
        self.health_query = query.into();
        self
    }

    /// Lets everything be read on the way to the server, and the server be anybody. Default: not.
    ///
    /// Without it a pool needs the feature `postgres-tls`: a server that does not encrypt, or does not show by its
    /// certificate that it is who it has to be, hears nothing.
    pub fn plain_text(mut self) -> Self {
        self.is_plain = true;
        self
    }

    /// Trusts the authorities whose certificates these are, in PEM. Default: those that Mozilla trusts, as they were when
    /// this was compiled.
    #[cfg(feature = "postgres-tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "postgres-tls")))]
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls.ca_pem = Some(pem.into());
        self
    }

    /// Says which name or address the servers' certificates have to be for. Default: the one in the URL, of several each
    /// its own. It has to be said if a resolver takes the place of several: it knows where servers are, and is not asked
    /// whom to trust.
    #[cfg(feature = "postgres-tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "postgres-tls")))]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.tls.server_name = Some(name.into());
        self
    }

    /// Says where the servers are, in place of the URL's hosts. Default: where the URL says.
    ///
    /// A resolver that gives others later moves the pool to them. Given again, it adds what the other one finds.
    pub fn resolver(mut self, resolver: impl Resolver) -> Self {
        self.resolver = Some(self.resolver.unwrap_or_default().and(resolver));
        self
    }

    /// Has every connection set up by `hook` before anybody gets it. Hooks run in the order in which they were given,
    /// within the policy's `connect_timeout`.
    pub fn on_open(
        mut self,
        hook: impl for<'conn> Fn(&'conn mut PgConnection) -> BoxFuture<'conn, Result<(), BoxError>> + Send + Sync + 'static,
    ) -> Self {
        self.on_open.push(Box::new(hook));
        self
    }

    /// Builds the pool, and starts to open its spares, on the runtime of the caller.
    ///
    /// # Errors
    ///
    /// Nothing has begun.
    ///
    /// - [`BuildError::Option`] names the option, its value without secrets and what is allowed.
    /// - [`BuildError::Pool`] for what the pool itself refuses, such as a policy or the want of a runtime.
    #[track_caller]
    pub fn build(self) -> Result<DieselPool<PgConnector>, BuildError> {
        let (mut address, encryption, hosts) = self.check().map_err(|refusal| refusal.of(&self.name))?;
        // The wire sees to it.
        address.config.ssl_mode(SslMode::Disable);
        let resolver = self.resolver.unwrap_or_else(|| MergedResolver::new().and(FixedResolver::new(hosts)));
        let source = Source { shown: address.shown, config: address.config, encryption };
        let connector = PgConnector::new(source, self.health_query, self.on_open);
        let pool = Pool::builder(self.name).resolver(resolver).connector(connector).policy(self.policy);
        Ok(DieselPool::new(pool.build()?))
    }

    /// What the URL says, and its hosts unless a resolver takes their place.
    fn check(&self) -> Result<(Address, Encryption, Vec<Backend>), Refusal> {
        let refuse_url = |allowed| Refusal::new("the address", format!("{:?}", redacted(&self.url)), allowed);
        let address = Address::parse(&self.url).map_err(refuse_url)?;
        check_health_query(&self.health_query)?;
        let encryption = match (self.is_plain, address.ssl_mode()) {
            (true, SslMode::Require) => return Err(refuse_url("without `plain_text`, or without sslmode=require")),
            (true, _) => {
                #[cfg(feature = "postgres-tls")]
                if self.tls.ca_pem.is_some() || self.tls.server_name.is_some() {
                    let value = "`plain_text` beside `ca_pem` or `server_name`".to_owned();
                    return Err(Refusal::new("encryption", value, "one or the other"));
                }
                Encryption::None
            }
            (false, SslMode::Disable) => return Err(refuse_url("with `plain_text`, or without sslmode=disable")),
            #[cfg(feature = "postgres-tls")]
            (false, _) => Encryption::Tls(Tls::new(&self.tls, &address.hosts(), self.resolver.is_some())?),
            #[cfg(not(feature = "postgres-tls"))]
            (false, _) => {
                let allowed = "`plain_text`, or the feature postgres-tls";
                return Err(Refusal::new("encryption", "wanted".to_owned(), allowed));
            }
        };
        let hosts = if self.resolver.is_some() { Vec::new() } else { address.backends().map_err(refuse_url)? };
        Ok((address, encryption, hosts))
    }
}

impl Debug for PgBuilder {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgBuilder")
            .field("name", &self.name)
            .field("database", &redacted(&self.url))
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
