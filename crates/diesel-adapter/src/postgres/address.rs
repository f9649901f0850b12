//! From a URL to what is connected to.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use landfall_pool::Backend;
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, Host, SslMode, SslNegotiation, TargetSessionAttrs};

use crate::redacted::redacted;

const PORT: u16 = 5_432;

/// What a URL says.
#[derive(Debug)]
pub(super) struct Address {
    /// What may be shown of it.
    pub(super) shown: String,
    pub(super) config: Config,
    places: Vec<Place>,
}

/// One host of it.
#[derive(Debug)]
struct Place {
    host: String,
    /// None if only a resolver would know.
    ip: Option<IpAddr>,
    port: u16,
}

/// What it may not be, without what it is: that may be a part of a password.
type Refused = &'static str;

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, Refused> {
        const FORM: Refused = "postgres://USER:PASSWORD@HOST:PORT/DATABASE, with what is special percent-encoded";
        const VERIFIES: Refused =
            "one without sslmode=verify-full and verify-ca: unless `plain_text` is called, all is verified";
        let config: Config = url.parse().map_err(|_| if url.contains("sslmode=verify-") { VERIFIES } else { FORM })?;
        if config.get_user().is_none() {
            return Err("one with a user");
        }
        if config.get_target_session_attrs() != TargetSessionAttrs::Any {
            return Err("one without target_session_attrs: look at the server in an `on_open` hook");
        }
        if config.get_connect_timeout().is_some() || config.get_tcp_user_timeout().is_some() {
            return Err("one without connect_timeout and tcp_user_timeout: the policy has limits of time");
        }
        if config.get_ssl_negotiation() != SslNegotiation::Postgres
            || config.get_channel_binding() == ChannelBinding::Require
        {
            return Err("one without sslnegotiation=direct and channel_binding=require");
        }
        let places = places(&config)?;
        Ok(Self { shown: redacted(url), config, places })
    }

    /// Whether it asks for plain text, or for none.
    pub(super) fn ssl_mode(&self) -> SslMode {
        self.config.get_ssl_mode()
    }

    /// What its hosts are called.
    #[cfg(feature = "postgres-tls")]
    pub(super) fn hosts(&self) -> Vec<&str> {
        self.places.iter().map(|place| &*place.host).collect()
    }

    /// Its hosts, if each of them is an address.
    pub(super) fn backends(&self) -> Result<Vec<Backend>, Refused> {
        let backend = |place: &Place| Some(Backend::new(place.host.clone(), SocketAddr::new(place.ip?, place.port)));
        let backends: Option<Vec<Backend>> = self.places.iter().map(backend).collect();
        backends.ok_or("a host that is an IP address, or has one as hostaddr; or a `resolver`, such as landfall-pool's DnsResolver")
    }
}

fn places(config: &Config) -> Result<Vec<Place>, Refused> {
    let (hosts, ips, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let count = hosts.len().max(ips.len());
    if count == 0 {
        return Err("one with a host");
    }
    let is_listed = |given: usize| given == 0 || given == count;
    if !is_listed(hosts.len()) || !is_listed(ips.len()) || !(ports.len() <= 1 || ports.len() == count) {
        return Err("as many hostaddrs and ports as hosts");
    }
    let place = |index: usize| {
        let port = ports.get(index).or(ports.first()).copied().unwrap_or(PORT);
        let given = ips.get(index).copied();
        match (hosts.get(index), given) {
            (Some(Host::Tcp(host)), _) => Ok(Place { host: host.clone(), ip: given.or_else(|| known(host)), port }),
            (None, Some(ip)) => Ok(Place { host: ip.to_string(), ip: given, port }),
            // Unix sockets are no backends of a pool.
            _ => Err("hosts that are reached by TCP"),
        }
    };
    (0..count).map(place).collect()
}

/// Nobody has to be asked for these.
fn known(host: &str) -> Option<IpAddr> {
    match host {
        "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        _ => host.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(url: &str, why: &str) {
        let refused = Address::parse(url).and_then(|address| address.backends().map(drop)).unwrap_err();
        assert!(refused.contains(why), "{url}: {refused}");
    }

    #[test]
    fn what_cannot_be_connected_to_is_refused() {
        refused("postgres://ann@db.example:port/orders", "postgres://USER");
        refused("orders.db", "postgres://USER");
        refused("postgres://127.0.0.1/orders", "a user");
        refused("postgres://ann@/orders", "a host");
        refused("postgres://ann@%2Frun%2Fpostgresql/orders", "TCP");
        refused("postgres://ann@127.0.0.1:1,127.0.0.2:2,127.0.0.3/orders?port=7", "as many");
        refused("postgres://ann@db.example/orders", "resolver");
        refused("postgres://ann@127.0.0.1/orders?target_session_attrs=read-write", "on_open");
        refused("postgres://ann@127.0.0.1/orders?connect_timeout=1", "policy");
        refused("postgres://ann@127.0.0.1/orders?sslmode=verify-full", "is verified");
        refused("postgres://ann@127.0.0.1/orders?sslnegotiation=direct", "sslnegotiation");
        refused("postgres://ann@127.0.0.1/orders?channel_binding=require", "channel_binding");
    }

    #[track_caller]
    fn check(url: &str, backends: &[(&str, &str)]) {
        let wanted = backends.iter().map(|(name, address)| Backend::new(name.to_string(), address.parse().unwrap()));
        assert_eq!(Address::parse(url).unwrap().backends().unwrap(), wanted.collect::<Vec<_>>(), "{url}");
    }

    #[test]
    fn hosts_are_backends_with_their_names() {
        check("postgres://ann@localhost/orders", &[("localhost", "127.0.0.1:5432")]);
        check("postgres://ann@[::1]:7/orders", &[("::1", "[::1]:7")]);
        check(
            "postgres://ann@127.0.0.1:6,127.0.0.2:7/x",
            &[("127.0.0.1", "127.0.0.1:6"), ("127.0.0.2", "127.0.0.2:7")],
        );
        check("user=ann host=db.example hostaddr=127.0.0.1 port=7", &[("db.example", "127.0.0.1:7")]);
    }
}
