//! How a pool behaves: every knob, with its default, its unit and what it may be.

use std::fmt::Debug;
use std::time::Duration;

use thiserror::Error;

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// No time of a policy may be longer: 365 days.
const TIME_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// The most slots a pool may have.
const SLOTS_MAX: usize = 1_000_000;
/// The most claims that may wait.
const WAITERS_MAX: usize = 1_000_000;

/// The most uses that a rule of ejection may look at.
const USES_MAX: usize = 10_000;

/// How a pool behaves. Checked when the pool is built; [`PolicyError`] names what cannot be.
///
/// Times lie between 1 ms and 365 days unless a field says otherwise. Those of idle and claimed connections begin when
/// the kernel's clock ticked last, up to 10 ms early.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// The most connections over all backends, those being opened and closed included. At least 1, at most 1,000,000.
    /// Default 16.
    pub slots_max: usize,
    /// The most connections to one backend. At least 1, at most `slots_max`. Default none: `slots_max`.
    pub slots_per_backend_max: Option<usize>,
    /// How many connections are kept open whether used or not. At most `slots_max`. Default 0.
    pub slots_min: usize,
    /// How many connections are kept ready beside those in use: the minimum of idle ones, as far as the caps allow. At
    /// most `slots_max`. Default 2.
    pub spares_wanted: usize,
    /// How many claims may wait at a time; more are refused at once. At most 1,000,000; 0 lets none wait. Default
    /// 4,096.
    pub waiters_max: usize,
    /// How long a claim may take from its first poll to the handle, checks and connects included. Default 30 s.
    pub claim_timeout: Duration,
    /// How long a connection waits for the claim that it was granted to, before it passes on to the next: the future of
    /// a claim may sit unpolled in a loop. At least this long, and about 10 ms more at most. Default 100 ms.
    pub grant_hold_max: Duration,
    /// How long a claim waits while there is neither a connection nor a backend that answers. From 0 on. Default 1 s.
    pub offline_wait: Duration,
    /// How long the connector may take to open a connection. Default 5 s.
    pub connect_timeout: Duration,
    /// How long each of the connector's checks may take: `is_valid`, `on_claim`, `on_recycle`. Default 3 s.
    pub check_timeout: Duration,
    /// How long the connector may take to close a connection, which counts against the caps meanwhile. Default 5 s.
    pub close_timeout: Duration,
    /// The pause after the second failed connect in a row to a backend; doubled with each further one, and shortened by
    /// up to half at random. Default 1 ms.
    pub backoff_min: Duration,
    /// The longest pause. At least `backoff_min`. Default 30 s.
    pub backoff_max: Duration,
    /// The longest pause while a claim waits. Default 80 ms.
    pub backoff_waiting_max: Duration,
    /// How many connects may be on their way to a backend that does not answer. From 1 to 16. Default 3.
    pub probes_max: usize,
    /// How long after one such connect the next may begin while the first gives no answer. While claims wait for a
    /// backend that did answer before, as long after the last connect was begun that none is answered, the youngest of
    /// several is given up for a new one. Default 1 s.
    pub probe_overlap_after: Duration,
    /// How old a connection may become. It is closed when it is not in use. Default 30 min.
    pub lifetime_max: Option<Duration>,
    /// By how much of `lifetime_max` a connection's life is shortened at random, so that those opened together do not
    /// end together. At most 50. Default 10 %.
    pub lifetime_jitter_percent: u8,
    /// How long a connection beyond `slots_min` and `spares_wanted` may be unused. Default 10 min.
    pub idle_timeout: Option<Duration>,
    /// After how long without a use or a check an idle connection is checked with `is_valid`. Default 30 s.
    pub keepalive: Option<Duration>,
    /// After how long without a use or a check a connection is checked with `is_valid` before a claim gets it. Default
    /// 1 s.
    pub validate_after: Option<Duration>,
    /// How long a handle may be out before that is reported, with the place of its claim. Default 60 s.
    pub held_report_after: Option<Duration>,
    /// How often connections move, one in sixteen at a time, from the backend that has the most to the one that has the
    /// fewest, while they differ by more than one. In none they stay where they are. Default 1 s.
    pub rebalance_interval: Option<Duration>,
    /// How many uses in a row, or checks in a row, must fail for a backend to be ejected. A use fails when its connection
    /// comes back broken, is discarded, or its holder [reports](crate::Handle::report_failure) it. From 1 to 10,000.
    /// Default 5.
    pub ejection_failures: Option<usize>,
    /// How many of a hundred uses must fail for a backend to be ejected, if as large a part does not fail at all others,
    /// or half of it. From 1 to 100. Default 50 %.
    pub ejection_failure_percent: Option<u8>,
    /// From how many uses on that is judged, of those counted in `ejection_window`. From 2 to 10,000. Default 20.
    pub ejection_uses_min: usize,
    /// For how long uses are counted from a failure on. Default 10 s.
    pub ejection_window: Duration,
    /// How long a backend is left out; doubled with each further time, unless it was well for `ejection_time_max` since,
    /// and shortened by up to half at random. Default 1 s.
    pub ejection_time: Duration,
    /// The longest such time. At least `ejection_time`. Default 30 s.
    pub ejection_time_max: Duration,
    /// How large a part of the backends may be left out or on trial; one that answers stays in any case. From 0, which
    /// ejects none, to 100. Default 50 %.
    pub ejected_percent_max: u8,
    /// How many uses of its one connection must go well before a backend that was ejected takes part again. From 1 to
    /// 1,000. Default 3.
    pub trial_uses: usize,
}

