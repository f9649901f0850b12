//! The records of one name and kind, and the addresses of one host: what is known of them, and when to ask.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::Name;
use tokio::time::Instant;

use super::directory::Ask;
use super::lookup::Outcome;
use super::message::{Datum, Kind};
use super::policy::{DnsPolicy, Families};
use super::room::addresses_that_fit;
use crate::core::Random;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};

/// When to ask again.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) policy: Arc<DnsPolicy>,
    pub(super) random: Random,
}

impl Schedule {
    fn wait(&mut self, outcome: &Outcome, failures: u32) -> Duration {
        match outcome {
            Outcome::Found { ttl, .. } => self.lengthened(*ttl),
            Outcome::Empty { ttl } => self.lengthened(ttl.unwrap_or(self.policy.empty_ttl)),
            Outcome::Failed => self.pause(failures),
        }
    }

    fn lengthened(&mut self, ttl: Duration) -> Duration {
        #[cfg(landfall_faults)]
        if is_armed(Fault::AskAtOnce) {
            return ttl;
        }
        let ttl = ttl.clamp(self.policy.ttl_min, self.policy.ttl_max);
        ttl + self.random.part_of(ttl.mul_f64(f64::from(self.policy.ttl_jitter_percent) / 100.0))
    }

    fn pause(&mut self, failures: u32) -> Duration {
        let whole = self.policy.retry_min.saturating_mul(1 << failures.min(31)).min(self.policy.retry_max);
        whole / 2 + self.random.part_of(whole / 2)
    }
}

/// The records of one name and kind.
#[derive(Debug)]
pub(super) struct Asked<T> {
    /// The last ones that were found, as far as they have not been replaced.
    pub(super) known: Vec<T>,
    phase: Phase,
    last: Last,
    /// How many look-ups in a row nobody has answered.
    failures: u32,
}

/// Whether a question is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Due(Instant),
    Open,
}

/// What came of the last look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Never,
    Found,
    Empty,
    Failed,
}

impl<T: Ord> Asked<T> {
    pub(super) fn new(now: Instant) -> Self {
        Self { known: Vec::new(), phase: Phase::Due(now), last: Last::Never, failures: 0 }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        match self.phase {
            Phase::Due(at) => Some(at),
            Phase::Open => None,
        }
    }

    /// Whether it is to be asked for now; then it is under way.
    pub(super) fn take_if_due(&mut self, now: Instant) -> bool {
        let is_due = self.due().is_some_and(|at| at <= now);
        if is_due {
            self.phase = Phase::Open;
        }
        is_due
    }

    /// Whether somebody who should know has said what there is, be it nothing.
    pub(super) fn is_answered(&self) -> bool {
        matches!(self.last, Last::Found | Last::Empty)
    }

    /// Whether nothing has been heard of it yet.
    pub(super) fn is_new(&self) -> bool {
        self.last == Last::Never
    }

    /// Takes over as many of what was found as fit; whether that is something else than was known, or the first answer.
    pub(super) fn heard(
        &mut self,
        outcome: Outcome,
        pick: fn(Datum) -> Option<T>,
        fit: impl FnOnce(&[T], &DnsPolicy) -> usize,
        schedule: &mut Schedule,
        now: Instant,
    ) -> bool {
        self.phase = Phase::Due(now + schedule.wait(&outcome, self.failures));
        self.failures = if outcome == Outcome::Failed { self.failures.saturating_add(1) } else { 0 };
        #[cfg(landfall_faults)]
        if is_armed(Fault::ForgetUnanswered) && !matches!(outcome, Outcome::Found { .. }) {
            self.known.clear();
            self.last = Last::Never;
        }
        let was_new = self.is_new();
        match outcome {
            Outcome::Found { data, .. } => {
                let mut found: Vec<T> = data.into_iter().filter_map(pick).collect();
                found.sort_unstable();
                found.dedup();
                found.truncate(fit(&found, &schedule.policy));
                found.shrink_to_fit();
                self.last = Last::Found;
                let is_other = found != self.known;
                self.known = found;
                is_other || was_new
            }
            Outcome::Empty { .. } => {
                self.last = Last::Empty;
                was_new
            }
            Outcome::Failed => {
                self.last = Last::Failed;
                was_new
            }
        }
    }
}

/// The addresses of one host.
#[derive(Debug)]
pub(super) struct Host {
    names: Arc<[Name]>,
    ipv4: Option<Asked<IpAddr>>,
    ipv6: Option<Asked<IpAddr>>,
}

impl Host {
    pub(super) fn new(names: Arc<[Name]>, families: Families, now: Instant) -> Self {
        let asked = |without| (families != without).then(|| Asked::new(now));
        Self { names, ipv4: asked(Families::Ipv6), ipv6: asked(Families::Ipv4) }
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.each().flat_map(|asked| asked.known.iter().copied())
    }

    /// Whether all that is asked for has been answered, be it that there is none.
    pub(super) fn is_answered(&self) -> bool {
        self.each().all(Asked::is_answered)
    }

    /// Whether nothing has been heard yet of something that is asked for.
    pub(super) fn is_new(&self) -> bool {
        self.each().any(Asked::is_new)
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.each().filter_map(Asked::due).min()
    }

    pub(super) fn take_due(&mut self, now: Instant, due: &mut Vec<Ask>) {
        let Self { names, ipv4, ipv6 } = self;
        for (asked, kind) in [(ipv4, Kind::Ipv4), (ipv6, Kind::Ipv6)] {
            if asked.as_mut().is_some_and(|asked| asked.take_if_due(now)) {
                due.push(Ask { names: Arc::clone(names), kind });
            }
        }
    }

    /// Takes over what was found of one of so many hosts; whether its addresses are others now.
    pub(super) fn heard(
        &mut self,
        kind: Kind,
        outcome: Outcome,
        hosts: usize,
        schedule: &mut Schedule,
        now: Instant,
    ) -> bool {
        let address = |datum| match datum {
            Datum::Address(address) => Some(address),
            Datum::Service(_) => None,
        };
        let fit = |_: &[IpAddr], policy: &DnsPolicy| addresses_that_fit(hosts, policy);
        let asked = if kind == Kind::Ipv4 { &mut self.ipv4 } else { &mut self.ipv6 };
        let is_changed = asked.as_mut().is_some_and(|asked| asked.heard(outcome, address, fit, schedule, now));
        is_changed | self.forget_what_has_moved()
    }

    /// A family without records is believed where the other one has some: the host is there. With no records at all the
    /// last ones are kept.
    fn forget_what_has_moved(&mut self) -> bool {
        let (Some(one), Some(other)) = (&mut self.ipv4, &mut self.ipv6) else { return false };
        let gone = match (one.last, other.last) {
            (Last::Found, Last::Empty) => other,
            (Last::Empty, Last::Found) => one,
            _ => return false,
        };
        !std::mem::take(&mut gone.known).is_empty()
    }

    fn each(&self) -> impl Iterator<Item = &Asked<IpAddr>> {
        self.ipv4.iter().chain(&self.ipv6)
    }
}
