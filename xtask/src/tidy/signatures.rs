//! Reading Rust source: what is public, what is documented, what is only for tests.

use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, Expr, Lit, Meta, Visibility};

use super::finding::Finding;

/// Parses a file; what does not parse is a finding.
pub(super) fn parse(path: &str, text: &str) -> Result<syn::File, Finding> {
    syn::parse_file(text)
        .map_err(|error| Finding::at(path, error.span().start().line, format!("does not parse: {error}")))
}

pub(super) fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// The lines of an item's documentation.
pub(super) fn doc_lines(attributes: &[Attribute]) -> Vec<String> {
    attributes
        .iter()
        .filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
                Expr::Lit(literal) => match &literal.lit {
                    Lit::Str(text) => Some(text.value()),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        })
        .flat_map(|text| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>())
        .collect()
}

/// Whether an item is compiled for tests only.
pub(super) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::Path(path) => path.segments.last().is_some_and(|segment| segment.ident == "test"),
        Meta::List(list) if list.path.is_ident("cfg") => asks_for_test(list.tokens.clone()),
        Meta::List(list) => list.path.segments.last().is_some_and(|segment| segment.ident == "test"),
        Meta::NameValue(_) => false,
    })
}

/// `test`, `all(test, ..)`, `any(test, ..)`; not `not(test)`, nor `any(test, feature = "..")`-like doors to others.
fn asks_for_test(condition: TokenStream) -> bool {
    let mut tokens = condition.into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Ident(word)), None) => word == "test",
        (Some(TokenTree::Ident(word)), Some(TokenTree::Group(group))) if word == "all" => group
            .stream()
            .into_iter()
            .collect::<Vec<_>>()
            .split(|token| matches!(token, TokenTree::Punct(comma) if comma.as_char() == ','))
            .any(|part| asks_for_test(part.iter().cloned().collect())),
        _ => false,
    }
}

/// Whether a name occurs anywhere among the tokens.
pub(super) fn mentions(tokens: TokenStream, names: &[&str]) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => names.iter().any(|name| word == name),
        TokenTree::Group(group) => mentions(group.stream(), names),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(text: &str) -> Vec<Attribute> {
        let item: syn::ItemFn = syn::parse_str(&format!("{text} fn f() {{}}")).expect("it is Rust");
        item.attrs
    }

    #[test]
    fn what_is_for_tests_only_is_told_from_the_rest() {
        for text in ["#[test]", "#[tokio::test]", "#[tokio::test(start_paused = true)]", "#[cfg(test)]"] {
            assert!(is_for_tests(&attributes(text)), "{text}");
        }
        assert!(is_for_tests(&attributes("#[cfg(all(unix, test))]")));
        for text in ["#[cfg(not(test))]", "#[cfg(any(test, unix))]", "#[cfg(feature = \"test\")]", "#[inline]"] {
            assert!(!is_for_tests(&attributes(text)), "{text}");
        }
    }

    #[test]
    fn documentation_is_read_line_by_line() {
        assert_eq!(doc_lines(&attributes("/// One.\n///\n/// # Cancel safety\n")), ["One.", "# Cancel safety"]);
    }
}
