//! The module graph of a crate: which module refers to an item of which other module.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit::Visit;

/// A module's path in its crate, such as `["policy", "parse"]`; empty for the root.
type Module = Vec<String>;

/// Returns the groups of modules of a crate that refer to one another in a cycle, each sorted, largest first.
///
/// A reference is any path or `use` outside tests that begins with `crate`, `super` or `self`, or with a child module. A `mod`
/// declaration is not a reference.
pub(super) fn cycles(src: &Path) -> Vec<Vec<String>> {
    let mut files = BTreeMap::new();
    collect(src, &mut Vec::new(), &mut files);
    let modules: BTreeSet<Module> = files.keys().cloned().collect();
    let edges = files.iter().map(|(module, file)| {
        let mut references = References { module, modules: &modules, found: BTreeSet::new() };
        references.visit_file(file);
        (module.clone(), references.found)
    });
    let edges: BTreeMap<Module, BTreeSet<Module>> = edges.collect();
    let reachable: BTreeMap<&Module, BTreeSet<&Module>> =
        edges.keys().map(|module| (module, reachable(module, &edges))).collect();
    let mut groups = BTreeSet::new();
    for (module, others) in &reachable {
        let group: BTreeSet<&Module> =
            others.iter().copied().filter(|other| reachable[*other].contains(module)).collect();
        if group.len() > 1 {
            groups.insert(group);
        }
    }
    let name = |module: &&Module| if module.is_empty() { "the root".to_owned() } else { module.join("::") };
    let mut groups: Vec<Vec<String>> = groups.iter().map(|group| group.iter().map(name).collect()).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    groups
}

/// Parses the files of a folder; `a/b.rs` and `a/b/mod.rs` are the module `a::b`.
fn collect(folder: &Path, module: &mut Module, files: &mut BTreeMap<Module, syn::File>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if stem == "tests" || stem == "main" {
            continue;
        }
        if path.is_dir() {
            module.push(stem);
            collect(&path, module, files);
            module.pop();
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let own = if ["lib", "mod"].contains(&stem.as_str()) { None } else { Some(stem) };
            let text = std::fs::read_to_string(&path).unwrap();
            let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            files.insert(module.iter().cloned().chain(own).collect(), file);
        }
    }
}

fn reachable<'a>(from: &'a Module, edges: &'a BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<&'a Module> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(module) = open.pop() {
        open.extend(edges[module].iter().filter(|next| seen.insert(*next)));
    }
    seen
}

/// Collects the modules that one file refers to.
struct References<'a> {
    module: &'a Module,
    modules: &'a BTreeSet<Module>,
    found: BTreeSet<Module>,
}

impl References<'_> {
    /// Adds the module that a path leads into.
    fn add(&mut self, path: &[String]) {
        let mut base = self.module.clone();
        let mut rest = path;
        match rest.first().map(String::as_str) {
            Some("crate") => (base, rest) = (Vec::new(), &rest[1..]),
            Some("self") => rest = &rest[1..],
            Some("super") => {}
            Some(first) if self.modules.contains(&[base.as_slice(), &[first.to_owned()]].concat()) => {}
            _ => return,
        }
        while rest.first().is_some_and(|word| word == "super") {
            base.pop();
            rest = &rest[1..];
        }
        for word in rest {
            let longer = [base.as_slice(), std::slice::from_ref(word)].concat();
            if !self.modules.contains(&longer) {
                break;
            }
            base = longer;
        }
        if base != *self.module && self.modules.contains(&base) {
            self.found.insert(base);
        }
    }

    fn add_tree(&mut self, prefix: &mut Vec<String>, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.add_tree(prefix, &path.tree);
                prefix.pop();
            }
            syn::UseTree::Name(name) => self.add(&[prefix.as_slice(), &[name.ident.to_string()]].concat()),
            syn::UseTree::Rename(name) => self.add(&[prefix.as_slice(), &[name.ident.to_string()]].concat()),
            syn::UseTree::Glob(_) => self.add(prefix),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(prefix, tree)),
        }
    }
}

/// Returns whether an item is compiled for tests only.
fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|argument| argument == "test")
    })
}

impl<'ast> Visit<'ast> for References<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            syn::visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_test(&item.attrs) {
            self.add_tree(&mut Vec::new(), &item.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let words: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.add(&words);
        syn::visit::visit_path(self, path);
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {
        // `pub(super)` and `pub(in crate::module)` are not references.
    }
}
