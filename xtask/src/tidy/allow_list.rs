//! Lists of exceptions that are checked in: one a line, `what: reason`; `#` begins a remark.

use super::finding::Finding;
use super::tree::Tree;

/// One exception and where it stands.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) what: &'a str,
    pub(super) line: usize,
}

/// Reads a list; a missing list, or an entry without a reason, is a finding.
pub(super) fn read<'a>(tree: &'a Tree, path: &str, findings: &mut Vec<Finding>) -> Vec<Entry<'a>> {
    let Some(text) = tree.text(path) else {
        findings.push(Finding::of(path, "is missing; it may be empty"));
        return Vec::new();
    };
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once(": ") {
            Some((what, reason)) if !reason.trim().is_empty() => {
                entries.push(Entry { what: what.trim(), line: index + 1 })
            }
            _ => findings.push(Finding::at(path, index + 1, "gives no reason: `what: reason`")),
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::super::finding::assert_found;
    use super::*;

    const PATH: &str = "xtask/allow/long-files.txt";

    #[test]
    fn entries_are_read_without_the_remarks() {
        let tree = Tree::planted(&[(PATH, "# Long.\n\nsrc/a.rs: one table\n")]);
        let mut findings = Vec::new();
        let entries = read(&tree, PATH, &mut findings);
        assert_eq!(findings, []);
        assert_eq!(entries.iter().map(|entry| (entry.what, entry.line)).collect::<Vec<_>>(), [("src/a.rs", 3)]);
    }

    #[test]
    fn an_entry_without_a_reason_is_found() {
        for text in ["src/a.rs", "src/a.rs: ", "src/a.rs:"] {
            let mut findings = Vec::new();
            assert!(read(&Tree::planted(&[(PATH, text)]), PATH, &mut findings).is_empty());
            assert_found(&findings, &format!("{PATH}:1"), "reason");
        }
    }

    #[test]
    fn a_missing_list_is_found() {
        let mut findings = Vec::new();
        read(&Tree::planted(&[]), PATH, &mut findings);
        assert_found(&findings, PATH, "missing");
    }
}
