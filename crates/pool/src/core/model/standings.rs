//! What the model knows of how uses went, and which changes of standing that bears out.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use super::Conn;
use crate::backend::Backend;
use crate::change::{BackendChange, EjectReason};
use crate::core::standing::{Standing, Tried};
use crate::core::{At, Core, Kind};

/// One use or check, as it went.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    at: At,
    tried: Tried,
    is_well: bool,
}

/// Everything that became of each backend, by its address, since its standing changed last, in order.
#[derive(Debug, Default)]
pub(super) struct Standings {
    outcomes: HashMap<SocketAddr, Vec<Outcome>>,
    /// Changes that were told and not looked at yet, each with how many were out then.
    told: Vec<(SocketAddr, BackendChange, usize)>,
    /// A use of this one has just failed.
    failed: Option<SocketAddr>,
    /// Those that were told to be left out, or on trial.
    out: HashSet<SocketAddr>,
}

impl Standings {
    pub(super) fn told(&mut self, backend: &Backend, change: BackendChange) {
        match change {
            BackendChange::Ejected { .. } => drop(self.out.insert(backend.address)),
            BackendChange::Returned | BackendChange::Removed => drop(self.out.remove(&backend.address)),
            _ => {}
        }
        self.told.push((backend.address, change, self.out.len()));
    }

    /// Something went well or did not, while the core had not heard of it yet.
    pub(super) fn tried(&mut self, core: &Core<Conn>, slot: u32, tried: Tried, is_well: bool, at: At) {
        let entry = core.backends.get(core.slot(slot).backend);
        if !core.is_closed && !entry.is_removed {
            let outcome = Outcome { at, tried, is_well };
            self.failed = (tried == Tried::Use && !is_well).then_some(entry.backend.address);
            self.outcomes.entry(entry.backend.address).or_default().push(outcome);
        }
    }

    /// What holds after each step.
    pub(super) fn judge(&mut self, core: &Core<Conn>, now: At) {
        let told = std::mem::take(&mut self.told);
        let returned = || told.iter().filter(|(_, change, _)| *change == BackendChange::Returned).map(|(it, ..)| it);
        for (backend, change, out) in &told {
            let outcomes = self.outcomes.remove(backend).unwrap_or_default();
            match change {
                BackendChange::Ejected { why, .. } => {
                    check_ejection(core, *why, &outcomes);
                    let out_max = usize::from(core.policy().ejected_percent_max) * core.backends.current.len() / 100;
                    assert!(*out <= out_max, "{out} are left out");
                    assert!(
                        core.backends.current.iter().any(|it| core.backends.get(*it).is_available()) || core.is_closed
                    );
                }
                BackendChange::Returned => {
                    let mut others = core.backends.current.iter().map(|index| core.backends.get(*index));
                    // Where none is left all come back together.
                    let is_left =
                        others.any(|it| it.is_available() && returned().all(|back| *back != it.backend.address));
                    assert!(has_passed(core, &outcomes) || !is_left, "{backend} is back after {outcomes:?}");
                }
                _ => {}
            }
        }
        for (place, entry) in core.backends.each_with_place() {
            let is_kept = |slot: &&crate::core::Slot<Conn>| {
                slot.backend as usize == place
                    && slot.retired.is_none()
                    && !matches!(slot.state.kind(), Kind::Vacant | Kind::Closing)
            };
            let kept = core.slots.iter().filter(is_kept).count();
            match entry.standing {
                Standing::Full => {}
                Standing::Ejected { .. } => assert_eq!(kept, 0, "{} is ejected", entry.backend),
                Standing::OnTrial { .. } => {
                    let connecting = entry.counts.of(Kind::Connecting);
                    assert!(kept <= 1 + connecting, "{} on trial has {kept}", entry.backend);
                }
            }
            let is_watched = entry.unsound > 0 || entry.record.is_open() || entry.standing != Standing::Full;
            assert_eq!(entry.is_watched, is_watched, "{}", entry.backend);
            let is_out = entry.standing != Standing::Full;
            assert!(core.is_closed || self.out.contains(&entry.backend.address) == is_out, "{} told", entry.backend);
            if self.failed == Some(entry.backend.address) {
                self.check_streak(core, entry, now);
            }
        }
        self.failed = None;
    }

    /// One whose last uses all failed is out, unless that may not be.
    fn check_streak(&self, core: &Core<Conn>, entry: &crate::core::backends::Entry, now: At) {
        let outcomes = self.outcomes.get(&entry.backend.address).map_or(&[][..], |outcomes| outcomes);
        let most = core.policy().ejection_failures.unwrap_or(usize::MAX);
        if entry.is_removed || core.is_closed || entry.standing != Standing::Full || streak(outcomes, Tried::Use) < most
        {
            return;
        }
        let others = || {
            let all = core.backends.current.iter().map(|index| core.backends.get(*index));
            all.filter(|other| other.backend != entry.backend)
        };
        let out = others().filter(|other| other.standing != Standing::Full).count();
        let percent = (out + 1) * 100 / core.backends.current.len().max(1);
        let fail_alike = others()
            .filter(|other| other.is_available())
            .all(|other| other.record.failure_rate(now, core.policy()).is_some());
        let is_too_much = percent > usize::from(core.policy().ejected_percent_max);
        assert!(is_too_much || fail_alike, "{} has failed {} times", entry.backend, streak(outcomes, Tried::Use));
    }
}

/// How many of the last ones in a row failed.
fn streak(outcomes: &[Outcome], tried: Tried) -> usize {
    let last = outcomes.iter().rev().filter(|it| it.tried == tried || (it.tried == Tried::Use && it.is_well));
    last.take_while(|it| !it.is_well).count()
}

#[track_caller]
fn check_ejection(core: &Core<Conn>, why: EjectReason, outcomes: &[Outcome]) {
    let policy = core.policy();
    let is_borne_out = match why {
        EjectReason::FailuresInARow => {
            let most = policy.ejection_failures.expect("it was ejected for that");
            [Tried::Use, Tried::Check].iter().any(|tried| streak(outcomes, *tried) >= most)
        }
        EjectReason::FailureRate => (0..outcomes.len()).any(|first| {
            let since = outcomes[first..].iter().filter(|it| it.tried == Tried::Use);
            let (uses, failed) = since.fold((0, 0), |(uses, failed), it| (uses + 1, failed + usize::from(!it.is_well)));
            // What went well came with a time that may lag.
            let until = outcomes[first].at.plus(policy.ejection_window).plus(At::LAG_MAX);
            let is_within = outcomes.last().expect("a use has failed").at < until;
            let percent = usize::from(policy.ejection_failure_percent.expect("it was ejected for that"));
            is_within && uses >= policy.ejection_uses_min && failed * 100 >= percent * uses
        }),
        EjectReason::TrialFailed => outcomes.iter().any(|it| !it.is_well),
    };
    assert!(is_borne_out, "{why:?} after {outcomes:?}");
}

/// Whether enough uses went well since it is on trial.
fn has_passed(core: &Core<Conn>, outcomes: &[Outcome]) -> bool {
    outcomes.iter().filter(|it| it.tried == Tried::Use && it.is_well).count() >= core.policy().trial_uses
}
