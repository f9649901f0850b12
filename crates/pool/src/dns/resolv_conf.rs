//! The system's name servers and search list, for whoever calls for it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::name;

/// How many servers and how many domains are taken over; glibc takes three and six.
const SERVERS_MAX: usize = 8;
const DOMAINS_MAX: usize = 8;

/// What stands in a file like `/etc/resolv.conf`, as far as it is used: resolv.conf(5).
///
/// Nothing reads one unless you do. It is not read again when it changes.
///
/// # Examples
///
/// ```
/// use landfall_pool::dns::ResolvConf;
///
/// let conf = ResolvConf::parse("nameserver 10.0.0.53\nsearch shop.svc.cluster.local\noptions ndots:5\n");
/// assert_eq!(conf.servers, ["10.0.0.53:53".parse()?]);
/// assert_eq!((conf.search, conf.ndots), (vec!["shop.svc.cluster.local".to_owned()], 5));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResolvConf {
    /// The name servers, at port 53; of more than 8 the first ones.
    pub servers: Vec<SocketAddr>,
    /// The domains that a plain name is looked for in; of more than 8 the first ones.
    pub search: Vec<String>,
    /// With how many dots a name is asked for as it is first. At most 15. Default 1.
    pub ndots: u8,
}

impl Default for ResolvConf {
    fn default() -> Self {
        Self { servers: Vec::new(), search: Vec::new(), ndots: 1 }
    }
}

impl ResolvConf {
    /// Reads a file. Blocks the thread for as long as that takes.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn read(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self::parse(&std::fs::read_to_string(path)?))
    }

    /// Takes over what it understands, and passes over the rest, as glibc does: a server with a zone, an option that is
    /// none of ours, timeouts and attempts, which [`DnsPolicy`](super::DnsPolicy) has.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut conf = Self::default();
        for line in text.lines() {
            let line = line.split(['#', ';']).next().unwrap_or_default();
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => conf.servers.extend(words.next().and_then(server)),
                // The last one of both holds.
                Some("search" | "domain") => conf.search = words.filter_map(domain).take(DOMAINS_MAX).collect(),
                Some("options") => {
                    let ndots = words.filter_map(|word| word.strip_prefix("ndots:")?.parse().ok()).next_back();
                    conf.ndots = ndots.unwrap_or(conf.ndots).min(15);
                }
                _ => {}
            }
        }
        conf.servers.truncate(SERVERS_MAX);
        conf
    }
}

fn server(text: &str) -> Option<SocketAddr> {
    Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, 53))
}

fn domain(text: &str) -> Option<String> {
    let name = name::parse("domain", text).ok()?;
    Some(name::shown(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_does_not_understand_is_passed_over() {
        let conf = ResolvConf::parse(
            "# a comment\n\
             domain old.example\n\
             nameserver 127.0.0.53 ; the local one\n\
             nameserver ::1\n\
             nameserver fe80::1%eth0\n\
             nameserver\n\
             nameserver nonsense\n\
             search one.example. bad..name two.example # the last one holds\n\
             options timeout:1 ndots:99 ndots:x rotate\n\
             sortlist 130.155.160.0\n",
        );
        assert_eq!(conf.servers, ["127.0.0.53:53".parse().unwrap(), "[::1]:53".parse().unwrap()]);
        assert_eq!((conf.search, conf.ndots), (vec!["one.example".to_owned(), "two.example".to_owned()], 15));
        assert_eq!(ResolvConf::parse(""), ResolvConf::default());
    }

    #[test]
    fn it_takes_over_only_so_much() {
        let many: String = (0..100).map(|number| format!("nameserver 10.0.0.{number}\n")).collect();
        let long = (0..100).map(|number| format!(" d{number}.example")).collect::<String>();
        let conf = ResolvConf::parse(&format!("{many}search{long}\n"));
        assert_eq!((conf.servers.len(), conf.search.len()), (SERVERS_MAX, DOMAINS_MAX));
    }
}
