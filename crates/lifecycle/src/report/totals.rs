//! Sums over the whole tree, and the line that says clean or not.

use std::fmt::{self, Display, Formatter};

use super::{Counts, Report};

/// What a whole report amounts to.
///
/// Displays as the report's last line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    stragglers: u64,
    remnants: u64,
    failed: u64,
    /// All but the first two fields of [`Counts`] are abnormal.
    counts: Counts,
}

impl Totals {
    pub(super) fn of(report: &Report) -> Self {
        let mut totals = Self::default();
        for (_, owner) in report.owners() {
            // A report made by somebody else may list stragglers without counting them.
            let listed = owner.tasks.iter().filter(|task| task.is_straggler()).count() as u64;
            let (sum, own) = (&mut totals.counts, &owner.counts);
            sum.aborted = sum.aborted.saturating_add(own.aborted);
            sum.never_started = sum.never_started.saturating_add(own.never_started);
            sum.runtime_gone = sum.runtime_gone.saturating_add(own.runtime_gone);
            sum.panicked = sum.panicked.saturating_add(own.panicked);
            totals.stragglers = totals.stragglers.saturating_add(own.stragglers.max(listed));
            totals.remnants += owner.remnants.len() as u64;
            totals.failed += u64::from(owner.error.is_some());
        }
        totals
    }

    /// `2 stragglers, 1 remnant are left, 1 owner failed`.
    pub(super) fn left(&self) -> String {
        let left: Vec<String> =
            [counted(self.stragglers, "straggler"), counted(self.remnants, "remnant")].into_iter().flatten().collect();
        let verb = if self.stragglers.saturating_add(self.remnants) == 1 { "is" } else { "are" };
        let failed = counted(self.failed, "owner").map(|owners| format!("{owners} failed"));
        match (left.is_empty(), failed) {
            (true, None) => "nothing is left".to_owned(),
            // What an owner that failed has left, nobody knows.
            (true, Some(failed)) => failed,
            (false, None) => format!("{} {verb} left", left.join(", ")),
            (false, Some(failed)) => format!("{} {verb} left, {failed}", left.join(", ")),
        }
    }
}

impl Display for Totals {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let clean = self.stragglers == 0 && self.remnants == 0 && self.failed == 0;
        write!(f, "{}: {}", if clean { "clean" } else { "NOT clean" }, self.left())?;
        match abnormal(&self.counts).as_slice() {
            [] => Ok(()),
            parts => write!(f, " ({})", parts.join(", ")),
        }
    }
}

/// All counts that are not zero: `40 completed, 1 aborted`.
pub(super) fn in_words(counts: &Counts) -> String {
    let mut parts = words([(counts.completed, "completed"), (counts.drained, "drained")]);
    parts.extend(abnormal(counts));
    parts.extend(counted(counts.stragglers, "straggler"));
    parts.join(", ")
}

fn abnormal(counts: &Counts) -> Vec<String> {
    words([
        (counts.aborted, "aborted"),
        (counts.never_started, "never started"),
        (counts.runtime_gone, "dropped with their runtime"),
        (counts.panicked, "panicked"),
    ])
}

fn words<const N: usize>(counts: [(u64, &str); N]) -> Vec<String> {
    counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
}

/// `1 straggler`, `2 stragglers`; nothing for zero.
pub(super) fn counted(count: u64, noun: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("1 {noun}")),
        _ => Some(format!("{count} {noun}s")),
    }
}
