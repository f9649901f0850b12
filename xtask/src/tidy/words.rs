//! Nothing unfinished is checked in, and product code does not `unwrap`.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::Attribute;
use syn::parse::Parser;

use super::finding::Finding;
use super::signatures::is_for_tests;
use super::tree::{File, Tree};

/// Split so that this file does not find itself.
const UNFINISHED: &[&str] =
    &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK"), concat!("to", "do!")];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in tree.texts().filter(|(file, _)| file.path != "Cargo.lock") {
        for (index, line) in text.lines().enumerate() {
            for word in UNFINISHED.iter().chain(&[concat!("unimpl", "emented!")]) {
                if has_word(line, word) {
                    findings.push(Finding::at(&file.path, index + 1, format!("`{word}`: finish it, or open an issue")));
                }
            }
        }
    }
    for (file, text) in tree.with_extension("rs").filter(|(file, _)| must_not_unwrap(file)) {
        let mut lines = Vec::new();
        if let Ok(tokens) = text.parse::<TokenStream>() {
            unwraps(tokens, &mut lines);
        }
        let message = "`unwrap` outside of tests: `expect` says why it cannot be, an error says what happened";
        findings.extend(lines.into_iter().map(|line| Finding::at(&file.path, line, message)));
    }
    findings
}

fn must_not_unwrap(file: &File) -> bool {
    file.is_product() || (file.path.starts_with("xtask/src/") && !file.is_test())
}

fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let after = &line[at + word.len()..];
        !line[..at].ends_with(is_part) && (word.ends_with('!') || !after.starts_with(is_part))
    })
}

/// The lines of `.unwrap()` in what is not for tests only, also inside of macros.
fn unwraps(tokens: TokenStream, lines: &mut Vec<usize>) {
    let mut tokens = tokens.into_iter().peekable();
    let mut after_dot = false;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                let inner =
                    tokens.next_if(|next| matches!(next, TokenTree::Punct(bang) if bang.as_char() == '!')).is_some();
                let is_bracket =
                    |it: &TokenTree| matches!(it, TokenTree::Group(it) if it.delimiter() == Delimiter::Bracket);
                let Some(TokenTree::Group(attribute)) = tokens.next_if(is_bracket) else { continue };
                if is_test_attribute(&attribute) {
                    if inner {
                        return;
                    }
                    // The item ends with its braces, or with a semicolon if it has none.
                    let ends = |token: &TokenTree| match token {
                        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                        TokenTree::Punct(punct) => punct.as_char() == ';',
                        _ => false,
                    };
                    let _ = tokens.find(ends);
                }
            }
            TokenTree::Ident(word) if after_dot && word == "unwrap" => {
                lines.push(word.span().start().line);
            }
            TokenTree::Group(group) => unwraps(group.stream(), lines),
            TokenTree::Punct(punct) => {
                after_dot = punct.as_char() == '.';
                continue;
            }
            TokenTree::Ident(_) | TokenTree::Literal(_) => {}
        }
        after_dot = false;
    }
}

fn is_test_attribute(bracket: &proc_macro2::Group) -> bool {
    let mut tokens = TokenStream::from(TokenTree::Punct(proc_macro2::Punct::new('#', proc_macro2::Spacing::Alone)));
    tokens.extend([TokenTree::Group(bracket.clone())]);
    Attribute::parse_outer.parse2(tokens).is_ok_and(|attributes| is_for_tests(&attributes))
}

#[cfg(test)]
mod tests {
    use super::super::finding::assert_found;
    use super::*;

    const PATH: &str = "crates/pool/src/pool.rs";

    fn found(path: &str, text: &str) -> Vec<Finding> {
        check(&Tree::planted(&[(path, text)]))
    }

    #[test]
    fn unfinished_work_is_found_in_any_text() {
        for word in UNFINISHED {
            for path in [PATH, "docs/architecture.md", ".github/workflows/ci.yml"] {
                assert_found(&found(path, &format!("sound\n# {word}: later")), &format!("{path}:2"), word);
            }
        }
        assert_eq!(found(PATH, "fn to_do() { methods(); } // UTODO XXXL"), []);
    }

    #[test]
    fn unwrap_in_product_code_is_found() {
        let faults = [
            "fn f() { a.unwrap(); }",
            "fn f() { assert!(a.unwrap() > 1); }",
            "#[cfg(test)] mod tests; fn f() { a.unwrap(); }",
            "#[cfg(test)] mod tests {} fn f() { a.unwrap(); }",
            "#[cfg(not(test))] fn f() { a.unwrap(); }",
            "fn f() { a.map(Option::unwrap).unwrap(); }",
        ];
        for fault in faults {
            assert_found(&found(PATH, fault), &format!("{PATH}:1"), "`unwrap`");
        }
    }

    #[test]
    fn unwrap_in_tests_and_in_docs_passes() {
        let sound = [
            "#[cfg(test)] mod tests { fn f() { a.unwrap(); } }",
            "#[test] fn f() { a.unwrap(); }",
            "#[tokio::test(start_paused = true)] async fn f() -> X { a.unwrap(); }",
            "/// a.unwrap();\nfn f() { a.unwrap_or(1); fn unwrap() {} }",
        ];
        for text in sound {
            assert_eq!(found(PATH, text), [], "{text}");
        }
        assert_eq!(found("crates/pool/tests/it/main.rs", "fn f() { a.unwrap(); }"), []);
    }
}
