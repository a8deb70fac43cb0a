//! The modules of a crate, as declared in its source files, and the resolution of paths in them. Code that is compiled
//! only for tests is ignored.

use std::collections::{BTreeMap, BTreeSet};

use syn::{Attribute, Item, Meta, Token, UseTree, Visibility, ext::IdentExt as _, punctuated::Punctuated};

/// The texts of a crate's files by path, such as `src/store/mod.rs`.
pub(super) type SourceFiles = BTreeMap<String, String>;

/// All modules of a crate; the first one is its root.
pub(super) struct ModuleTree {
    pub(super) modules: Vec<Module>,
    /// The parsed files, each with its module.
    pub(super) files: Vec<(usize, syn::File)>,
    /// The macros that can be named in the root module, with their files.
    exported: BTreeMap<String, String>,
}

/// One module: a file, or a part of a file in braces.
#[derive(Default)]
pub(super) struct Module {
    pub(super) file: String,
    pub(super) children: BTreeMap<String, usize>,
    parent: Option<usize>,
    scope: NameScope,
}

/// The names that a module, or the block of a function, brings into scope.
#[derive(Default)]
pub(super) struct NameScope {
    items: BTreeSet<String>,
    imports: Vec<Import>,
}

/// One leaf of a `use` item.
#[derive(Clone)]
pub(super) struct Import {
    /// `None` for a glob.
    name: Option<String>,
    pub(super) path: Vec<String>,
}

/// The target of a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ResolvedPath {
    Module(usize),
    Item { file: String, name: String },
}

impl ModuleTree {
    /// Reads a crate from its root file.
    pub(super) fn read(root: &str, sources: &SourceFiles) -> Self {
        let mut tree = Self { modules: Vec::new(), files: Vec::new(), exported: BTreeMap::new() };
        tree.add_file(root, None, sources);
        tree
    }

    fn add_file(&mut self, path: &str, parent: Option<usize>, sources: &SourceFiles) -> usize {
        let file = syn::parse_file(&sources[path]).unwrap_or_else(|error| panic!("{path}: {error}"));
        let index = self.add_module(path, parent);
        let (dir, name) = path.split_at(path.rfind('/').map_or(0, |slash| slash + 1));
        let dir = match name {
            "lib.rs" | "main.rs" | "mod.rs" => dir.to_owned(),
            _ => format!("{}/", path.trim_end_matches(".rs")),
        };
        if !is_for_tests(&file.attrs) {
            self.add_items(index, &file.items, &dir, sources);
            self.files.push((index, file));
        }
        index
    }

    fn add_module(&mut self, file: &str, parent: Option<usize>) -> usize {
        self.modules.push(Module { file: file.to_owned(), parent, ..Module::default() });
        self.modules.len() - 1
    }

    fn add_items(&mut self, index: usize, items: &[Item], dir: &str, sources: &SourceFiles) {
        self.modules[index].scope = NameScope::of(items.iter());
        for item in items.iter().filter(|item| !is_for_tests(attributes(item))) {
            if let (Item::Macro(definition), Some(name)) = (item, name_of(item))
                && definition.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export"))
            {
                self.exported.insert(name, self.modules[index].file.clone());
            }
            let Item::Mod(module) = item else { continue };
            let name = module.ident.unraw().to_string();
            let below = format!("{dir}{name}");
            let child = match &module.content {
                Some((_, items)) => {
                    let file = self.modules[index].file.clone();
                    let child = self.add_module(&file, Some(index));
                    self.add_items(child, items, &format!("{below}/"), sources);
                    child
                }
                None => {
                    let path = [format!("{below}.rs"), format!("{below}/mod.rs")];
                    let path = path.iter().find(|path| sources.contains_key(*path));
                    let path = path.unwrap_or_else(|| panic!("no file for module `{below}`"));
                    self.add_file(path, Some(index), sources)
                }
            };
            self.modules[index].children.insert(name, child);
        }
    }

    /// Every item that a path may refer to at this point, in any namespace; empty if the path leads out of the crate.
    pub(super) fn resolve(&self, module: usize, blocks: &[NameScope], path: &[String]) -> BTreeSet<ResolvedPath> {
        self.walk(module, blocks, path, &mut BTreeSet::new())
    }

    fn walk(&self, module: usize, blocks: &[NameScope], path: &[String], seen: &mut Visited) -> BTreeSet<ResolvedPath> {
        let Some((first, rest)) = path.split_first() else { return BTreeSet::new() };
        let mut targets = match first.as_str() {
            "crate" => BTreeSet::from([ResolvedPath::Module(0)]),
            "self" => BTreeSet::from([ResolvedPath::Module(module)]),
            "super" => self.parent(module),
            name => self.look_up_in_blocks(module, blocks, name, seen),
        };
        for name in rest {
            let next: BTreeSet<ResolvedPath> = targets
                .iter()
                .flat_map(|target| match target {
                    ResolvedPath::Module(module) if name == "super" => self.parent(*module),
                    ResolvedPath::Module(module) => self.look_up(*module, &self.modules[*module].scope, name, seen),
                    ResolvedPath::Item { .. } => BTreeSet::new(),
                })
                .collect();
            if next.is_empty() {
                // A variant or an associated item: the path names its type.
                targets.retain(|target| matches!(target, ResolvedPath::Item { .. }));
                break;
            }
            targets = next;
        }
        targets
    }

