//! Where an event may go: targets as clients write them, in parts.
//!
//! A relay must not be a tool against others, so whatever is not plainly a host and a port is refused, and what a name
//! resolves to is checked again before each connect.

mod allow;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use hyper::Uri;
use hyper::http::uri::{PathAndQuery, Scheme};

pub(crate) use allow::{AllowList, Forbidden};
pub use allow::{AllowRule, HostRule, RuleError};

/// The longest URL a target may have.
const TARGET_BYTES_MAX: usize = 2_048;

/// The longest first path segment that is shown; longer ones look like secrets.
const SEGMENT_SHOWN_MAX: usize = 24;

/// The URL an event is delivered to, in parts.
///
/// `Display` and `Debug` leave out the query and all of the path but its beginning: webhook URLs carry secrets there.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Target {
    tls: bool,
    host: Host,
    port: u16,
    path: PathAndQuery,
}

/// A host as one writes it in a URL, in its only spelling: lower case, no final dot, IPv4 in IPv6 taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Name(String),
    Address(IpAddr),
}

/// Why a text is not a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("a target has at most {TARGET_BYTES_MAX} bytes")]
    TooLong,
    #[error("a target is an absolute URL, such as https://host/path")]
    NotAbsolute,
    #[error("a target begins with http:// or https://")]
    Scheme,
    #[error("a target has no user name or password")]
    UserInfo,
    #[error(transparent)]
    Host(#[from] HostError),
}

/// Why a text is not a host with or without a port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HostError {
    #[error("a host is a name, an IPv4 address or a bracketed IPv6 address")]
    NoHost,
    #[error("an IPv4 address is written as four decimal numbers")]
    OddAddress,
    #[error("a port is a number from 1 to 65535")]
    Port,
}

