//! The system's own list of hosts, for whoever calls for it.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::Path;

/// What stands in a file like `/etc/hosts`: hosts(5).
///
/// Nothing reads one unless you do. It is not read again when it changes.
///
/// # Examples
///
/// ```
/// use landfall_pool::dns::Hosts;
///
/// let hosts = Hosts::parse("127.0.0.1 localhost\n10.0.0.7 db-1 primary # ours\n");
/// assert_eq!(hosts.addresses("Primary"), ["10.0.0.7".parse::<std::net::IpAddr>()?]);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    by_name: BTreeMap<String, Vec<IpAddr>>,
}

impl Hosts {
    /// Reads a file. Blocks the thread for as long as that takes.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn read(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self::parse(&std::fs::read_to_string(path)?))
    }

    /// Takes over what it understands, and passes over the rest.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut hosts = Self::default();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else { continue };
            for name in words {
                let addresses = hosts.by_name.entry(key(name)).or_default();
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        hosts
    }

    /// The addresses of a name, which may be written in large letters and with a dot at its end.
    #[must_use]
    pub fn addresses(&self, name: &str) -> &[IpAddr] {
        self.by_name.get(&key(name)).map_or(&[], Vec::as_slice)
    }
}

fn key(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_does_not_understand_is_passed_over() {
        let hosts =
            Hosts::parse("::1 Localhost ip6-localhost\n127.0.0.1 localhost\n127.0.0.1 localhost\nnonsense x\n#\n");
        let both: [IpAddr; 2] = ["::1".parse().unwrap(), "127.0.0.1".parse().unwrap()];
        assert_eq!(hosts.addresses("localhost."), both);
        assert_eq!(hosts.addresses("x"), [] as [IpAddr; 0]);
    }
}
