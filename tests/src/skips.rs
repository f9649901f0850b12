//! Where a test says that it could not run: libtest hides what a passing test prints, so it goes to a file as well.

use std::fs::OpenOptions;
use std::io::{self, Write};

/// The variable that names the file; whoever counts the skips sets it.
const VARIABLE: &str = "LANDFALL_SKIPS";

/// Says that the test that calls skips, and why. Its name is that of its thread.
///
/// # Panics
///
/// When it cannot be said: a test that skips and looks as if it had passed is worse than one that fails.
pub fn skip(reason: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    eprintln!("SKIPPED: {reason} ({test})");
    if let Some(path) = std::env::var_os(VARIABLE) {
        let said = OpenOptions::new().append(true).create(true).open(&path).and_then(|file| say(file, test, reason));
        said.unwrap_or_else(|error| panic!("cannot write to {}: {error}", path.display()));
    }
}

/// One line, in one write: others write too.
fn say(mut file: impl Write, test: &str, reason: &str) -> io::Result<()> {
    file.write_all(format!("{test}: {}\n", reason.replace('\n', " ")).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_is_one_line() {
        let mut file = Vec::new();
        say(&mut file, "pg::claims", "no server:\nnowhere").expect("it is memory");
        assert_eq!(file, b"pg::claims: no server: nowhere\n");
    }
}
