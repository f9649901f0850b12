//! Every public field of a public `..Options` or `..Policy` names its default in its docs.

use syn::visit::Visit;
use syn::{ItemMod, ItemStruct};

use super::finding::Finding;
use super::signatures::{doc_lines, is_for_tests, is_public, parse};
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in tree.with_extension("rs").filter(|(file, _)| file.is_product()) {
        match parse(&file.path, text) {
            Ok(source) => Walk { path: &file.path, findings: &mut findings }.visit_file(&source),
            Err(finding) => findings.push(finding),
        }
    }
    findings
}

struct Walk<'a> {
    path: &'a str,
    findings: &'a mut Vec<Finding>,
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_for_tests(&item.attrs) {
            syn::visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_struct(&mut self, item: &'ast ItemStruct) {
        let name = item.ident.to_string();
        if !is_public(&item.vis) || !(name.ends_with("Options") || name.ends_with("Policy")) {
            return;
        }
        for field in item.fields.iter().filter(|field| is_public(&field.vis)) {
            if doc_lines(&field.attrs).iter().any(|line| line.to_lowercase().contains("default")) {
                continue;
            }
            let Some(ident) = &field.ident else { continue };
            let message = format!("the docs of `{name}::{ident}` do not name its default");
            self.findings.push(Finding::at(self.path, ident.span().start().line, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::assert_found;
    use super::*;

    const PATH: &str = "crates/pool/src/policy.rs";

    fn found(text: &str) -> Vec<Finding> {
        check(&Tree::planted(&[(PATH, text)]))
    }

    #[test]
    fn a_field_without_its_default_is_found() {
        let text = "pub struct PoolOptions {\n/// Default: 8.\npub spares: u8,\n/// How many.\npub slots_max: u8,\n}";
        assert_found(&found(text), &format!("{PATH}:5"), "`PoolOptions::slots_max`");
        let text = "mod inner { pub struct Policy { pub claim_timeout: u8 } }";
        assert_found(&found(text), &format!("{PATH}:1"), "`Policy::claim_timeout`");
    }

    #[test]
    fn other_structs_and_private_fields_need_none() {
        let text =
            "pub struct Report { pub name: u8 }\npub struct PoolOptions { inner: u8 }\nstruct Policy { pub a: u8 }";
        assert_eq!(found(text), []);
    }
}
