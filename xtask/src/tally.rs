//! What a run of tests came to: counts, the skips by name, and what went wrong beside a failed test.

use crate::counts::Counts;
use crate::skips::{self, Skip};

/// The outcome of a run of tests, examples or scenarios.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) counts: Counts,
    pub(crate) skips: Vec<Skip>,
    /// What failed without being a test: a build, an example, a process that died.
    pub(crate) problems: Vec<String>,
}

impl Tally {
    /// Counts a failure that no test reported.
    pub(crate) fn fail(&mut self, problem: String) {
        self.counts.failed += 1;
        self.problems.push(problem);
    }

    /// Takes the skips that tests reported: libtest counted each of them as passed.
    pub(crate) fn take_skips(&mut self, skips: Vec<Skip>) {
        let count = skips.len() as u64;
        self.counts.passed = self.counts.passed.saturating_sub(count);
        self.counts.skipped += count;
        self.skips.extend(skips);
    }

    /// Adds another run to this one.
    pub(crate) fn add(&mut self, more: Self) {
        self.counts += more.counts;
        self.skips.extend(more.skips);
        self.problems.extend(more.problems);
    }

    /// Whether nothing failed and, under `STRICT=1`, nothing was skipped.
    pub(crate) fn passed(&self, strict: bool) -> bool {
        self.counts.failed == 0 && !(strict && self.counts.skipped > 0)
    }

    /// Prints skips, problems and, last and alone on its line, the counts; says whether the run passed.
    pub(crate) fn close(&self) -> bool {
        println!();
        for skip in &self.skips {
            println!("SKIPPED: {} ({})", skip.reason, skip.name);
        }
        for problem in &self.problems {
            println!("FAILED: {problem}");
        }
        let strict = skips::strict();
        if strict && self.counts.skipped > 0 {
            println!("STRICT=1: a skip is a failure");
        }
        println!("{}", self.counts);
        self.passed(strict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped_once() -> Tally {
        let mut tally = Tally { counts: Counts { passed: 5, failed: 0, skipped: 0 }, ..Tally::default() };
        tally.take_skips(vec![Skip { name: "kafka".to_owned(), reason: "no broker".to_owned() }]);
        tally
    }

    #[test]
    fn a_reported_skip_is_not_a_pass() {
        assert_eq!(skipped_once().counts, Counts { passed: 4, failed: 0, skipped: 1 });
    }

    #[test]
    fn a_skip_fails_only_when_strict() {
        assert!(skipped_once().passed(false));
        assert!(!skipped_once().passed(true));
    }

    #[test]
    fn a_problem_is_a_failure() {
        let mut tally = Tally::default();
        tally.fail("landfall-demo did not build".to_owned());
        assert!(!tally.passed(false));
        assert_eq!(tally.counts, Counts { passed: 0, failed: 1, skipped: 0 });
    }
}
