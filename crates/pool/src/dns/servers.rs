//! The name servers, and in which order they are asked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// One name server. It is the same one in later lists that have its address.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    /// How many questions in a row it has not answered.
    failures: AtomicU32,
}

/// Those that are asked, in the order of the configuration: what was discovered, then what was given.
#[derive(Clone, Debug)]
pub(super) struct Servers {
    given: Vec<Arc<Server>>,
    discovered: Vec<Arc<Server>>,
}

impl Server {
    fn new(address: SocketAddr) -> Arc<Self> {
        Arc::new(Self { address, failures: AtomicU32::new(0) })
    }

    pub(super) fn answered(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    pub(super) fn failed(&self) {
        // As many as are told apart; only the order hangs on it.
        self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_add(1)).ok();
    }
}

impl Servers {
    pub(super) fn new(given: &[SocketAddr]) -> Self {
        let mut servers = Self { given: Vec::new(), discovered: Vec::new() };
        for address in given {
            if servers.given.iter().all(|server| server.address != *address) {
                servers.given.push(Server::new(*address));
            }
        }
        servers
    }

    /// Replaces those that were discovered. Those that are in both lists keep what is known of them.
    pub(super) fn discover(&mut self, addresses: impl IntoIterator<Item = SocketAddr>) {
        let server_at = |address| self.each().find(|server| server.address == address).cloned();
        let discovered: Vec<_> =
            addresses.into_iter().map(|address| server_at(address).unwrap_or_else(|| Server::new(address))).collect();
        #[cfg(landfall_faults)]
        if crate::faults::is_armed(crate::faults::Fault::KeepServers) {
            return self.discovered.extend(discovered);
        }
        self.discovered = discovered;
    }

    /// All of them, those first that answered last time.
    pub(super) fn in_order(&self) -> Vec<Arc<Server>> {
        let mut servers: Vec<Arc<Server>> = Vec::new();
        for server in self.each() {
            if servers.iter().all(|known| known.address != server.address) {
                servers.push(Arc::clone(server));
            }
        }
        servers.sort_by_key(|server| server.failures.load(Ordering::Relaxed));
        servers
    }

    fn each(&self) -> impl Iterator<Item = &Arc<Server>> {
        self.discovered.iter().chain(&self.given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, number], 53))
    }

    #[track_caller]
    fn check(servers: &Servers, expected: &[u8]) {
        let found: Vec<SocketAddr> = servers.in_order().iter().map(|server| server.address).collect();
        assert_eq!(found, expected.iter().copied().map(address).collect::<Vec<_>>());
    }

    #[test]
    fn those_that_did_not_answer_come_last_until_they_do() {
        let servers = Servers::new(&[address(1), address(2), address(2), address(3)]);
        check(&servers, &[1, 2, 3]);
        let first = servers.in_order().remove(0);
        first.failed();
        check(&servers, &[2, 3, 1]);
        servers.in_order()[..2].iter().for_each(|server| server.failed());
        check(&servers, &[1, 2, 3]);
        first.failed();
        check(&servers, &[2, 3, 1]);
        first.answered();
        check(&servers, &[1, 2, 3]);
    }

    #[test]
    fn what_is_discovered_comes_first_and_goes_again() {
        let mut servers = Servers::new(&[address(1)]);
        servers.discover([address(2), address(3), address(1)]);
        check(&servers, &[2, 3, 1]);
        servers.in_order()[0].failed();
        check(&servers, &[3, 1, 2]);
        servers.discover([address(2), address(4)]);
        check(&servers, &[4, 1, 2]);
        servers.discover([]);
        check(&servers, &[1]);
    }
}
