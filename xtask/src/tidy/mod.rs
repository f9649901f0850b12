//! `cargo xtask tidy`: the house rules that neither rustc nor clippy checks.
//!
//! Each check is a function over the tree or the workspace, and has a test that plants the fault and sees it found: a
//! check that cannot fail is a defect.

mod allow_list;
mod alone;
mod api;
mod attributes;
mod cancel_safety;
mod changelog;
mod cut;
mod defaults;
mod examples;
mod finding;
mod futures;
mod guarantees;
mod headers;
mod layering;
mod length;
mod links;
mod manifests;
mod parity;
mod places;
mod programs;
mod signatures;
mod tree;
mod words;

use crate::workspace::Workspace;

use self::finding::Finding;
use self::tree::Tree;

/// A rule of the house and the check that finds what breaks it.
struct Rule<T> {
    says: &'static str,
    check: fn(&T) -> Vec<Finding>,
}

const OF_TREE: &[Rule<Tree>] = &[
    Rule { says: "every file opens with what it is", check: headers::check },
    Rule { says: "async functions say what dropping them does", check: cancel_safety::check },
    Rule { says: "futures of libraries are cut at every poll", check: cut::check },
    Rule { says: "options and policies name their defaults", check: defaults::check },
    Rule { says: "examples are numbered", check: examples::check },
    Rule { says: "files are short", check: length::check },
    Rule { says: "exceptions from the lints are counted", check: attributes::check },
    Rule { says: "nothing is unfinished, nothing is unwrapped", check: words::check },
    Rule { says: "no place of one machine is named", check: places::check },
    Rule { says: "no test is left out", check: programs::check },
    Rule { says: "manifests inherit", check: manifests::check },
    Rule { says: "the changelog is kept", check: changelog::check },
    Rule { says: "each guarantee has its tests", check: guarantees::check },
    Rule { says: "what the pool is held against has its tests", check: parity::check },
    Rule { says: "links lead somewhere", check: links::check },
    Rule { says: "the public API is written down", check: api::check },
];

/// These ask cargo.
const OF_WORKSPACE: &[Rule<Workspace>] = &[
    Rule { says: "arrows point down", check: layering::check },
    Rule { says: "each library builds alone and stays light", check: alone::check },
];

/// Runs every check; `bless` rewrites the public-API files first.
pub(crate) fn run(bless: bool) -> Result<bool, String> {
    Ok(check(&Workspace::load()?, bless)? == 0)
}

/// Runs every check, prints what was found, and gives how much that is.
pub(crate) fn check(workspace: &Workspace, bless: bool) -> Result<usize, String> {
    if bless {
        let tree = Tree::read(&workspace.root)?;
        for path in api::bless(&workspace.root, &tree)? {
            println!("wrote {path}");
        }
    }
    let tree = Tree::read(&workspace.root)?;
    let mut all = OF_TREE.iter().map(|rule| rule.show(&tree)).sum::<usize>();
    all += OF_WORKSPACE.iter().map(|rule| rule.show(workspace)).sum::<usize>();
    let rules = OF_TREE.len() + OF_WORKSPACE.len();
    println!("tidy: {rules} rules, {} files, {all} findings", tree.files().len());
    Ok(all)
}

impl<T> Rule<T> {
    /// Prints what breaks the rule, and gives how much that is.
    fn show(&self, of: &T) -> usize {
        let findings = (self.check)(of);
        if !findings.is_empty() {
            println!("not so: {}", self.says);
        }
        for finding in &findings {
            println!("  {finding}");
        }
        findings.len()
    }
}
