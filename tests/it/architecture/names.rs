//! Finds the items of other files that a file names, in any path: imports, expressions, types, macros and attributes.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Arm, Attribute, Block, Field, ImplItem, Item, ItemMod, ItemUse, Local, Macro, Meta, Path, Stmt, TraitItem, Variant,
    Visibility,
    ext::IdentExt as _,
    visit::{self, Visit},
};

use super::tree::{ModuleTree, NameScope, ResolvedPath, SourceFiles, attributes, imports, is_for_tests, is_reexport};

/// The names that a file uses from another: from, to, names.
pub(super) type Edges = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// The edges between the files of a crate, and the paths inside the crate that cannot be resolved.
pub(super) fn edges(root: &str, sources: &SourceFiles) -> (Edges, Vec<String>) {
    let tree = ModuleTree::read(root, sources);
    let mut reader =
        NameVisitor { tree: &tree, module: 0, blocks: Vec::new(), edges: Edges::new(), unresolved: Vec::new() };
    for (module, file) in &tree.files {
        reader.module = *module;
        reader.visit_file(file);
    }
    (reader.edges, reader.unresolved)
}

struct NameVisitor<'a> {
    tree: &'a ModuleTree,
    module: usize,
    /// The enclosing blocks, outermost first.
    blocks: Vec<NameScope>,
    edges: Edges,
    unresolved: Vec<String>,
}

impl NameVisitor<'_> {
    fn name(&mut self, path: &[String]) {
        let from = &self.tree.modules[self.module].file;
        let targets = self.tree.resolve(self.module, &self.blocks, path);
        if targets.is_empty() && path.len() > 1 && ["crate", "self", "super"].contains(&path[0].as_str()) {
            self.unresolved.push(format!("{from}: {}", path.join("::")));
        }
        for target in targets {
            match target {
                ResolvedPath::Item { file, name } if file != *from => {
                    self.edges.entry(from.clone()).or_default().entry(file).or_default().insert(name);
                }
                ResolvedPath::Item { .. } | ResolvedPath::Module(_) => {}
            }
        }
    }

    /// Visits every path in the tokens of a macro or an attribute, whose grammar no parser knows.
    fn scan(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is = |at: usize, c: char| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == c);
        let is_separator = |at: usize| is(at, ':') && is(at + 1, ':');
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.scan(group.stream()),
                TokenTree::Ident(first) => {
                    let mut path = vec![first.unraw().to_string()];
                    // A method, a macro's own variable, or an item of another crate.
                    let is_other = at >= 1 && (is(at - 1, '.') || (is(at - 1, '$') && path[0] != "crate"))
                        || at >= 2 && is_separator(at - 2);
                    while let Some(TokenTree::Ident(next)) = tokens.get(at + 3).filter(|_| is_separator(at + 1)) {
                        path.push(next.unraw().to_string());
                        at += 3;
                    }
                    if !is_other {
                        self.name(&path);
                    }
                }
                TokenTree::Literal(text) if at >= 2 && is(at - 1, '=') => {
                    let is_path = PATHS_IN_ATTRIBUTES.contains(&tokens[at - 2].to_string().as_str());
                    match text.to_string().trim_matches('"').parse() {
                        Ok(path) if is_path => self.scan(path),
                        Ok(_) | Err(_) => {}
                    }
                }
                TokenTree::Literal(_) | TokenTree::Punct(_) => {}
            }
            at += 1;
        }
    }
}

/// The keys of serde and schemars attributes whose strings are paths.
const PATHS_IN_ATTRIBUTES: [&str; 9] = [
    "with",
    "serialize_with",
    "deserialize_with",
    "schema_with",
    "default",
    "skip_serializing_if",
    "from",
    "try_from",
    "into",
];

impl<'ast> Visit<'ast> for NameVisitor<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if item.content.is_none() {
            return;
        }
        let outside = self.module;
        self.module = self.tree.modules[outside].children[&item.ident.unraw().to_string()];
        visit::visit_item_mod(self, item);
        self.module = outside;
    }

    /// A re-export does not use the item; the file that names the re-export does.
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !is_reexport(&item.vis) {
            for import in imports(&item.tree) {
                self.name(&import.path);
            }
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs[..],
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            _ => &[],
        };
        if !is_for_tests(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        let attributes = match item {
            TraitItem::Const(item) => &item.attrs[..],
            TraitItem::Fn(item) => &item.attrs,
            TraitItem::Type(item) => &item.attrs,
            TraitItem::Macro(item) => &item.attrs,
            _ => &[],
        };
        if !is_for_tests(attributes) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast Field) {
        if !is_for_tests(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast Variant) {
        if !is_for_tests(&variant.attrs) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_field_value(&mut self, field: &'ast syn::FieldValue) {
        if !is_for_tests(&field.attrs) {
            visit::visit_field_value(self, field);
        }
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        if !is_for_tests(&arm.attrs) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_local(&mut self, local: &'ast Local) {
        if !is_for_tests(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_block(&mut self, block: &'ast Block) {
        let items = block.stmts.iter().filter_map(|statement| match statement {
            Stmt::Item(item) => Some(item),
            Stmt::Local(_) | Stmt::Expr(..) | Stmt::Macro(_) => None,
        });
        self.blocks.push(NameScope::of(items));
        visit::visit_block(self, block);
        self.blocks.pop();
    }

    fn visit_path(&mut self, path: &'ast Path) {
        if path.leading_colon.is_none() {
            let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.unraw().to_string()).collect();
            self.name(&names);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        self.scan(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.scan(list.tokens.clone());
        }
    }

    /// `pub(in path)` does not use an item.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}
