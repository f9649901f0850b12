//! Every public async function, and every one that gives a future, has a `# Cancel safety` section in its docs.

use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{
    Attribute, ImplItemFn, ItemFn, ItemImpl, ItemMod, ItemTrait, ReturnType, Signature, TraitItemFn, Visibility,
};

use super::finding::Finding;
use super::signatures::{doc_lines, is_for_tests, is_public, mentions, parse};
use super::tree::Tree;

const HEADING: &str = "# Cancel safety";
const FUTURES: &[&str] = &["Future", "BoxFuture", "LocalBoxFuture"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in tree.with_extension("rs").filter(|(file, _)| file.is_product()) {
        match parse(&file.path, text) {
            Ok(source) => {
                let mut walk = Walk { path: &file.path, findings: &mut findings };
                walk.visit_file(&source);
            }
            Err(finding) => findings.push(finding),
        }
    }
    findings
}

struct Walk<'a> {
    path: &'a str,
    findings: &'a mut Vec<Finding>,
}

impl Walk<'_> {
    fn look_at(&mut self, attributes: &[Attribute], signature: &Signature) {
        if gives_a_future(signature) && !doc_lines(attributes).iter().any(|line| line == HEADING) {
            let line = signature.ident.span().start().line;
            let message = format!("`{}` gives a future, and its docs have no `{HEADING}`", signature.ident);
            self.findings.push(Finding::at(self.path, line, message));
        }
    }
}

fn gives_a_future(signature: &Signature) -> bool {
    let returned = match &signature.output {
        ReturnType::Default => return signature.asyncness.is_some(),
        ReturnType::Type(_, returned) => returned.to_token_stream(),
    };
    signature.asyncness.is_some() || mentions(returned, FUTURES)
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        if is_public(&item.vis) {
            self.look_at(&item.attrs, &item.sig);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        // The methods of a trait are documented where the trait is.
        if item.trait_.is_none() && !is_for_tests(&item.attrs) {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if matches!(item.vis, Visibility::Public(_)) && !is_for_tests(&item.attrs) {
            self.look_at(&item.attrs, &item.sig);
        }
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        if is_public(&item.vis) {
            visit::visit_item_trait(self, item);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        self.look_at(&item.attrs, &item.sig);
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::assert_found;
    use super::*;

    const PATH: &str = "crates/pool/src/pool.rs";

    fn found(text: &str) -> Vec<Finding> {
        check(&Tree::planted(&[(PATH, text)]))
    }

    #[test]
    fn a_public_async_function_without_the_heading_is_found() {
        let faults = [
            "pub async fn claim() {}",
            "impl Pool { pub async fn claim(&self) {} }",
            "impl Pool { pub fn claim(&self) -> impl Future<Output = ()> + Send { async {} } }",
            "pub fn claim() -> BoxFuture<'static, ()> { x }",
            "pub fn claim() -> Pin<Box<dyn Future<Output = ()> + Send>> { x }",
            "pub trait Pool { fn claim(&self) -> BoxFuture<'_, ()>; }",
            "pub trait Pool { async fn claim(&self); }",
            "mod inner { pub async fn claim() {} }",
            "/// Claims.\n/// About # Cancel safety.\npub async fn claim() {}",
        ];
        for fault in faults {
            let findings = found(fault);
            let line = fault.lines().count();
            assert_found(&findings, &format!("{PATH}:{line}"), "`claim`");
        }
    }

    #[test]
    fn what_has_the_heading_or_needs_none_passes() {
        let sound = [
            "/// Claims.\n///\n/// # Cancel safety\n///\n/// Cancel safe.\npub async fn claim() {}",
            "async fn claim() {}",
            "pub(crate) async fn claim() {}",
            "pub fn spawn<F: Future>(work: F) -> Task<F::Output> { x }",
            "impl Terminate for Pool { async fn terminate(&self) {} }",
            "trait Private { async fn claim(&self); }",
            "#[cfg(test)] mod tests { pub async fn claim() {} }",
        ];
        for text in sound {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn source_that_does_not_parse_is_found() {
        assert_found(&found("pub async fn"), &format!("{PATH}:1"), "does not parse");
    }
}
