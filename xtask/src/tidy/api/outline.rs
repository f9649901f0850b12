//! Items stripped to what a user of the crate can see.

use std::collections::BTreeSet;

use syn::visit_mut::{self, VisitMut};
use syn::{
    Attribute, Block, Fields, FieldsNamed, ImplItem, Item, ItemImpl, ItemMod, Path, TraitItemFn, Type, Visibility,
    parse_quote,
};

use super::super::signatures::{is_for_tests, is_public};

/// Attributes that a user of an item can notice.
const KEPT: &[&str] = &["cfg", "cfg_attr", "deprecated", "derive", "must_use", "non_exhaustive", "repr"];

/// Stands for the private fields of a struct.
const PRIVATE: &str = "private_fields";

/// Strips items; knows which types the crate has made public.
pub(super) struct Outline {
    pub(super) types: BTreeSet<String>,
}

/// The names of the public types and traits among the items.
pub(super) fn declared(items: &[Item]) -> Vec<String> {
    items
        .iter()
        .flat_map(|item| match item {
            Item::Enum(item) if is_public(&item.vis) => vec![item.ident.to_string()],
            Item::Struct(item) if is_public(&item.vis) => vec![item.ident.to_string()],
            Item::Trait(item) if is_public(&item.vis) => vec![item.ident.to_string()],
            Item::Type(item) if is_public(&item.vis) => vec![item.ident.to_string()],
            Item::Union(item) if is_public(&item.vis) => vec![item.ident.to_string()],
            Item::Mod(ItemMod { content: Some((_, items)), attrs, .. }) if !is_for_tests(attrs) => declared(items),
            _ => Vec::new(),
        })
        .collect()
}

/// Prints stripped items.
pub(super) fn print(items: Vec<Item>) -> String {
    let mut file: syn::File = parse_quote!();
    file.items = items;
    let text = prettyplease::unparse(&file);
    text.replace(&format!("{PRIVATE}: _,"), "// private fields").replace(" {}\n", ";\n")
}

impl Outline {
    /// The public ones among the items, stripped.
    pub(super) fn items(&self, items: Vec<Item>) -> Vec<Item> {
        items.into_iter().filter_map(|item| self.item(item)).collect()
    }

    fn item(&self, mut item: Item) -> Option<Item> {
        let (attributes, visibility) = head(&item)?;
        if is_for_tests(attributes) || !visibility.is_none_or(is_public) {
            return None;
        }
        match &mut item {
            Item::Impl(item) => self.keep_implementation(item).then_some(())?,
            Item::Macro(item) => {
                let is_exported = item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export"));
                item.mac.tokens = proc_macro2::TokenStream::new();
                is_exported.then_some(())?;
            }
            Item::Mod(item) => match item.content.as_mut() {
                // What is in a file of its own is shown under its own heading.
                None => is_public(&item.vis).then_some(())?,
                Some((_, items)) => {
                    *items = self.items(std::mem::take(items));
                    (!items.is_empty()).then_some(())?;
                }
            },
            Item::Struct(item) => hide_private(&mut item.fields),
            _ => {}
        }
        Strip.visit_item_mut(&mut item);
        Some(item)
    }

    /// Of a public type's own members keeps the public ones, of a trait's implementation the types; says whether there
    /// is anything to show.
    fn keep_implementation(&self, item: &mut ItemImpl) -> bool {
        let of_ours = |name: Option<String>| name.is_some_and(|name| self.types.contains(&name));
        let of_trait = item.trait_.as_ref().map(|(path, _)| last_name(path));
        let is_inherent = of_trait.is_none();
        if !of_ours(type_name(&item.self_ty)) && !of_ours(of_trait.flatten()) {
            return false;
        }
        item.items.retain(|member| match member {
            ImplItem::Const(member) => is_inherent && is_public(&member.vis),
            ImplItem::Fn(member) => is_inherent && is_public(&member.vis) && !is_for_tests(&member.attrs),
            ImplItem::Type(_) => true,
            _ => false,
        });
        !is_inherent || !item.items.is_empty()
    }
}

/// An item's attributes and, where it has one that decides, its visibility; `None` for what is never shown.
fn head(item: &Item) -> Option<(&[Attribute], Option<&Visibility>)> {
    Some(match item {
        Item::Const(item) => (&item.attrs, Some(&item.vis)),
        Item::Enum(item) => (&item.attrs, Some(&item.vis)),
        Item::Fn(item) => (&item.attrs, Some(&item.vis)),
        Item::Impl(item) => (&item.attrs, None),
        Item::Macro(item) => (&item.attrs, None),
        Item::Mod(item) => (&item.attrs, None),
        Item::Static(item) => (&item.attrs, Some(&item.vis)),
        Item::Struct(item) => (&item.attrs, Some(&item.vis)),
        Item::Trait(item) => (&item.attrs, Some(&item.vis)),
        Item::Type(item) => (&item.attrs, Some(&item.vis)),
        Item::Union(item) => (&item.attrs, Some(&item.vis)),
        Item::Use(item) => (&item.attrs, Some(&item.vis)),
        _ => return None,
    })
}