impl Target {
    pub(crate) fn is_tls(&self) -> bool {
        self.tls
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn path(&self) -> &PathAndQuery {
        &self.path
    }

    /// The host and the port, as in a `Host` header.
    pub(crate) fn authority(&self) -> String {
        let default = if self.tls { 443 } else { 80 };
        if self.port == default { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
    }

    /// The whole URL, secrets included: for the database only.
    pub(crate) fn to_url(&self) -> String {
        format!("{}://{}{}", self.scheme(), self.authority(), self.path)
    }

    fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        if text.len() > TARGET_BYTES_MAX {
            return Err(TargetError::TooLong);
        }
        let uri: Uri = text.parse().map_err(|_| TargetError::NotAbsolute)?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(TargetError::NotAbsolute);
        };
        let tls = scheme == Scheme::HTTPS;
        if !tls && scheme != Scheme::HTTP {
            return Err(TargetError::Scheme);
        }
        if authority.as_str().contains('@') {
            return Err(TargetError::UserInfo);
        }
        let (host, port) = split_port(authority.as_str())?;
        let path = parts.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
        Ok(Self { tls, host, port: port.unwrap_or(if tls { 443 } else { 80 }), path })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.path().trim_start_matches('/');
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        let shown = if first.len() > SEGMENT_SHOWN_MAX { "…" } else { first };
        let more = if rest.is_empty() || shown != first { "" } else { "/…" };
        write!(f, "{}://{}/{shown}{more}", self.scheme(), self.authority())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        if let Some(bracketed) = text.strip_prefix('[') {
            let inner = bracketed.strip_suffix(']').ok_or(HostError::NoHost)?;
            let address: Ipv6Addr = inner.parse().map_err(|_| HostError::NoHost)?;
            return Ok(Self::Address(address.to_canonical()));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let last = name.rsplit('.').next().unwrap_or_default();
        let hexadecimal = last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
        if hexadecimal || (!last.is_empty() && last.bytes().all(|b| b.is_ascii_digit())) {
            // The resolver would read 2130706433, 127.1 and 0x7f.1 as addresses, where a list of names sees names.
            return name
                .parse()
                .map(|address: Ipv4Addr| Self::Address(address.into()))
                .map_err(|_| HostError::OddAddress);
        }
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        if name.len() > 253 || !name.split('.').all(is_label) {
            return Err(HostError::NoHost);
        }
        Ok(Self::Name(name))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

fn split_port(text: &str) -> Result<(Host, Option<u16>), HostError> {
    let host_end = if text.starts_with('[') { text.find(']').ok_or(HostError::NoHost)? + 1 } else { 0 };
    let (host, port) = match text[host_end..].find(':') {
        Some(colon) => (&text[..host_end + colon], Some(&text[host_end + colon + 1..])),
        None => (text, None),
    };
    let port = match port {
        None => None,
        // `parse` alone would take a sign.
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => {
            Some(port.parse().ok().filter(|port| *port != 0).ok_or(HostError::Port)?)
        }
        Some(_) => return Err(HostError::Port),
    };
    Ok((host.parse()?, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_parse(text: &str, expected: Result<&str, TargetError>) {
        let parsed = text.parse::<Target>();
        assert_eq!(parsed.as_ref().map(Target::to_url), expected.as_ref().map(|url| (*url).to_owned()), "{text:?}");
        if let Ok(target) = parsed {
            assert_eq!(target.to_url().parse(), Ok(target), "what is stored reads back the same: {text:?}");
        }
    }

    #[test]
    fn a_target_has_one_spelling() {
        check_parse("http://127.0.0.1", Ok("http://127.0.0.1/"));
        check_parse("HTTP://LocalHost:80/A?B=c", Ok("http://localhost/A?B=c"));
        check_parse("https://Example.COM.:443/x", Ok("https://example.com/x"));
        check_parse("http://example.com:443", Ok("http://example.com:443/"));
        check_parse("http://[::1]:8080/", Ok("http://[::1]:8080/"));
        check_parse("http://[::ffff:127.0.0.1]/", Ok("http://127.0.0.1/"));
        check_parse("http://[0:0::1]/", Ok("http://[::1]/"));
        check_parse("http://h/p#fragment", Ok("http://h/p"));
    }

    #[test]
    fn what_is_not_plainly_a_host_and_a_port_is_refused() {
        let host = |error| Err(TargetError::Host(error));
        for (text, expected) in [
            ("", Err(TargetError::NotAbsolute)),
            ("/path", Err(TargetError::NotAbsolute)),
            ("127.0.0.1:80", Err(TargetError::NotAbsolute)),
            ("http://", Err(TargetError::NotAbsolute)),
            ("http:// 127.0.0.1/", Err(TargetError::NotAbsolute)),
            ("http://127.0.0.1\\@host/", Err(TargetError::NotAbsolute)),
            ("http://127.0.0.1/\r\nx: y", Err(TargetError::NotAbsolute)),
            ("ftp://127.0.0.1/", Err(TargetError::Scheme)),
            ("file://127.0.0.1/etc", Err(TargetError::Scheme)),
            ("http://user@127.0.0.1/", Err(TargetError::UserInfo)),
            ("http://user:word@127.0.0.1/", Err(TargetError::UserInfo)),
            ("http://127.0.0.1:80@evil.example/", Err(TargetError::UserInfo)),
            ("http://2130706433/", host(HostError::OddAddress)),
            ("http://127.1/", host(HostError::OddAddress)),
            ("http://0x7f.1/", host(HostError::OddAddress)),
            ("http://0x7f000001/", host(HostError::OddAddress)),
            ("http://0177.0.0.1/", host(HostError::OddAddress)),
            ("http://127.0.0.1.5/", host(HostError::OddAddress)),
            ("http://999.0.0.1/", host(HostError::OddAddress)),
            ("http://host.7/", host(HostError::OddAddress)),
            ("http://-host/", host(HostError::NoHost)),
            ("http://a..b/", host(HostError::NoHost)),
            ("http://[::1%25eth0]/", host(HostError::NoHost)),
            ("http://%6cocalhost/", Err(TargetError::NotAbsolute)),
            ("http://127.0.0.1:0/", host(HostError::Port)),
            ("http://127.0.0.1:99999/", host(HostError::Port)),
            ("http://127.0.0.1:/", host(HostError::Port)),
        ] {
            check_parse(text, expected);
        }
        let long = format!("http://h/{}", "x".repeat(TARGET_BYTES_MAX));
        check_parse(&long, Err(TargetError::TooLong));
    }

    #[test]
    fn what_is_shown_of_a_target_holds_no_secret() {
        let shown = |url: &str| url.parse::<Target>().unwrap().to_string();
        assert_eq!(shown("http://127.0.0.1:9/hang?key=canary"), "http://127.0.0.1:9/hang");
        assert_eq!(shown("https://hooks.slack.com/services/T0/B0/canary"), "https://hooks.slack.com/services/…");
        assert_eq!(shown("http://h/0123456789012345678901234567canary/x"), "http://h/…");
        let debug = format!("{:?}", "http://h/a/canary?canary".parse::<Target>().unwrap());
        assert!(!debug.contains("canary"), "{debug}");
    }
}
