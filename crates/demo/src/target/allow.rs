//! The rules that say which targets are allowed.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::{Host, HostError, Target, split_port};

/// Why a target is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Forbidden {
    #[error("the target's host and port are not on the list of allowed targets")]
    Target,
    #[error("the target's host resolves to an address that is not allowed")]
    Address,
}

/// One entry of the list of allowed targets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AllowRule {
    /// `localhost`, 127.0.0.0/8 and ::1, each with any port.
    Loopback,
    /// One host, with one port or any.
    Host(HostRule),
}

/// A host and perhaps a port that are allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRule {
    host: Host,
    port: Option<u16>,
}

/// A text that is no rule.
#[derive(Clone, Debug, thiserror::Error)]
#[error("HOST, HOST:PORT or loopback is allowed, such as hooks.example.com:443 or [2001:db8::1]; {0}")]
pub struct RuleError(HostError);

impl AllowRule {
    pub(crate) fn address(address: SocketAddr) -> Self {
        Self::Host(HostRule { host: Host::Address(address.ip().to_canonical()), port: Some(address.port()) })
    }

    fn allows_host(&self, target: &Target) -> bool {
        match (self, &target.host) {
            (_, Host::Address(address)) => self.allows_address(*address, target.port),
            (Self::Loopback, Host::Name(name)) => name == "localhost",
            (Self::Host(rule), host) => rule.host == *host && rule.allows_port(target.port),
        }
    }

    fn allows_address(&self, address: IpAddr, port: u16) -> bool {
        match self {
            Self::Loopback => address.is_loopback(),
            Self::Host(rule) => match &rule.host {
                Host::Address(allowed) => *allowed == address && rule.allows_port(port),
                // Only by this name: another one that resolves to the same place is another rule's matter.
                Host::Name(name) => name == "localhost" && address.is_loopback() && rule.allows_port(port),
            },
        }
    }
}

impl HostRule {
    fn allows_port(&self, port: u16) -> bool {
        self.port.is_none_or(|allowed| allowed == port)
    }
}

impl FromStr for AllowRule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        if text == "loopback" {
            return Ok(Self::Loopback);
        }
        let (host, port) = split_port(text).map_err(RuleError)?;
        Ok(Self::Host(HostRule { host, port }))
    }
}

/// The targets that are allowed.
#[derive(Clone, Debug)]
pub(crate) struct AllowList(Vec<AllowRule>);

impl AllowList {
    pub(crate) fn new(rules: Vec<AllowRule>) -> Self {
        Self(rules)
    }

    /// Says whether events for this target are taken.
    pub(crate) fn check(&self, target: &Target) -> Result<(), Forbidden> {
        if self.0.iter().any(|rule| rule.allows_host(target)) { Ok(()) } else { Err(Forbidden::Target) }
    }

    /// Says whether a connection for this target may go to an address its host resolved to.
    ///
    /// An allowed name may resolve to any address but the ones that mean this machine or its neighbourhood: those need
    /// a rule of their own, or whoever owns the name could reach what only we can reach.
    pub(crate) fn check_address(&self, target: &Target, address: IpAddr) -> Result<(), Forbidden> {
        self.check(target)?;
        let address = address.to_canonical();
        let by_address = self.0.iter().any(|rule| rule.allows_address(address, target.port));
        let by_name = matches!(&target.host, Host::Name(name) if name != "localhost") && !is_near(address);
        if by_address || by_name { Ok(()) } else { Err(Forbidden::Address) }
    }
}

/// Whether an address means this machine, or whoever happens to be beside it.
fn is_near(address: IpAddr) -> bool {
    address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || match address {
            IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast() || v4.octets()[0] == 0,
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(rules: &[&str]) -> AllowList {
        AllowList::new(rules.iter().map(|rule| rule.parse().unwrap()).collect())
    }

    #[track_caller]
    fn check_allowed(rules: &[&str], url: &str, expected: bool) {
        let target: Target = url.parse().expect("a target");
        assert_eq!(allow(rules).check(&target).is_ok(), expected, "{rules:?} and {url}");
    }

    #[test]
    fn targets_need_a_rule() {
        for loopback in ["http://127.0.0.1/", "http://127.9.9.9:1/", "http://[::1]:65535/", "http://LOCALHOST./x"] {
            check_allowed(&["loopback"], loopback, true);
            check_allowed(&["example.com"], loopback, false);
        }
        for other in ["http://0.0.0.0/", "http://[::]/", "http://10.0.0.1/", "http://169.254.169.254/"] {
            check_allowed(&["loopback"], other, false);
        }
        for alias in ["http://localhost.localdomain/", "http://xlocalhost/", "http://localhost.evil.example/"] {
            check_allowed(&["loopback"], alias, false);
        }
        check_allowed(&["Hooks.Example.com:443"], "https://hooks.EXAMPLE.com/x", true);
        check_allowed(&["hooks.example.com:443"], "http://hooks.example.com/x", false);
        check_allowed(&["hooks.example.com"], "http://hooks.example.com:81/x", true);
        check_allowed(&["hooks.example.com"], "http://example.com/", false);
        check_allowed(&["10.1.2.3", "loopback"], "http://10.1.2.3:99/", true);
        check_allowed(&["[2001:db8::1]:8443"], "https://[2001:DB8:0::1]:8443/", true);
        check_allowed(&["[2001:db8::1]:8443"], "https://[2001:db8::1]/", false);
        check_allowed(&["localhost:9000"], "http://127.0.0.1:9000/", true);
        check_allowed(&["localhost:9000"], "http://localhost:9001/", false);
    }

    #[track_caller]
    fn check_address(rules: &[&str], url: &str, address: &str, expected: bool) {
        let target: Target = url.parse().expect("a target");
        let found = allow(rules).check_address(&target, address.parse().expect("an address"));
        assert_eq!(found.is_ok(), expected, "{rules:?}, {url} at {address}");
    }

    #[test]
    fn what_a_name_resolves_to_is_checked_again() {
        check_address(&["loopback"], "http://localhost/", "127.0.0.1", true);
        check_address(&["loopback"], "http://localhost/", "::1", true);
        check_address(&["loopback"], "http://localhost/", "10.0.0.1", false);
        check_address(&["localhost:9000"], "http://localhost:9000/", "::1", true);
        check_address(&["localhost:9000"], "http://localhost:9000/", "10.0.0.1", false);
        check_address(&["example.com"], "http://example.com/", "93.184.216.34", true);
        check_address(&["example.com"], "http://example.com/", "10.0.0.1", true);
        for near in ["127.0.0.1", "0.0.0.0", "0.1.2.3", "169.254.169.254", "::1", "::", "::ffff:127.0.0.1", "fe80::1"] {
            check_address(&["example.com"], "http://example.com/", near, false);
        }
        check_address(&["example.com", "loopback"], "http://example.com/", "127.0.0.1", true);
        check_address(&["example.com", "127.0.0.1:80"], "http://example.com/", "127.0.0.1", true);
        check_address(&["example.com", "127.0.0.1:80"], "http://example.com:81/", "127.0.0.1", false);
        check_address(&["other.example"], "http://example.com/", "93.184.216.34", false);
    }

    #[test]
    fn rules_are_hosts_with_or_without_a_port() {
        for wrong in
            ["", ":80", "host:0", "host:65536", "host:+80", "::1", "[::1", "http://host/", "a b", "user@host", "127.1"]
        {
            assert!(wrong.parse::<AllowRule>().is_err(), "{wrong:?}");
        }
    }
}
