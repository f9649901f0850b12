//! What a check of the contract found.

use std::fmt::{self, Display, Formatter};

use crate::report::Place;

/// One rule of [`Terminate`](crate::Terminate).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// `begin_terminate` returns at once, whatever the owner's work does.
    BeginReturns,
    /// The name stays the same through the whole life, and is the report's.
    Name,
    /// `begin_terminate` may be called again, during the termination and after it.
    BeginRepeats,
    /// `begin_terminate` alone ends the owner, and `ended` resolves without any other call.
    BeginSuffices,
    /// `ended` resolves for those who wait from before the begin, and for those who ask after the end.
    Ended,
    /// `terminate` gives its report within one second of the abort instant, whatever the owner's work does.
    OnTime,
    /// A clean report means that nothing of the work is left.
    Truthful,
    /// All callers of `terminate`, at once or later, get the same ending.
    OneEnding,
    /// `terminate` dropped at any poll loses nothing: the end comes by the first call's instants, with nobody waiting.
    DropLosesNothing,
    /// A later call with earlier instants is heeded, by the first caller too.
    Tightens,
    /// A later call with later instants changes nothing.
    NeverLoosens,
    /// No work is accepted once the termination has begun.
    RefusesLateWork,
    /// The owner's own work that waits for the owner's end is told so: `SelfJoin`.
    SelfJoin,
    /// It works where there is no runtime.
    WithoutRuntime,
}

/// What became of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It holds, as far as was seen.
    Kept,
    /// It does not, and how that showed.
    Broken(String),
    /// It was not tried, and why.
    NotApplicable(String),
}

/// One rule and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuleReport {
    /// The rule.
    pub rule: Rule,
    /// What became of it.
    pub verdict: Verdict,
}

/// What [`Contract::check`](super::Contract::check) found, rule by rule. Displays as a table.
#[derive(Clone, Debug)]
#[must_use = "a broken rule is only known to who looks: assert_kept"]
#[non_exhaustive]
pub struct ContractReport {
    /// The owner's name.
    pub owner: String,
    /// Where the check was asked for.
    pub place: Place,
    /// Every rule, in the order in which they were tried.
    pub rules: Vec<RuleReport>,
}

impl ContractReport {
    /// The rules that do not hold.
    pub fn broken(&self) -> impl Iterator<Item = Rule> {
        let broken = |rule: &&RuleReport| matches!(rule.verdict, Verdict::Broken(_));
        self.rules.iter().filter(broken).map(|rule| rule.rule)
    }

    /// What became of a rule.
    #[must_use]
    pub fn verdict(&self, rule: Rule) -> Option<&Verdict> {
        self.rules.iter().find(|report| report.rule == rule).map(|report| &report.verdict)
    }

    /// Whether no rule is broken. A rule that did not apply is none.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.broken().next().is_none()
    }

    /// Gives the report back if no rule is broken.
    ///
    /// # Panics
    ///
    /// If one is, with the table.
    #[track_caller]
    pub fn assert_kept(&self) {
        assert!(self.is_kept(), "\n{self}");
    }
}

impl Rule {
    fn text(self) -> &'static str {
        match self {
            Self::BeginReturns => "begin_terminate returns at once",
            Self::Name => "the name stays the same",
            Self::BeginRepeats => "begin_terminate may be repeated",
            Self::BeginSuffices => "begin_terminate alone ends it",
            Self::Ended => "ended resolves for everybody",
            Self::OnTime => "the report is there within 1 s of the abort instant",
            Self::Truthful => "clean means that nothing runs",
            Self::OneEnding => "all callers get the same ending",
            Self::DropLosesNothing => "terminate may be dropped at every poll",
            Self::Tightens => "earlier instants are heeded",
            Self::NeverLoosens => "later instants change nothing",
            Self::RefusesLateWork => "late work is refused",
            Self::SelfJoin => "its own work is told of a self-join",
            Self::WithoutRuntime => "no runtime is needed",
        }
    }
}

impl Display for Rule {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

impl Display for ContractReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (broken, all) = (self.broken().count(), self.rules.len());
        let skipped = self.rules.iter().filter(|rule| matches!(rule.verdict, Verdict::NotApplicable(_))).count();
        let kept = all - broken - skipped;
        writeln!(f, "Terminate as {:?} keeps it ({}:{})", self.owner, self.place.file, self.place.line)?;
        for RuleReport { rule, verdict } in &self.rules {
            match verdict {
                Verdict::Kept => writeln!(f, "  kept    {rule}")?,
                Verdict::Broken(how) => writeln!(f, "  BROKEN  {rule}: {how}")?,
                Verdict::NotApplicable(why) => writeln!(f, "  -       {rule}: {why}")?,
            }
        }
        write!(f, "{kept} kept, {broken} broken, {skipped} not applicable")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(verdict: Verdict) -> ContractReport {
        let rules = vec![
            RuleReport { rule: Rule::Name, verdict: Verdict::Kept },
            RuleReport { rule: Rule::OnTime, verdict },
            RuleReport { rule: Rule::SelfJoin, verdict: Verdict::NotApplicable("no hook".into()) },
        ];
        ContractReport { owner: "set".into(), place: Place { file: "tests/a.rs", line: 7, column: 1 }, rules }
    }

    #[test]
    fn a_table_says_what_holds_and_what_does_not() {
        let broken = report(Verdict::Broken("not there after 1.2 s".into()));
        let expected = "Terminate as \"set\" keeps it (tests/a.rs:7)\n  \
            kept    the name stays the same\n  \
            BROKEN  the report is there within 1 s of the abort instant: not there after 1.2 s\n  \
            -       its own work is told of a self-join: no hook\n\
            1 kept, 1 broken, 1 not applicable";
        assert_eq!(broken.to_string(), expected);
        assert_eq!(broken.broken().collect::<Vec<_>>(), [Rule::OnTime]);
        assert_eq!(broken.verdict(Rule::BeginReturns), None);
        report(Verdict::Kept).assert_kept();
    }

    #[test]
    #[should_panic = "1 broken"]
    fn assert_kept_panics_with_the_table() {
        report(Verdict::Broken("late".into())).assert_kept();
    }
}
