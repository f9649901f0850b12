//! How many passed, failed and were skipped: adding up, printing, and reading what libtest prints.

use std::fmt;
use std::ops::AddAssign;

/// A number of tests, or of what is counted like one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    pub(crate) const PASSED: Self = Self { passed: 1, failed: 0, skipped: 0 };
    pub(crate) const SKIPPED: Self = Self { passed: 0, failed: 0, skipped: 1 };

    /// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; ..`; what libtest calls ignored is skipped here.
    pub(crate) fn of_libtest(line: &str) -> Option<Self> {
        let result = line.trim().strip_prefix("test result: ")?;
        let (_, numbers) = result.split_once(". ")?;
        Some(Self {
            passed: number(numbers, ';', "passed")?,
            failed: number(numbers, ';', "failed")?,
            skipped: number(numbers, ';', "ignored")?,
        })
    }

    /// Reads a line as [`Display`](fmt::Display) writes it.
    pub(crate) fn of_closing_line(line: &str) -> Option<Self> {
        let counts = Self {
            passed: number(line, ',', "passed")?,
            failed: number(line, ',', "failed")?,
            skipped: number(line, ',', "skipped")?,
        };
        (counts.to_string() == line.trim()).then_some(counts)
    }
}

fn number(text: &str, separator: char, word: &str) -> Option<u64> {
    text.split(separator).find_map(|part| part.trim().strip_suffix(word)?.trim().parse().ok())
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.passed += more.passed;
        self.failed += more.failed;
        self.skipped += more.skipped;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_of_libtest_is_read() {
        let line = "test result: FAILED. 12 passed; 3 failed; 4 ignored; 0 measured; 7 filtered out; finished in 0.02s";
        assert_eq!(Counts::of_libtest(line), Some(Counts { passed: 12, failed: 3, skipped: 4 }));
    }

    #[test]
    fn other_lines_are_no_summary() {
        for line in ["test result_is_kept ... ok", "running 3 tests", "", "test result: ok", "3 passed; 0 failed"] {
            assert_eq!(Counts::of_libtest(line), None, "{line}");
        }
    }

    #[test]
    fn the_closing_line_is_read_back_and_nothing_else_is() {
        let counts = Counts { passed: 57, failed: 1, skipped: 2 };
        assert_eq!(Counts::of_closing_line(&counts.to_string()), Some(counts));
        for line in ["57 passed, 1 failed", "a 57 passed, 1 failed, 2 skipped", "1 failed, 57 passed, 2 skipped"] {
            assert_eq!(Counts::of_closing_line(line), None, "{line}");
        }
    }
}