/// A field of a [`Policy`] has a value that it cannot have, by itself or beside the others.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("policy field {field} is {value}; allowed: {allowed}")]
#[non_exhaustive]
pub struct PolicyError {
    /// The field's name.
    pub field: &'static str,
    /// What it was set to.
    pub value: String,
    /// What it may be set to.
    pub allowed: String,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            slots_max: 16,
            slots_per_backend_max: None,
            slots_min: 0,
            spares_wanted: 2,
            waiters_max: 4_096,
            claim_timeout: 30 * SECOND,
            grant_hold_max: 100 * MILLISECOND,
            offline_wait: SECOND,
            connect_timeout: 5 * SECOND,
            check_timeout: 3 * SECOND,
            close_timeout: 5 * SECOND,
            backoff_min: MILLISECOND,
            backoff_max: 30 * SECOND,
            backoff_waiting_max: 80 * MILLISECOND,
            probes_max: 3,
            probe_overlap_after: SECOND,
            lifetime_max: Some(30 * MINUTE),
            lifetime_jitter_percent: 10,
            idle_timeout: Some(10 * MINUTE),
            keepalive: Some(30 * SECOND),
            validate_after: Some(SECOND),
            held_report_after: Some(MINUTE),
            rebalance_interval: Some(SECOND),
            ejection_failures: Some(5),
            ejection_failure_percent: Some(50),
            ejection_uses_min: 20,
            ejection_window: 10 * SECOND,
            ejection_time: SECOND,
            ejection_time_max: 30 * SECOND,
            ejected_percent_max: 50,
            trial_uses: 3,
        }
    }
}

impl Policy {
    /// Checks every field by itself and beside the others.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] names the first field that cannot be so, its value and what is allowed.
    pub fn check(&self) -> Result<(), PolicyError> {
        let slots = self.slots_max;
        number("slots_max", slots, 1, SLOTS_MAX)?;
        number("slots_per_backend_max", self.slots_per_backend(), 1, slots)?;
        number("slots_min", self.slots_min, 0, slots)?;
        number("spares_wanted", self.spares_wanted, 0, slots)?;
        number("waiters_max", self.waiters_max, 0, WAITERS_MAX)?;
        number("probes_max", self.probes_max, 1, 16)?;
        number("lifetime_jitter_percent", usize::from(self.lifetime_jitter_percent), 0, 50)?;
        number("ejection_failures", self.ejection_failures.unwrap_or(1), 1, USES_MAX)?;
        number("ejection_failure_percent", usize::from(self.ejection_failure_percent.unwrap_or(1)), 1, 100)?;
        number("ejection_uses_min", self.ejection_uses_min, 2, USES_MAX)?;
        number("ejected_percent_max", usize::from(self.ejected_percent_max), 0, 100)?;
        number("trial_uses", self.trial_uses, 1, 1_000)?;
        time("ejection_time_max", self.ejection_time_max, self.ejection_time)?;
        time("offline_wait", self.offline_wait, Duration::ZERO)?;
        time("backoff_max", self.backoff_max, self.backoff_min)?;
        let times = [
            ("claim_timeout", Some(self.claim_timeout)),
            ("grant_hold_max", Some(self.grant_hold_max)),
            ("connect_timeout", Some(self.connect_timeout)),
            ("check_timeout", Some(self.check_timeout)),
            ("close_timeout", Some(self.close_timeout)),
            ("backoff_min", Some(self.backoff_min)),
            ("backoff_waiting_max", Some(self.backoff_waiting_max)),
            ("probe_overlap_after", Some(self.probe_overlap_after)),
            ("lifetime_max", self.lifetime_max),
            ("idle_timeout", self.idle_timeout),
            ("keepalive", self.keepalive),
            ("validate_after", self.validate_after),
            ("held_report_after", self.held_report_after),
            ("rebalance_interval", self.rebalance_interval),
            ("ejection_window", Some(self.ejection_window)),
            ("ejection_time", Some(self.ejection_time)),
        ];
        times.into_iter().try_for_each(|(field, value)| value.map_or(Ok(()), |value| time(field, value, MILLISECOND)))
    }

