//! How DNS is asked: every knob, with its default, its unit and what it may be.

use std::time::Duration;

use crate::policy::{PolicyError, within};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// No time of a policy may be longer: a day.
const TIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Which addresses are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Families {
    /// A and AAAA.
    #[default]
    Both,
    /// A only.
    Ipv4,
    /// AAAA only.
    Ipv6,
}

/// What questions are sent over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// UDP, and TCP where an answer does not fit.
    #[default]
    Udp,
    /// TCP only.
    Tcp,
}

/// How DNS is asked. Checked when the resolver is built; [`PolicyError`] names what cannot be.
///
/// Times lie between 1 ms and one day unless a field says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DnsPolicy {
    /// Which addresses are asked for. Default both.
    pub families: Families,
    /// What questions are sent over. Default UDP, and TCP where an answer does not fit.
    pub transport: Transport,
    /// How long one server may take for one answer, TCP included, before the next is asked. Default 2 s.
    pub server_timeout: Duration,
    /// How often all servers are gone through for one question. From 1 to 10. Default 2.
    pub rounds: u8,
    /// How long one question may take over all servers, rounds and aliases. Default 10 s.
    pub lookup_timeout: Duration,
    /// How many questions may be under way at a time; each has one socket. From 1 to 256. Default 16.
    pub concurrency_max: usize,
    /// The most backends that are taken over, and as many targets; of more those of the lowest priority number. From 1
    /// to 65,535. Default 4,096.
    pub backends_max: usize,
    /// The most bytes that are kept of what name servers have said, names included; of more those of the lowest priority
    /// number. Discovered name servers have as many of their own. Beside that each question under way has an answer of at
    /// most 64 KiB while it is read. From 64 KiB to 1 GiB. Default 16 MiB, which 4,096 targets of 70 letters fit into.
    pub bytes_max: usize,
    /// How soon an answer is asked for again, however short its time to live. From 10 ms on. Default 1 s.
    pub ttl_min: Duration,
    /// When an answer is asked for again at the latest, the jitter apart. At least `ttl_min`. Default 5 min.
    pub ttl_max: Duration,
    /// By how much the time until the next question is lengthened at random, so that many clients do not ask together.
    /// At most 50. Default 10 %.
    pub ttl_jitter_percent: u8,
    /// When a name is asked for again that does not exist or has no records, if the answer does not say. Otherwise what
    /// it says holds, within `ttl_min` and `ttl_max`. Default 10 s.
    pub empty_ttl: Duration,
    /// The pause after a question that nobody answered; doubled with each further one, and shortened by up to half at
    /// random. From 10 ms on. Default 1 s.
    pub retry_min: Duration,
    /// The longest pause. At least `retry_min`. Default 30 s.
    pub retry_max: Duration,
    /// The longest answer that is asked for over UDP. From 512 to 4,096 bytes. Default 1,232.
    pub udp_bytes_max: u16,
}

impl Default for DnsPolicy {
    fn default() -> Self {
        Self {
            families: Families::Both,
            transport: Transport::Udp,
            server_timeout: 2 * SECOND,
            rounds: 2,
            lookup_timeout: 10 * SECOND,
            concurrency_max: 16,
            backends_max: 4_096,
            bytes_max: 16 << 20,
            ttl_min: SECOND,
            ttl_max: 300 * SECOND,
            ttl_jitter_percent: 10,
            empty_ttl: 10 * SECOND,
            retry_min: SECOND,
            retry_max: 30 * SECOND,
            // What passes without fragments nearly everywhere.
            udp_bytes_max: 1_232,
        }
    }
}

impl DnsPolicy {
    /// Checks every field by itself and beside the others.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] names the first field that cannot be so, its value and what is allowed.
    pub fn check(&self) -> Result<(), PolicyError> {
        within("rounds", self.rounds, 1, 10)?;
        within("concurrency_max", self.concurrency_max, 1, 256)?;
        within("backends_max", self.backends_max, 1, 65_535)?;
        within("bytes_max", self.bytes_max, 64 << 10, 1 << 30)?;
        within("ttl_jitter_percent", self.ttl_jitter_percent, 0, 50)?;
        within("udp_bytes_max", self.udp_bytes_max, 512, 4_096)?;
        within("server_timeout", self.server_timeout, MILLISECOND, TIME_MAX)?;
        within("lookup_timeout", self.lookup_timeout, MILLISECOND, TIME_MAX)?;
        within("ttl_min", self.ttl_min, 10 * MILLISECOND, TIME_MAX)?;
        within("ttl_max", self.ttl_max, self.ttl_min, TIME_MAX)?;
        within("empty_ttl", self.empty_ttl, MILLISECOND, TIME_MAX)?;
        within("retry_min", self.retry_min, 10 * MILLISECOND, TIME_MAX)?;
        within("retry_max", self.retry_max, self.retry_min, TIME_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(field: &str, change: impl FnOnce(&mut DnsPolicy)) {
        let mut policy = DnsPolicy::default();
        change(&mut policy);
        let error = policy.check().expect_err(field);
        assert_eq!(error.field, field, "{error}");
    }

    #[test]
    fn the_default_is_allowed() {
        assert_eq!(DnsPolicy::default().check(), Ok(()));
    }

    #[test]
    fn what_cannot_be_is_named() {
        check("rounds", |it| it.rounds = 0);
        check("rounds", |it| it.rounds = 11);
        check("concurrency_max", |it| it.concurrency_max = 0);
        check("concurrency_max", |it| it.concurrency_max = usize::MAX);
        check("backends_max", |it| it.backends_max = 0);
        check("backends_max", |it| it.backends_max = usize::MAX);
        check("bytes_max", |it| it.bytes_max = 0);
        check("bytes_max", |it| it.bytes_max = usize::MAX);
        check("ttl_jitter_percent", |it| it.ttl_jitter_percent = 51);
        check("udp_bytes_max", |it| it.udp_bytes_max = 511);
        check("udp_bytes_max", |it| it.udp_bytes_max = u16::MAX);
        check("server_timeout", |it| it.server_timeout = Duration::ZERO);
        check("lookup_timeout", |it| it.lookup_timeout = Duration::MAX);
        check("ttl_min", |it| it.ttl_min = Duration::ZERO);
        check("ttl_max", |it| it.ttl_max = MILLISECOND);
        check("empty_ttl", |it| it.empty_ttl = Duration::ZERO);
        check("retry_min", |it| it.retry_min = Duration::ZERO);
        check("retry_max", |it| it.retry_max = MILLISECOND);
    }
}