    fn parent(&self, module: usize) -> BTreeSet<ResolvedPath> {
        self.modules[module].parent.map(ResolvedPath::Module).into_iter().collect()
    }

    fn look_up_in_blocks(
        &self,
        module: usize,
        blocks: &[NameScope],
        name: &str,
        seen: &mut Visited,
    ) -> BTreeSet<ResolvedPath> {
        for (depth, block) in blocks.iter().enumerate().rev() {
            if block.items.contains(name) {
                return BTreeSet::from([self.item(module, name)]);
            }
            let imports = block.imports.iter().filter(|import| import.name.as_deref() == Some(name));
            // The block's own names are not used to resolve its imports, because that could recurse forever.
            let found: BTreeSet<ResolvedPath> =
                imports.flat_map(|import| self.walk(module, &blocks[..depth], &import.path, seen)).collect();
            if !found.is_empty() {
                return found;
            }
        }
        self.look_up(module, &self.modules[module].scope, name, seen)
    }

    fn look_up(&self, module: usize, scope: &NameScope, name: &str, seen: &mut Visited) -> BTreeSet<ResolvedPath> {
        if !seen.insert((module, name.to_owned())) {
            return BTreeSet::new();
        }
        let mut found = BTreeSet::new();
        found.extend(self.modules[module].children.get(name).copied().map(ResolvedPath::Module));
        if scope.items.contains(name) {
            found.insert(self.item(module, name));
        }
        if let Some(file) = self.exported.get(name).filter(|_| module == 0) {
            found.insert(ResolvedPath::Item { file: file.clone(), name: name.to_owned() });
        }
        for import in scope.imports.iter().filter(|import| import.name.as_deref() == Some(name)) {
            found.extend(self.walk(module, &[], &import.path, seen));
        }
        if found.is_empty() {
            for glob in scope.imports.iter().filter(|import| import.name.is_none()) {
                for target in self.walk(module, &[], &glob.path, seen) {
                    match target {
                        ResolvedPath::Module(other) => {
                            found.extend(self.look_up(other, &self.modules[other].scope, name, seen))
                        }
                        ResolvedPath::Item { .. } => {}
                    }
                }
            }
        }
        seen.remove(&(module, name.to_owned()));
        found
    }

    fn item(&self, module: usize, name: &str) -> ResolvedPath {
        ResolvedPath::Item { file: self.modules[module].file.clone(), name: name.to_owned() }
    }
}

/// The names that are being looked up, with their modules. They stop the recursion when an import refers to itself.
type Visited = BTreeSet<(usize, String)>;

impl NameScope {
    /// The names that these items define and import.
    pub(super) fn of<'a>(items: impl Iterator<Item = &'a Item>) -> Self {
        let mut scope = Self::default();
        for item in items.filter(|item| !is_for_tests(attributes(item))) {
            match item {
                Item::Use(item) => scope.imports.extend(imports(&item.tree)),
                item => scope.items.extend(name_of(item)),
            }
        }
        scope
    }
}

/// The name that an item defines, other than a module.
fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.unraw().to_string())
}

/// The leaves of a `use` item.
pub(super) fn imports(tree: &UseTree) -> Vec<Import> {
    let mut found = Vec::new();
    collect_imports(tree, &[], &mut found);
    found
}

fn collect_imports(tree: &UseTree, before: &[String], found: &mut Vec<Import>) {
    let join = |name: &syn::Ident| match name.unraw().to_string() {
        // `use a::{self}` imports `a`.
        name if name == "self" && !before.is_empty() => before.to_vec(),
        name => [before, &[name]].concat(),
    };
    match tree {
        UseTree::Path(path) => collect_imports(&path.tree, &join(&path.ident), found),
        UseTree::Name(name) => {
            let path = join(&name.ident);
            found.push(Import { name: path.last().cloned(), path });
        }
        UseTree::Rename(rename) => {
            found.push(Import { name: Some(rename.rename.unraw().to_string()), path: join(&rename.ident) });
        }
        UseTree::Glob(_) => found.push(Import { name: None, path: before.to_vec() }),
        UseTree::Group(group) => group.items.iter().for_each(|tree| collect_imports(tree, before, found)),
    }
}

/// Whether a `use` item re-exports its names.
pub(super) fn is_reexport(visibility: &Visibility) -> bool {
    !matches!(visibility, Visibility::Inherited)
}

/// The attributes of an item.
pub(super) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether code with these attributes is compiled only for tests.
pub(super) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("cfg") => {
            list.parse_args::<Meta>().is_ok_and(|cfg| holds_without_tests(&cfg) == Some(false))
        }
        _ => false,
    })
}

/// The value of a `cfg` condition if `test` is not set; `None` if it depends on other settings.
fn holds_without_tests(condition: &Meta) -> Option<bool> {
    let Meta::List(list) = condition else {
        return condition.path().is_ident("test").then_some(false);
    };
    let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok()?;
    let parts: Vec<Option<bool>> = parts.iter().map(holds_without_tests).collect();
    let decided_by = |value| match () {
        () if parts.contains(&Some(value)) => Some(value),
        () if parts.contains(&None) => None,
        () => Some(!value),
    };
    if list.path.is_ident("all") {
        decided_by(false)
    } else if list.path.is_ident("any") {
        decided_by(true)
    } else {
        parts.first().copied().flatten().map(|holds| !holds)
    }
}
