//! From names and servers to a resolver.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use thiserror::Error;
use tokio::time::Instant;

use super::directory::{Directory, Target};
use super::hosts::Hosts;
use super::name::{candidates, parse, shown};
use super::policy::DnsPolicy;
use super::resolv_conf::ResolvConf;
use super::resolver::{Asks, DnsResolver};
use super::servers::Servers;
use crate::backend::Backend;
use crate::core::Random;
use crate::policy::PolicyError;

/// The most name servers that may be given.
const SERVERS_MAX: usize = 64;

/// A resolver about to be built. Made by [`DnsResolver::service`] and [`DnsResolver::host`].
#[derive(Clone, Debug)]
#[must_use = "nothing is built unless `build` is called"]
pub struct DnsBuilder {
    wanted: Wanted,
    servers: Vec<SocketAddr>,
    discovered_by: Option<String>,
    conf: Option<ResolvConf>,
    hosts: Hosts,
    policy: DnsPolicy,
}

#[derive(Clone, Debug)]
enum Wanted {
    Service(String),
    Host(String, u16),
}

/// Why a resolver was not built.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DnsBuildError {
    /// A name is none that could be looked up.
    #[error("{part} {name:?} cannot be looked up: {why}")]
    Name {
        /// What it is the name of: `service`, `host`, `servers`.
        part: &'static str,
        /// The name as it was given.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A host was given with port 0.
    #[error("host {host:?} has port 0, at which nothing can be reached")]
    Port {
        /// The host's name.
        host: String,
    },
    /// No name server was given.
    #[error("there is no name server to ask for {name:?}: give the builder one")]
    NoServers {
        /// What was to be asked for.
        name: String,
    },
    /// A name server has an address that nothing can be sent to.
    #[error("name server {address} cannot be asked: its port is 0, or its address is that of no host")]
    Server {
        /// Its address.
        address: SocketAddr,
    },
    /// More name servers were given than may be.
    #[error("{count} name servers were given; at most {max} may be")]
    TooManyServers {
        /// How many.
        count: usize,
        /// How many may be.
        max: usize,
    },
    /// A field of the policy cannot be so.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl DnsBuilder {
    fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            servers: Vec::new(),
            discovered_by: None,
            conf: None,
            hosts: Hosts::default(),
            policy: DnsPolicy::default(),
        }
    }

    pub(super) fn of_service(name: String) -> Self {
        Self::new(Wanted::Service(name))
    }

    pub(super) fn of_host(name: String, port: u16) -> Self {
        Self::new(Wanted::Host(name, port))
    }

    /// Adds name servers. They are asked in this order, those last that did not answer last time.
    pub fn servers(mut self, servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.servers.extend(servers);
        self
    }

    /// Has further name servers discovered by SRV records under this name, as in `_dns._udp.example.com`. They are asked
    /// before the given ones, which find them and stay the last resort; those that are no longer found are no longer
    /// asked.
    pub fn discover_servers(mut self, name: impl Into<String>) -> Self {
        self.discovered_by = Some(name.into());
        self
    }

    /// Adds the name servers of a `resolv.conf`, and has names without a dot at their end looked for in its search list.
    pub fn resolv_conf(mut self, conf: ResolvConf) -> Self {
        self.conf = Some(conf);
        self
    }

    /// Takes the addresses of a host from this list if it is in there; then nobody is asked, and the set never changes.
    pub fn hosts(mut self, hosts: Hosts) -> Self {
        self.hosts = hosts;
        self
    }

    /// Says how DNS is asked. Default: [`DnsPolicy::default`].
    pub fn policy(mut self, policy: DnsPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Builds the resolver. Nothing is asked yet: that begins with the pool. That servers cannot be reached is no error
    /// but an outage; it is logged, and claims wait.
    ///
    /// # Errors
    ///
    /// - [`DnsBuildError::Name`] for a name that does not parse, is empty or is an address.
    /// - [`DnsBuildError::Port`] for a host at port 0.
    /// - [`DnsBuildError::NoServers`], [`DnsBuildError::Server`], [`DnsBuildError::TooManyServers`] for servers that
    ///   cannot be asked.
    /// - [`DnsBuildError::Policy`] names the field, its value and what is allowed.
    pub fn build(self) -> Result<DnsResolver, DnsBuildError> {
        let Self { wanted, mut servers, discovered_by, conf, hosts, policy } = self;
        policy.check()?;
        let conf = conf.as_ref();
        let (name, target) = match wanted {
            Wanted::Service(text) => {
                let names = candidates(parse("service", &text)?, conf);
                (text, Target::Service(names))
            }
            Wanted::Host(host, 0) => return Err(DnsBuildError::Port { host }),
            Wanted::Host(text, port) => {
                let name = parse("host", &text)?;
                let listed = hosts.addresses(&shown(&name));
                if !listed.is_empty() {
                    let backend = |address: &IpAddr| Backend::new(shown(&name), SocketAddr::new(*address, port));
                    return Ok(DnsResolver::listed(listed.iter().map(backend).collect()));
                }
                (text, Target::Host(candidates(name, conf), port))
            }
        };
        servers.extend(conf.iter().flat_map(|conf| &conf.servers));
        check_servers(&servers, &name)?;
        let policy = Arc::new(policy);
        let directory = |target| Directory::new(target, Arc::clone(&policy), Random::from_process(), Instant::now());
        let discovery = match discovered_by {
            Some(text) => Some(directory(Target::Service(candidates(parse("servers", &text)?, conf)))),
            None => None,
        };
        let backends = directory(target);
        Ok(DnsResolver::asking(Asks::new(name, Servers::new(&servers), policy, backends, discovery)))
    }
}

fn check_servers(servers: &[SocketAddr], name: &str) -> Result<(), DnsBuildError> {
    if servers.is_empty() {
        return Err(DnsBuildError::NoServers { name: name.to_owned() });
    }
    if servers.len() > SERVERS_MAX {
        return Err(DnsBuildError::TooManyServers { count: servers.len(), max: SERVERS_MAX });
    }
    let cannot_be_asked =
        |server: &&SocketAddr| server.port() == 0 || server.ip().is_unspecified() || server.ip().is_multicast();
    servers.iter().find(cannot_be_asked).map_or(Ok(()), |address| Err(DnsBuildError::Server { address: *address }))
}
