//! Nothing names a place that exists on one machine only: a home or work directory, a registry beside crates.io.

use super::finding::Finding;
use super::tree::Tree;

/// Split so that this file does not find itself.
const DIRECTORIES: &[&str] =
    &[concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];

/// How a manifest or cargo's configuration names another registry.
const REGISTRIES: &[&str] = &["[source.", "[registries", "registry-index", "replace-with", concat!("spar", "se+")];

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in tree.texts() {
        for (index, line) in text.lines().enumerate() {
            let mut found = |what: &str| findings.push(Finding::at(&file.path, index + 1, format!("names `{what}`")));
            if let Some(directory) = DIRECTORIES.iter().find(|directory| names_directory(line, directory)) {
                found(directory);
            }
            if file.path.ends_with(".toml")
                && let Some(registry) = REGISTRIES.iter().find(|registry| line.contains(**registry))
            {
                found(registry);
            }
            if file.path == "Cargo.lock"
                && let Some(source) = line.strip_prefix("source = ")
                && source.trim_matches('"') != CRATES_IO
            {
                found(source);
            }
        }
    }
    findings
}

/// An absolute path: what stands before it does not make it part of a longer one, or of an address.
fn names_directory(line: &str, directory: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | ')' | '*' | '~');
    line.match_indices(directory).any(|(at, _)| !line[..at].ends_with(is_part))
}

#[cfg(test)]
mod tests {
    use super::super::finding::assert_found;
    use super::*;

    #[test]
    fn a_directory_of_one_machine_is_found() {
        for directory in DIRECTORIES {
            let text = format!("one\nlet path = \"{directory}me/landfall\";");
            assert_found(&check(&Tree::planted(&[("tests/src/x.rs", &text)])), "tests/src/x.rs:2", directory);
            let text = format!("see https://example.org{directory}x and ..{directory}y");
            assert_eq!(check(&Tree::planted(&[("docs/x.md", &text)])), []);
        }
    }

    #[test]
    fn another_registry_is_found() {
        for registry in REGISTRIES {
            let findings = check(&Tree::planted(&[(".cargo/config.toml", &format!("# Here.\n{registry}x"))]));
            assert_found(&findings, ".cargo/config.toml:2", registry);
        }
    }

    #[test]
    fn a_lock_file_from_elsewhere_is_found() {
        let lock = |source: &str| check(&Tree::planted(&[("Cargo.lock", &format!("source = \"{source}\"\n"))]));
        assert_eq!(lock(CRATES_IO), []);
        assert_found(&lock("git+https://example.org/tokio#1"), "Cargo.lock:1", "git+");
        assert_found(&lock("registry+https://example.org/index"), "Cargo.lock:1", "example.org");
    }
}
