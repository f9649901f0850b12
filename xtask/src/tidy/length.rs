//! No Rust file has more than 400 lines, but for those listed with a reason; the list holds no others.

use super::allow_list;
use super::finding::Finding;
use super::tree::Tree;

const LINES_MAX: usize = 400;
const LIST: &str = "xtask/allow/long-files.txt";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let listed = allow_list::read(tree, LIST, &mut findings);
    for (file, text) in tree.with_extension("rs") {
        let lines = text.lines().count();
        if lines > LINES_MAX && !listed.iter().any(|entry| entry.what == file.path) {
            findings.push(Finding::of(&file.path, format!("has {lines} lines; split it, or say why in {LIST}")));
        }
    }
    for entry in listed {
        let lines = tree.text(entry.what).map(|text| text.lines().count());
        let stale = match lines {
            None => "is not there".to_owned(),
            Some(lines) if lines <= LINES_MAX => format!("has {lines} lines only"),
            Some(_) => continue,
        };
        findings.push(Finding::at(LIST, entry.line, format!("`{}` {stale}: take it out", entry.what)));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::assert_found;
    use super::*;

    const PATH: &str = "crates/pool/src/pool.rs";

    fn found(lines: usize, list: &str) -> Vec<Finding> {
        check(&Tree::planted(&[(PATH, &"x\n".repeat(lines)), (LIST, list)]))
    }

    #[test]
    fn a_long_file_is_found() {
        assert_eq!(found(LINES_MAX, ""), []);
        assert_found(&found(LINES_MAX + 1, ""), PATH, "has 401 lines");
    }

    #[test]
    fn a_long_file_may_be_listed() {
        assert_eq!(found(LINES_MAX + 1, &format!("{PATH}: one table")), []);
    }

    #[test]
    fn a_stale_entry_is_found() {
        assert_found(&found(9, &format!("{PATH}: one table")), &format!("{LIST}:1"), "has 9 lines only");
        assert_found(&found(9, "crates/gone.rs: one table"), &format!("{LIST}:1"), "is not there");
    }
}
