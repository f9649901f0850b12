//! What a scenario found wrong.

use std::fmt::{self, Display, Formatter};

/// How many findings are told; the rest is counted.
const SHOWN_MAX: usize = 8;

/// What is wrong, as far as a twin has to be told from an accident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An event was accepted, and is nowhere.
    Lost,
    /// An event was accepted and is still known, but did not arrive in the time there was.
    Undelivered,
    /// An event arrived that is not as it was posted, or that nobody posted.
    Mixed,
    /// An end came after its bound, or not at all.
    Late,
    /// A process ended otherwise than it should.
    WrongExit,
    /// There is no report, or it says that something is left.
    Unclean,
    /// Something that had to be aborted, or was left, is not named.
    Unnamed,
    /// A process, a file or a listener outlived the program.
    LeftBehind,
    /// The program panicked.
    Panicked,
    /// A request or a command line was answered otherwise than it should.
    WrongAnswer,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which check found it.
    pub kind: Kind,
    /// What there is to say.
    pub text: String,
}

/// All that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Adds one.
    pub fn add(&mut self, kind: Kind, text: impl Into<String>) {
        self.0.push(Finding { kind, text: text.into() });
    }

    /// Adds one unless `holds`.
    pub fn check(&mut self, holds: bool, kind: Kind, text: impl FnOnce() -> String) {
        if !holds {
            self.add(kind, text());
        }
    }

    /// Adds all of another's, saying where they were found.
    pub fn extend(&mut self, place: &str, other: Self) {
        self.0.extend(other.0.into_iter().map(|it| Finding { text: format!("{place}: {}", it.text), ..it }));
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this kind of thing is wrong.
    pub fn has(&self, kind: Kind) -> bool {
        self.0.iter().any(|finding| finding.kind == kind)
    }
}

/// One line.
impl Display for Findings {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.0.iter().take(SHOWN_MAX).enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{:?}: {}", finding.kind, finding.text)?;
        }
        match self.0.len().saturating_sub(SHOWN_MAX) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_findings_are_told_in_one_bounded_line() {
        let mut findings = Findings::default();
        for number in 0..20 {
            findings.check(number > 9, Kind::Lost, || format!("event {number}"));
        }
        let text = findings.to_string();
        assert!(text.starts_with("Lost: event 0; Lost: event 1;") && text.ends_with("and 2 more"), "{text}");
        assert!(findings.has(Kind::Lost) && !findings.has(Kind::Late));
    }
}
