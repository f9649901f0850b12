//! What is known under one name, and what is to be asked when: pure, no socket and no clock.
//!
//! | records of a name | found | there are none | nobody answers |
//! |---|---|---|---|
//! | never known | known | still unknown | still unknown |
//! | known | replaced | kept | kept |
//! | asked again | after their time to live | after that of the answer | after a pause that grows |
//!
//! So a set is lost neither to an outage nor to an empty answer: a time to live says when to ask, not when to forget.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::Name;
use tokio::time::Instant;

use super::host::{Asked, Host, Schedule};
use super::lookup::Outcome;
use super::message::{Datum, Kind, Service};
use super::name::shown;
use super::policy::DnsPolicy;
use super::room::{Room, services_that_fit};
use super::weights::weights;
use crate::backend::Backend;
use crate::core::Random;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};

/// How often a set is given while some of its names have not been answered: each costs the pool a look at all of them.
const PARTIAL_EVERY: Duration = Duration::from_millis(100);

/// What is looked for.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// SRV records under the first of these names that exists, and the addresses of their targets.
    Service(Arc<[Name]>),
    /// The addresses of the first of these names that exists, all at one port.
    Host(Arc<[Name]>, u16),
}

/// A question of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    /// The first of these that exists.
    pub(super) names: Arc<[Name]>,
    pub(super) kind: Kind,
}

/// Backends by address and name, in this order, in which they are told apart soonest.
type Set = BTreeMap<(SocketAddr, String), Backend>;

/// What is known under one name.
#[derive(Debug)]
pub(super) struct Directory {
    target: Target,
    schedule: Schedule,
    services: Asked<Service>,
    hosts: HashMap<Name, Host>,
    given: Option<Given>,
    /// Something else is known than when a set was made last.
    is_changed: bool,
}

/// The set that was given last.
#[derive(Debug)]
struct Given {
    set: Set,
    at: Instant,
}

impl Directory {
    pub(super) fn new(target: Target, policy: Arc<DnsPolicy>, random: Random, now: Instant) -> Self {
        let mut hosts = HashMap::new();
        if let Target::Host(names, _) = &target {
            hosts.insert(names[0].clone(), Host::new(Arc::clone(names), policy.families, now));
        }
        let (services, schedule) = (Asked::new(now), Schedule { policy, random });
        Self { target, schedule, services, hosts, given: None, is_changed: false }
    }

    /// Takes the questions that are due. Each is due again once it has been answered with [`Self::heard`].
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Ask> {
        let mut due = Vec::new();
        if let Target::Service(names) = &self.target
            && self.services.take_if_due(now)
        {
            due.push(Ask { names: Arc::clone(names), kind: Kind::Services });
        }
        for host in self.hosts.values_mut() {
            host.take_due(now, &mut due);
        }
        due
    }

    /// When something is due next, a set included; none while all questions are open.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let services = match self.target {
            Target::Service(_) => self.services.due(),
            Target::Host(..) => None,
        };
        let partial = self.given.as_ref().filter(|_| self.is_changed).map(|given| given.at + PARTIAL_EVERY);
        self.hosts.values().filter_map(Host::due).chain(services).chain(partial).min()
    }

    /// Takes over what came of a question.
    pub(super) fn heard(&mut self, ask: &Ask, outcome: Outcome, now: Instant) {
        if ask.kind == Kind::Services {
            let service = |datum| match datum {
                Datum::Service(service) => Some(service),
                Datum::Address(_) => None,
            };
            if self.services.heard(outcome, service, services_that_fit, &mut self.schedule, now) {
                self.is_changed = true;
                self.look_for_targets(now);
            }
            return;
        }
        let hosts = self.hosts.len();
        // A target that is no longer in the answer is gone before it was answered for.
        if let Some(host) = self.hosts.get_mut(&ask.names[0]) {
            self.is_changed |= host.heard(ask.kind, outcome, hosts, &mut self.schedule, now);
        }
    }

    fn look_for_targets(&mut self, now: Instant) {
        let targets: HashSet<&Name> = self.services.known.iter().map(|service| &service.target).collect();
        self.hosts.retain(|name, _| targets.contains(name));
        self.hosts.shrink_to_fit();
        let families = self.schedule.policy.families;
        for name in targets {
            if !self.hosts.contains_key(name) {
                self.hosts.insert(name.clone(), Host::new(Arc::from([name.clone()]), families, now));
            }
        }
    }

    /// The set, if it is another than was given last.
    ///
    /// While there are targets that nobody has been heard of yet, only what is new is given, and at times; what has gone
    /// is once all have been.
    pub(super) fn news(&mut self, now: Instant) -> Option<Vec<Backend>> {
        if self.given.is_some() && !self.is_changed {
            return None;
        }
        let is_partial = self.hosts.values().any(Host::is_new);
        if is_partial && self.given.as_ref().is_some_and(|given| now < given.at + PARTIAL_EVERY) {
            return None;
        }
        let (mut set, mut room) = self.set();
        let Some(given) = &mut self.given else { return self.first(set, now) };
        (self.is_changed, given.at) = (false, now);
        if is_partial {
            for (key, backend) in &given.set {
                // Even if those that have gone are not known to have: what is new has the room first.
                add(&mut set, &mut room, key, || backend.clone());
            }
        }
        #[cfg(landfall_faults)]
        let is_lost = set.is_empty() && !is_armed(Fault::ForgetUnanswered);
        #[cfg(not(landfall_faults))]
        let is_lost = set.is_empty();
        if is_lost || set == given.set {
            return None;
        }
        given.set = set;
        Some(given.set.values().cloned().collect())
    }

    /// That there is nothing at all is a set too, if all say so: there is none before it that could be kept.
    fn first(&mut self, set: Set, now: Instant) -> Option<Vec<Backend>> {
        if set.is_empty() && !self.is_answered() {
            return None;
        }
        self.is_changed = false;
        let backends = set.values().cloned().collect();
        self.given = Some(Given { set, at: now });
        Some(backends)
    }

    fn is_answered(&self) -> bool {
        let has_services = matches!(self.target, Target::Host(..)) || self.services.is_answered();
        has_services && self.hosts.values().all(Host::is_answered)
    }

    /// What is known, as far as there is room, and the room that is left.
    fn set(&self) -> (Set, Room) {
        let (mut set, mut room) = (Set::new(), Room::for_a_set(&self.schedule.policy));
        let mut add_host = |name: &Name, host: &Host, port: u16, (priority, weight): (u16, u32)| {
            let name = shown(name);
            for address in host.addresses() {
                let key = (SocketAddr::new(address, port), name.clone());
                add(&mut set, &mut room, &key, || Backend::new(name.clone(), key.0).ranked(priority, weight));
            }
        };
        if let Target::Host(_, port) = self.target {
            self.hosts.iter().for_each(|(name, host)| add_host(name, host, port, (0, 1)));
            return (set, room);
        }
        for (service, weight) in self.services.known.iter().zip(weights(&self.services.known)) {
            if let Some(host) = self.hosts.get(&service.target) {
                add_host(&service.target, host, service.port, (service.priority, weight));
            }
        }
        (set, room)
    }
}

/// Adds a backend that is not in the set, if there is room.
fn add(set: &mut Set, room: &mut Room, key: &(SocketAddr, String), backend: impl FnOnce() -> Backend) {
    if !set.contains_key(key) && room.take(&key.1) {
        set.insert(key.clone(), backend());
    }
}
