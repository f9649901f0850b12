//! What a check found: where, and what is wrong.

use std::fmt;

/// One fault.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    place: String,
    /// From 1; 0 when the whole file, or what is no file, is meant.
    line: usize,
    message: String,
}

impl Finding {
    /// A fault in one line of a file.
    pub(crate) fn at(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self { place: file.to_owned(), line, message: message.into() }
    }

    /// A fault of a whole file, or of a package.
    pub(crate) fn of(place: &str, message: impl Into<String>) -> Self {
        Self::at(place, 0, message)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.place, self.message),
            line => write!(f, "{}:{line}: {}", self.place, self.message),
        }
    }
}

/// What the tests of the checks say: this fault, once, at this place.
#[cfg(test)]
#[track_caller]
pub(crate) fn assert_found(findings: &[Finding], place: &str, says: &str) {
    let shown: Vec<String> = findings.iter().map(ToString::to_string).collect();
    let [only] = shown.as_slice() else { panic!("not one finding but {shown:#?}") };
    assert!(only.starts_with(&format!("{place}: ")) && only.contains(says), "{only}");
}
