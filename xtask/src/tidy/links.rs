//! Relative links in the documents lead to files that exist.

use super::finding::Finding;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in tree.with_extension("md") {
        let mut in_code = false;
        for (index, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                in_code = !in_code;
            }
            if in_code {
                continue;
            }
            for target in targets(line) {
                if !leads_somewhere(tree, &file.path, target) {
                    findings.push(Finding::at(&file.path, index + 1, format!("`{target}` leads nowhere")));
                }
            }
        }
    }
    findings
}

/// The targets of `[text](target)` and `[label]: target` in a line; code in backticks is no link.
fn targets(line: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    if line.starts_with('[')
        && let Some((_, target)) = line.split_once("]: ")
    {
        targets.extend(target.split_whitespace().next());
    }
    for (at, _) in line.match_indices("](") {
        let in_code = line[..at].matches('`').count() % 2 == 1;
        let Some((target, _)) = line[at + 2..].split_once(')') else { continue };
        if !in_code {
            targets.extend(target.split_whitespace().next());
        }
    }
    targets
}

fn leads_somewhere(tree: &Tree, from: &str, target: &str) -> bool {
    let elsewhere = target.contains("://") || target.starts_with("mailto:");
    // `[TaskSet](crate::TaskSet)`: rustdoc checks those.
    let in_rustdoc = target.contains("::");
    let path = target.split('#').next().unwrap_or_default();
    if elsewhere || in_rustdoc || path.is_empty() {
        return true;
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." if parts.pop().is_none() => return false,
            ".." => {}
            part => parts.push(part),
        }
    }
    tree.has(&parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::super::finding::assert_found;
    use super::*;

    const PATH: &str = "docs/architecture.md";

    fn found(text: &str) -> Vec<Finding> {
        check(&Tree::planted(&[(PATH, text), ("README.md", ""), ("crates/pool/src/lib.rs", "")]))
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        for link in
            ["[a](gone.md)", "see [a](../README.md) and [b](./gone.md#x)", "[a]: gone.md", "[a](../../README.md)"]
        {
            assert_found(&found(&format!("# A\n{link}")), &format!("{PATH}:2"), "leads nowhere");
        }
    }

    #[test]
    fn links_to_files_directories_addresses_and_items_pass() {
        let text = "[a](../README.md#x) [b](../crates/pool) [c](../crates/pool/src/) [d](https://example.org/x.md)\n\
            [e](#here) [f](crate::TaskSet) `[g](gone.md)` [h]\n[h]: architecture.md\n```text\n[i](gone.md)\n```\n";
        assert_eq!(found(text), []);
    }
}