/// Private fields become a single mark, or `_` where position counts.
fn hide_private(fields: &mut Fields) {
    match fields {
        Fields::Named(named) => {
            let all = named.named.len();
            named.named = std::mem::take(&mut named.named).into_iter().filter(|field| is_public(&field.vis)).collect();
            if named.named.len() < all {
                let mark = syn::Ident::new(PRIVATE, proc_macro2::Span::call_site());
                let marked: FieldsNamed = parse_quote!({ #mark: _ });
                named.named.extend(marked.named);
            }
        }
        Fields::Unnamed(unnamed) => {
            for field in unnamed.unnamed.iter_mut().filter(|field| !is_public(&field.vis)) {
                field.ty = parse_quote!(_);
                field.attrs.clear();
            }
        }
        Fields::Unit => {}
    }
}

/// Takes away bodies, and the attributes that are of no concern to a user.
struct Strip;

impl VisitMut for Strip {
    fn visit_attributes_mut(&mut self, attributes: &mut Vec<Attribute>) {
        attributes.retain(|attribute| KEPT.iter().any(|kept| attribute.path().is_ident(kept)));
    }

    fn visit_block_mut(&mut self, block: &mut Block) {
        block.stmts.clear();
    }

    fn visit_trait_item_fn_mut(&mut self, item: &mut TraitItemFn) {
        visit_mut::visit_trait_item_fn_mut(self, item);
        if let Some(block) = &mut item.default {
            // A method that is provided differs from one that is required.
            *block = parse_quote!({ provided });
        }
    }
}

/// The last name of the type behind references.
fn type_name(of: &Type) -> Option<String> {
    match of {
        Type::Path(path) => last_name(&path.path),
        Type::Reference(reference) => type_name(&reference.elem),
        _ => None,
    }
}

fn last_name(path: &Path) -> Option<String> {
    Some(path.segments.last()?.ident.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expected: &str) {
        let items = syn::parse_file(source).expect("the source is Rust").items;
        let outline = Outline { types: declared(&items).into_iter().collect() };
        assert_eq!(print(outline.items(items)), expected);
    }

    #[test]
    fn what_is_not_public_is_left_out() {
        check("fn f() {} pub(crate) fn g() {} struct S; use a::b; mod m { fn h() {} } const C: u8 = 1;", "");
        check("struct S; impl S { pub fn f() {} }\nimpl Clone for S { fn clone(&self) -> Self { S } }", "");
        check("#[cfg(test)] pub fn f() {}\n#[cfg(test)] mod tests { pub fn g() {} }", "");
        check("macro_rules! m { () => {} }", "");
    }

    #[test]
    fn functions_lose_their_bodies_and_docs() {
        check("/// Claims.\n#[inline] pub fn f<T: Send>(t: T) -> u8 { 1 }", "pub fn f<T: Send>(t: T) -> u8;\n");
        check("#[must_use] pub async fn f() { 1; }", "#[must_use]\npub async fn f();\n");
    }

    #[test]
    fn private_fields_are_one_mark() {
        check(
            "pub struct S { pub a: u8, b: u16, c: u32 }",
            "pub struct S {\n    pub a: u8,\n    // private fields\n}\n",
        );
        check("pub struct S(pub u8, u16);", "pub struct S(pub u8, _);\n");
    }

    #[test]
    fn a_required_method_differs_from_a_provided_one() {
        let text = "pub trait T {\n    fn a(&self);\n    fn b(&self) {\n        provided\n    }\n}\n";
        check("pub trait T { /// A.\n fn a(&self); fn b(&self) { self.a() } }", text);
    }

    #[test]
    fn implementations_show_what_they_add() {
        let source = "pub struct S; impl S { pub fn f(&self) { 1; } fn g() {} }\n\
            impl Iterator for S { type Item = u8; fn next(&mut self) -> Option<u8> { None } }\n\
            impl Drop for &S { fn drop(&mut self) {} }";
        check(
            source,
            "pub struct S;\nimpl S {\n    pub fn f(&self);\n}\nimpl Iterator for S {\n    type Item = u8;\n}\nimpl Drop for &S;\n",
        );
    }

    #[test]
    fn public_items_of_inner_modules_stay_in_them() {
        check("mod m { pub fn f() {} }", "mod m {\n    pub fn f();\n}\n");
        check("pub mod a; mod b;", "pub mod a;\n");
    }
}
