//! The public functions that give futures or streams.

use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{
    Attribute, ImplItemFn, ItemFn, ItemImpl, ItemMod, ItemTrait, ReturnType, Signature, TraitItemFn, Visibility,
};

use super::finding::Finding;
use super::signatures::{is_for_tests, is_public, mentions, parse};
use super::tree::Tree;

const FUTURES: &[&str] = &["Future", "BoxFuture", "LocalBoxFuture", "Stream", "BoxStream"];

/// A public function that gives a future.
pub(super) struct Given {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) attributes: Vec<Attribute>,
    /// Whether a trait has it, so that whoever implements the trait makes the future.
    pub(super) is_of_trait: bool,
}

/// Those of all product source, each with its file; what does not parse is a finding.
pub(super) fn of_products<'a>(tree: &'a Tree, findings: &mut Vec<Finding>) -> Vec<(&'a str, Given)> {
    let mut all = Vec::new();
    for (file, text) in tree.with_extension("rs").filter(|(file, _)| file.is_product()) {
        match parse(&file.path, text) {
            Ok(source) => {
                let mut walk = Walk::default();
                walk.visit_file(&source);
                all.extend(walk.given.into_iter().map(|given| (file.path.as_str(), given)));
            }
            Err(finding) => findings.push(finding),
        }
    }
    all
}

#[derive(Default)]
struct Walk {
    given: Vec<Given>,
}

impl Walk {
    fn look_at(&mut self, attributes: &[Attribute], signature: &Signature, is_of_trait: bool) {
        if gives_a_future(signature) {
            let (name, line) = (signature.ident.to_string(), signature.ident.span().start().line);
            self.given.push(Given { name, line, attributes: attributes.to_vec(), is_of_trait });
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

impl<'ast> Visit<'ast> for Walk {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        if is_public(&item.vis) {
            self.look_at(&item.attrs, &item.sig, false);
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
            self.look_at(&item.attrs, &item.sig, false);
        }
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        if is_public(&item.vis) {
            visit::visit_item_trait(self, item);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        self.look_at(&item.attrs, &item.sig, true);
    }
}
