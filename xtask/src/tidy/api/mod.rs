//! The public API of each library is written down in `docs/api`, so that a change of it is seen in review.
//!
//! The text is made from the source: every `pub` item in source order, file by file, without bodies, documentation and
//! private fields. It says what may be named, not by which path: the lint `unreachable_pub` sees to it that whatever is
//! `pub` is reachable, and the `pub use` lines of `lib.rs`, listed too, say where.

mod outline;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::finding::Finding;
use super::signatures::{is_for_tests, parse};
use super::tree::Tree;
use crate::roster::{self, Member};

use self::outline::{Outline, declared};

const DIR: &str = "docs/api";

/// Compares what is written down with the source.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let libraries = libraries(tree);
    for member in &libraries {
        let path = path_of(member);
        match render(tree, member) {
            Err(finding) => findings.push(finding),
            Ok(text) if tree.text(&path) == Some(&text) => {}
            Ok(text) => findings.push(difference(&path, tree.text(&path).unwrap_or_default(), &text)),
        }
    }
    let expected: BTreeSet<String> = libraries.iter().map(|member| path_of(member)).collect();
    let stale = tree.files().iter().filter(|file| {
        file.path.strip_prefix(DIR).is_some_and(|name| name.starts_with('/')) && !expected.contains(&file.path)
    });
    findings.extend(stale.map(|file| Finding::of(&file.path, "describes no library")));
    findings
}

/// Writes down the source's API, and gives the paths of what has changed.
pub(super) fn bless(root: &Path, tree: &Tree) -> Result<Vec<String>, String> {
    let mut written = Vec::new();
    for member in libraries(tree) {
        let path = path_of(member);
        let text = render(tree, member).map_err(|finding| finding.to_string())?;
        if tree.text(&path) != Some(&text) {
            fs::create_dir_all(root.join(DIR))
                .and_then(|()| fs::write(root.join(&path), &text))
                .map_err(|error| format!("cannot write {path}: {error}"))?;
            written.push(path);
        }
    }
    Ok(written)
}

fn libraries(tree: &Tree) -> Vec<&'static Member> {
    roster::MEMBERS.iter().filter(|member| member.is_library() && tree.has(&root_of(member))).collect()
}

fn root_of(member: &Member) -> String {
    format!("{}/src/lib.rs", member.dir)
}

fn path_of(member: &Member) -> String {
    format!("{DIR}/{}.txt", member.name)
}

fn difference(path: &str, written: &str, made: &str) -> Finding {
    let same = written.lines().zip(made.lines()).take_while(|(written, made)| written == made).count();
    let line = |text: &str| text.lines().nth(same).unwrap_or("nothing more").trim().to_owned();
    let message = format!("has `{}` where the source has `{}`; `cargo xtask tidy --bless`", line(written), line(made));
    Finding::at(path, same + 1, message)
}

/// The API of one library as text.
fn render(tree: &Tree, member: &Member) -> Result<String, Finding> {
    let mut files = Vec::new();
    modules(tree, &root_of(member), true, &mut files)?;
    let types: BTreeSet<String> = files.iter().flat_map(|(_, source)| declared(&source.items)).collect();
    let outline = Outline { types };
    let mut text = format!("The public items of {}; made by `cargo xtask tidy --bless`.\n", member.name);
    for (path, source) in files {
        let items = outline.items(source.items);
        if !items.is_empty() {
            let within = path.strip_prefix(member.dir).unwrap_or(&path).trim_start_matches('/');
            text.push_str(&format!("\n// {within}\n\n{}", outline::print(items)));
        }
    }
    Ok(text)
}

/// A file and, after it, the files of its modules, in the order of their `mod` lines.
fn modules(tree: &Tree, path: &str, is_root: bool, files: &mut Vec<(String, syn::File)>) -> Result<(), Finding> {
    let Some(text) = tree.text(path) else { return Err(Finding::of(path, "is missing")) };
    let source = parse(path, text)?;
    if is_for_tests(&source.attrs) {
        return Ok(());
    }
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
    let below = match name.strip_suffix(".rs") {
        Some(stem) if !is_root && stem != "mod" => format!("{dir}/{stem}"),
        _ => dir.to_owned(),
    };
    let mut names = Vec::new();
    for item in &source.items {
        if let syn::Item::Mod(item) = item
            && item.content.is_none()
            && !is_for_tests(&item.attrs)
        {
            names.push((item.ident.to_string(), item.ident.span().start().line));
        }
    }
    files.push((path.to_owned(), source));
    for (name, line) in names {
        let candidates = [format!("{below}/{name}.rs"), format!("{below}/{name}/mod.rs")];
        let Some(found) = candidates.iter().find(|candidate| tree.text(candidate).is_some()) else {
            return Err(Finding::at(path, line, format!("the file of module `{name}` is missing")));
        };
        modules(tree, found, false, files)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::finding::assert_found;
    use super::*;

    const LIB: &str = "crates/pool/src/lib.rs";
    const WRITTEN: &str = "docs/api/landfall-pool.txt";

    const SOURCE: &[(&str, &str)] = &[
        (LIB, "//! A pool.\nmod pool;\n#[cfg(test)]\nmod fake;\npub use pool::Pool;\n"),
        ("crates/pool/src/pool/mod.rs", "//! The pool.\nmod claim;\npub struct Pool { slots: u8 }\n"),
        ("crates/pool/src/pool/claim.rs", "//! Claims.\nimpl Pool { pub fn claim(&self) -> u8 { self.slots } }\n"),
    ];

    fn with(more: &[(&str, &str)]) -> Tree {
        Tree::planted(&SOURCE.iter().chain(more).copied().collect::<Vec<_>>())
    }

    fn made() -> String {
        render(&with(&[]), roster::member("landfall-pool").expect("in the roster")).expect("it parses")
    }

    #[test]
    fn files_follow_their_mod_lines() {
        let text = made();
        let order = [
            "// src/lib.rs",
            "pub use pool::Pool;",
            "// src/pool/mod.rs",
            "struct Pool",
            "// src/pool/claim.rs",
            "fn claim",
        ];
        let at: Vec<Option<usize>> = order.iter().map(|part| text.find(part)).collect();
        assert!(at.iter().all(Option::is_some) && at.is_sorted(), "{at:?}\n{text}");
        assert!(!text.contains("fake"), "{text}");
    }

    #[test]
    fn an_api_that_is_not_what_is_written_down_is_found() {
        assert_eq!(check(&with(&[(WRITTEN, &made())])), []);
        assert_found(&check(&with(&[])), &format!("{WRITTEN}:1"), "--bless");
        let other = made().replace("claim(&self)", "claim(self)");
        let line = made().lines().position(|line| line.contains("claim(&self)")).expect("it is there") + 1;
        assert_found(&check(&with(&[(WRITTEN, &other)])), &format!("{WRITTEN}:{line}"), "claim(&self)");
    }

    #[test]
    fn an_api_of_no_library_is_found() {
        let stale = "docs/api/landfall-gone.txt";
        assert_found(&check(&with(&[(WRITTEN, &made()), (stale, "")])), stale, "no library");
    }

    #[test]
    fn a_missing_module_is_found() {
        assert_found(&check(&Tree::planted(&[(LIB, "//! A pool.\nmod pool;\n")])), &format!("{LIB}:2"), "`pool`");
    }
}
