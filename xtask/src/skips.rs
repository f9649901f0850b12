//! Where tests say that they skipped: libtest hides what a passing test prints, so they write to a file.

use std::fs;
use std::path::{Path, PathBuf};

/// The variable that names the file. A test that must skip appends the line `name: reason` to it.
pub(crate) const VARIABLE: &str = "LANDFALL_SKIPS";

/// A file for one run of tests; removed when dropped.
#[derive(Debug)]
pub(crate) struct SkipFile {
    path: PathBuf,
}

/// One test that skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Skip {
    pub(crate) name: String,
    pub(crate) reason: String,
}

impl SkipFile {
    /// Makes an empty file under the target directory.
    pub(crate) fn create(target: &Path) -> Result<Self, String> {
        let dir = target.join("xtask");
        let path = dir.join(format!("skips-{}", std::process::id()));
        fs::create_dir_all(&dir)
            .and_then(|()| fs::write(&path, ""))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What was written so far.
    pub(crate) fn read(&self) -> Result<Vec<Skip>, String> {
        let text =
            fs::read_to_string(&self.path).map_err(|error| format!("cannot read {}: {error}", self.path.display()))?;
        Ok(parse(&text))
    }
}

impl Drop for SkipFile {
    fn drop(&mut self) {
        // Best effort: the file lies in the target directory and is overwritten by the next process of our id.
        let _ = fs::remove_file(&self.path);
    }
}

/// One skip a line; a test that says it twice skipped once.
fn parse(text: &str) -> Vec<Skip> {
    let mut skips: Vec<Skip> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        // The path of a test is written with `::`, so the separator is the first colon followed by a space.
        let (name, reason) = line.split_once(": ").unwrap_or((line, "gave no reason"));
        if !skips.iter().any(|skip| skip.name == name) {
            skips.push(Skip { name: name.to_owned(), reason: reason.trim().to_owned() });
        }
    }
    skips
}

/// Whether a skip is a failure: `STRICT=1`.
pub(crate) fn strict() -> bool {
    std::env::var_os("STRICT").is_some_and(|value| value == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip(name: &str, reason: &str) -> Skip {
        Skip { name: name.to_owned(), reason: reason.to_owned() }
    }

    #[test]
    fn lines_name_the_test_and_the_reason() {
        let text = "pg::claims_are_kept: no PostgreSQL: looked in PATH\n\nkafka: no broker\nkafka: no broker\nbare\n";
        assert_eq!(
            parse(text),
            [
                skip("pg::claims_are_kept", "no PostgreSQL: looked in PATH"),
                skip("kafka", "no broker"),
                skip("bare", "gave no reason")
            ]
        );
    }

    #[test]
    fn a_file_is_fresh_and_gone_afterwards() {
        let target = std::env::temp_dir().join(format!("landfall-skips-{}", std::process::id()));
        let file = SkipFile::create(&target).expect("the temporary directory can be written");
        assert_eq!(file.read(), Ok(vec![]));
        fs::write(file.path(), "a: b\n").expect("it was just made");
        assert_eq!(file.read(), Ok(vec![skip("a", "b")]));
        let path = file.path().to_owned();
        drop(file);
        assert!(!path.exists());
        fs::remove_dir_all(&target).expect("it is ours");
    }
}
