//! One instance of what a pool connects to.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;

/// One instance of a service: a name and an address.
///
/// Two with the same name and different addresses are two backends; with another priority or weight it is the same one.
/// The name is shown in logs, statistics and reports: put no secret into it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Backend {
    /// What it is called.
    pub name: Cow<'static, str>,
    /// Where it is.
    pub address: SocketAddr,
    /// Those of the lowest number are used for as long as one of them answers. Default 0.
    pub priority: u16,
    /// Its share beside others of its priority; 0 is taken for 1. Default 1.
    pub weight: u32,
}

impl Backend {
    /// A backend with a name of its own.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, address: SocketAddr) -> Self {
        Self { name: name.into(), address, priority: 0, weight: 1 }
    }

    /// The same backend with another priority and weight.
    #[must_use]
    pub fn ranked(self, priority: u16, weight: u32) -> Self {
        Self { priority, weight, ..self }
    }

    /// Whether both are the same one, whatever their ranks.
    pub(crate) fn is(&self, other: &Self) -> bool {
        #[cfg(test)]
        COMPARED.set(COMPARED.get() + 1);
        self.address == other.address && self.name == other.name
    }
}

#[cfg(test)]
thread_local! {
    static COMPARED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// How often this thread has asked whether two are the same one.
#[cfg(test)]
pub(crate) fn compared() -> u64 {
    COMPARED.get()
}

/// Named after its address.
impl From<SocketAddr> for Backend {
    fn from(address: SocketAddr) -> Self {
        Self::new(address.to_string(), address)
    }
}

/// The name, and the address if there is one: not the unspecified one, which stands for what no socket leads to, such as
/// a file.
impl Display for Backend {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        let has_none = self.address.ip().is_unspecified() && self.address.port() == 0;
        if has_none || self.name.parse() == Ok(self.address) { Ok(()) } else { write!(f, " ({})", self.address) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_is_shown_with_its_address_once() {
        let address: SocketAddr = "127.0.0.1:5432".parse().unwrap();
        assert_eq!(Backend::from(address).to_string(), "127.0.0.1:5432");
        assert_eq!(Backend::new("db-1", address).to_string(), "db-1 (127.0.0.1:5432)");
        let nowhere: SocketAddr = "0.0.0.0:0".parse().unwrap();
        assert_eq!(Backend::new("orders.db", nowhere).to_string(), "orders.db");
    }
}
