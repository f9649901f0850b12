//! What a whole report says: whether it is clean, and where in the tree things were found.

use std::fmt::{self, Display, Formatter};

use super::text::OneLine;
use super::{Outcome, Remnant, Report, TaskReport, Totals};

/// How much of each owner's name is shown in a path.
const PATH_NAME_CHARS_MAX: usize = 48;

/// An item of a report, with the owners above it.
///
/// Displays as the path: `relay/dispatchers/deliver`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Found<'a, T> {
    /// The names of the owners, the outermost first, the item's own owner last.
    pub path: Vec<&'a str>,
    /// What was found.
    pub item: &'a T,
}

/// What is left keeps a report from being clean.
///
/// The error of [`Report::into_result`]; it holds the report.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{} did not end clean: {}", OneLine::new(&report.name, PATH_NAME_CHARS_MAX), Totals::of(report).left())]
pub struct Unclean {
    report: Box<Report>,
}

impl Unclean {
    /// The report that is not clean.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Gives the report back.
    pub fn into_report(self) -> Report {
        *self.report
    }
}

impl Report {
    /// Whether nothing is left: no straggler, no remnant and no failed owner in the whole tree.
    ///
    /// An entry that was aborted, that panicked or that never started does not make a report unclean: it has ended,
    /// and nothing of it is left. [`panics`](Self::panics) and [`counts`](Self::counts) tell of those.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.owners().all(|(_, owner)| {
            owner.error.is_none()
                && owner.remnants.is_empty()
                && owner.counts.stragglers == 0
                && !owner.tasks.iter().any(TaskReport::is_straggler)
        })
    }

    /// All that is still alive, in the whole tree.
    pub fn stragglers(&self) -> impl Iterator<Item = Found<'_, TaskReport>> {
        self.tasks_where(TaskReport::is_straggler)
    }

    /// All that panicked and is kept in the report, in the whole tree.
    pub fn panics(&self) -> impl Iterator<Item = Found<'_, TaskReport>> {
        self.tasks_where(|task| matches!(task.outcome, Outcome::Panicked { .. }))
    }

    /// All that is not a task and was left, in the whole tree.
    pub fn remnants_all(&self) -> impl Iterator<Item = Found<'_, Remnant>> {
        self.owners()
            .flat_map(|(path, owner)| owner.remnants.iter().map(move |item| Found { path: path.clone(), item }))
    }

    /// The report if it is clean, else an error that holds it.
    ///
    /// # Errors
    ///
    /// [`Unclean`] when [`is_clean`](Self::is_clean) is false.
    pub fn into_result(self) -> Result<Self, Unclean> {
        if self.is_clean() { Ok(self) } else { Err(Unclean { report: Box::new(self) }) }
    }

    /// Every owner of the tree with its path, which ends in its own name; an owner comes before what it owns.
    pub(super) fn owners(&self) -> impl Iterator<Item = (Vec<&str>, &Self)> {
        let mut path = Vec::new();
        let mut todo = vec![(0, self)];
        std::iter::from_fn(move || {
            let (depth, owner) = todo.pop()?;
            path.truncate(depth);
            path.push(&*owner.name);
            todo.extend(owner.children.iter().rev().map(|child| (depth + 1, child)));
            Some((path.clone(), owner))
        })
    }

    fn tasks_where(&self, keep: fn(&TaskReport) -> bool) -> impl Iterator<Item = Found<'_, TaskReport>> {
        self.owners().flat_map(move |(path, owner)| {
            let kept = owner.tasks.iter().filter(move |task| keep(task));
            kept.map(move |item| Found { path: path.clone(), item })
        })
    }
}

impl Display for Found<'_, TaskReport> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_path(f, &self.path, &self.item.name)
    }
}

impl Display for Found<'_, Remnant> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_path(f, &self.path, &self.item.name)
    }
}

fn write_path(f: &mut Formatter<'_>, owners: &[&str], name: &str) -> fmt::Result {
    for owner in owners {
        write!(f, "{}/", OneLine::new(owner, PATH_NAME_CHARS_MAX))?;
    }
    write!(f, "{}", OneLine::new(name, PATH_NAME_CHARS_MAX))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::shutdown::Reason;

    #[test]
    fn finds_items_with_their_owners() {
        let report = sample::unclean();
        let shown = |found: Vec<Found<'_, TaskReport>>| found.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(shown(report.stragglers().collect()), ["relay/dispatchers/deliver-9", "relay/storage/sqlite"]);
        assert_eq!(shown(report.panics().collect()), ["relay/dispatchers/deliver-8", "relay/storage/checkpoint"]);
        let remnants: Vec<_> = report.remnants_all().map(|found| found.to_string()).collect();
        assert_eq!(remnants, ["relay/pool/orders-db 10.0.0.7:5432"]);
        assert_eq!(report.remnants_all().next().unwrap().path, ["relay", "pool"]);
    }

    #[test]
    fn is_clean_unless_something_is_left_or_failed() {
        let new = || Report::new("inner", Reason::ParentTerminating);
        let outer = |inner| Report::new("outer", Reason::Requested).with_child(inner);
        assert!(outer(new()).is_clean());
        assert!(outer(new().with_task(sample::aborted("a")).with_task(sample::panicked("b", "x"))).is_clean());
        assert!(!outer(new().with_task(sample::straggler("c"))).is_clean());
        assert!(!outer(new().with_remnant(sample::remnant("d"))).is_clean());
        assert!(!outer(new().with_error("disk full")).is_clean());
    }

    #[test]
    fn unclean_says_what_is_left_and_gives_the_report_back() {
        assert!(sample::clean().into_result().is_ok());
        let unclean = sample::unclean().into_result().unwrap_err();
        assert_eq!(unclean.to_string(), "relay did not end clean: 2 stragglers, 1 remnant are left, 1 owner failed");
        assert_eq!(unclean.report().name, "relay");
        assert!(!unclean.into_report().is_clean());
        let failed = Report::new("pool", Reason::Requested).with_error("disk full").into_result().unwrap_err();
        assert_eq!(failed.to_string(), "pool did not end clean: 1 owner failed");
    }
}