    pub(crate) fn slots_per_backend(&self) -> usize {
        self.slots_per_backend_max.unwrap_or(self.slots_max)
    }
}

fn number(field: &'static str, value: usize, min: usize, max: usize) -> Result<(), PolicyError> {
    within(field, value, min, max)
}

/// Times that the policy takes, also from a single claim.
pub(crate) fn time(field: &'static str, value: Duration, min: Duration) -> Result<(), PolicyError> {
    within(field, value, min, TIME_MAX)
}

/// A claim's own limit, cut to what a limit may be.
pub(crate) fn clamp(limit: Duration) -> Duration {
    limit.min(TIME_MAX)
}

/// Checks one field.
pub(crate) fn within<T: PartialOrd + Debug + Copy>(
    field: &'static str,
    value: T,
    min: T,
    max: T,
) -> Result<(), PolicyError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(PolicyError { field, value: format!("{value:?}"), allowed: format!("{min:?} to {max:?}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(field: &str, change: impl FnOnce(&mut Policy)) {
        let mut policy = Policy::default();
        change(&mut policy);
        let error = policy.check().expect_err(field);
        assert_eq!(error.field, field, "{error}");
    }

    #[test]
    fn the_default_is_allowed() {
        assert_eq!(Policy::default().check(), Ok(()));
    }

    #[test]
    fn what_cannot_be_is_named() {
        check("slots_max", |it| it.slots_max = 0);
        check("slots_max", |it| it.slots_max = usize::MAX);
        check("slots_min", |it| it.slots_min = 17);
        check("spares_wanted", |it| it.spares_wanted = 17);
        check("slots_per_backend_max", |it| it.slots_per_backend_max = Some(0));
        check("slots_per_backend_max", |it| it.slots_per_backend_max = Some(17));
        check("waiters_max", |it| it.waiters_max = usize::MAX);
        check("probes_max", |it| it.probes_max = 0);
        check("lifetime_jitter_percent", |it| it.lifetime_jitter_percent = 51);
        check("backoff_max", |it| it.backoff_max = Duration::ZERO);
        check("claim_timeout", |it| it.claim_timeout = Duration::ZERO);
        check("connect_timeout", |it| it.connect_timeout = Duration::MAX);
        check("check_timeout", |it| it.check_timeout = Duration::ZERO);
        check("close_timeout", |it| it.close_timeout = Duration::MAX);
        check("grant_hold_max", |it| it.grant_hold_max = Duration::ZERO);
        check("offline_wait", |it| it.offline_wait = Duration::MAX);
        check("backoff_min", |it| it.backoff_min = Duration::ZERO);
        check("backoff_waiting_max", |it| it.backoff_waiting_max = Duration::ZERO);
        check("probe_overlap_after", |it| it.probe_overlap_after = Duration::ZERO);
        check("lifetime_max", |it| it.lifetime_max = Some(Duration::ZERO));
        check("idle_timeout", |it| it.idle_timeout = Some(Duration::MAX));
        check("keepalive", |it| it.keepalive = Some(Duration::ZERO));
        check("validate_after", |it| it.validate_after = Some(Duration::ZERO));
        check("held_report_after", |it| it.held_report_after = Some(Duration::MAX));
        check("rebalance_interval", |it| it.rebalance_interval = Some(Duration::ZERO));
        check("ejection_failures", |it| it.ejection_failures = Some(0));
        check("ejection_failure_percent", |it| it.ejection_failure_percent = Some(101));
        check("ejection_uses_min", |it| it.ejection_uses_min = 1);
        check("ejection_window", |it| it.ejection_window = Duration::ZERO);
        check("ejection_time", |it| it.ejection_time = Duration::ZERO);
        check("ejection_time_max", |it| it.ejection_time_max = Duration::ZERO);
        check("ejected_percent_max", |it| it.ejected_percent_max = 101);
        check("trial_uses", |it| it.trial_uses = 0);
    }

    #[test]
    fn the_error_says_what_is_allowed() {
        let policy = Policy { slots_max: 4, slots_min: 9, ..Policy::default() };
        assert_eq!(policy.check().unwrap_err().to_string(), "policy field slots_min is 9; allowed: 0 to 4");
    }
}
