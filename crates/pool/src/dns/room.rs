//! How much may be kept of what name servers say: counted in items and in bytes before it is kept, so that no server can
//! have a pool hold more.

use super::message::Service;
use super::policy::DnsPolicy;

/// What a target takes beside its name, with its record, its host, as many addresses as it may have, and the room that
/// lists keep ahead.
const TARGET_BYTES: usize = 1_536;
/// In how many places a target's name may stand, and one more.
const TARGET_NAMES: usize = 4;
/// What a backend takes beside its name in the set that was given last.
const BACKEND_BYTES: usize = 320;
const BACKEND_NAMES: usize = 3;

/// Room for a set of backends. While one is held against the last there are two.
#[derive(Debug)]
pub(super) struct Room {
    backends: usize,
    bytes: usize,
}

impl Room {
    /// For a whole set: a fifth of all bytes.
    pub(super) fn for_a_set(policy: &DnsPolicy) -> Self {
        Self { backends: policy.backends_max, bytes: policy.bytes_max / 5 }
    }

    /// Takes the room of a backend with this name, if there is as much.
    pub(super) fn take(&mut self, name: &str) -> bool {
        let bytes = BACKEND_BYTES + BACKEND_NAMES * name.len();
        if self.backends == 0 || self.bytes < bytes {
            return false;
        }
        (self.backends, self.bytes) = (self.backends - 1, self.bytes - bytes);
        true
    }
}

/// How many of the services, from the first one on, are taken over: their targets have half of all bytes.
pub(super) fn services_that_fit(services: &[Service], policy: &DnsPolicy) -> usize {
    let mut left = policy.bytes_max / 2;
    let fits = |service: &&Service| {
        let bytes = TARGET_BYTES + TARGET_NAMES * service.target.len();
        let rest = left.checked_sub(bytes);
        left = rest.unwrap_or_default();
        rest.is_some()
    };
    services.iter().take(policy.backends_max).take_while(fits).count()
}

/// How many addresses one of so many hosts may have of one family: as many as a set has room for, or what each target
/// has been counted with.
pub(super) fn addresses_that_fit(hosts: usize, policy: &DnsPolicy) -> usize {
    /// How many addresses a target may have where there are many targets.
    const ADDRESSES_MAX: usize = 16;
    let most = policy.backends_max.min(policy.bytes_max / 5 / BACKEND_BYTES);
    ADDRESSES_MAX.max(most / hosts.max(1))
}

#[cfg(test)]
mod tests {
    use hickory_proto::rr::Name;

    use super::*;

    fn policy(backends_max: usize, bytes_max: usize) -> DnsPolicy {
        DnsPolicy { backends_max, bytes_max, ..DnsPolicy::default() }
    }

    #[test]
    fn what_is_first_full_counts() {
        let target = Name::from_ascii("a".repeat(60) + ".example.").unwrap();
        let services = vec![Service { priority: 0, weight: 1, port: 1, target }; 100];
        let fit = |backends_max, bytes_max| services_that_fit(&services, &policy(backends_max, bytes_max));
        assert_eq!([fit(7, 1 << 20), fit(100, 1 << 20), fit(100, 1 << 16)], [7, 100, 18]);
        let mut room = Room::for_a_set(&policy(3, 1 << 20));
        assert_eq!([0; 4].map(|_| room.take("one")), [true, true, true, false]);
        let mut room = Room::for_a_set(&policy(100, 5 * (BACKEND_BYTES + 3 * BACKEND_NAMES)));
        assert_eq!([room.take("long name"), room.take("one"), room.take("one")], [false, true, false]);
        assert_eq!([1, 10, 1_000].map(|hosts| addresses_that_fit(hosts, &policy(400, 1 << 20))), [400, 40, 16]);
    }

    #[test]
    fn the_default_has_room_for_all_backends_of_names_of_common_length() {
        let policy = DnsPolicy::default();
        let target = Name::from_ascii("ip-10-0-0-1.eu-west-1.compute.internal.").unwrap();
        let services = vec![Service { priority: 0, weight: 1, port: 1, target }; policy.backends_max];
        assert_eq!(services_that_fit(&services, &policy), policy.backends_max);
        let mut room = Room::for_a_set(&policy);
        assert!((0..policy.backends_max).all(|_| room.take("ip-10-0-0-1.eu-west-1.compute.internal")));
    }
}
