//! The matrix of a job.

use spanned_yaml::{Node, Value as Yaml};

use super::expression::Context;
use super::{Reader, entries, get, items};

/// The most combinations of a matrix that are followed.
const MOST_COMBINATIONS: usize = 16;

impl Reader<'_, '_, '_> {
    /// The combinations of a matrix, as values by `matrix.NAME`.
    pub(super) fn matrix(&mut self, job: &Node, context: &Context) -> Vec<Context> {
        let Some(matrix) = get(job, "strategy").and_then(|node| get(node, "matrix")) else {
            return vec![Context::new()];
        };
        let mut all = vec![Context::new()];
        for (key, values) in
            entries(matrix).iter().filter(|(key, _)| !["include", "exclude"].contains(&key.text.as_str()))
        {
            let values: Vec<Context> = match &values.value {
                Yaml::Sequence(items) => {
                    items.iter().map(|item| self.nested(&format!("matrix.{}", key.text), item, context)).collect()
                }
                _ => vec![self.nested(&format!("matrix.{}", key.text), values, context)],
            };
            let combined = all.iter().flat_map(|before| {
                values.iter().map(|one| {
                    let mut whole = before.clone();
                    whole.extend(one.clone());
                    whole
                })
            });
            all = combined.take(MOST_COMBINATIONS).collect();
        }
        for exclude in get(matrix, "exclude").map(items).unwrap_or_default() {
            let exclude = self.nested("matrix", exclude, context);
            all.retain(|one| !exclude.iter().all(|(key, value)| one.get(key) == Some(value)));
        }
        let bare = all.len() == 1 && all[0].is_empty();
        let keys: Vec<String> = all.iter().flat_map(|one| one.keys().cloned()).collect();
        let mut added = Vec::new();
        for include in get(matrix, "include").map(items).unwrap_or_default() {
            let include = self.nested("matrix", include, context);
            // An entry that fits a combination extends it; one that fits none is one more.
            let fits =
                |one: &Context| include.iter().all(|(key, value)| !keys.contains(key) || one.get(key) == Some(value));
            let mut found = false;
            for one in all.iter_mut().filter(|one| !bare && fits(one)) {
                one.extend(include.clone());
                found = true;
            }
            if !found {
                added.push(include);
            }
        }
        if bare && !added.is_empty() {
            all.clear();
        }
        all.extend(added);
        all.truncate(MOST_COMBINATIONS);
        all
    }

    /// A value, or the values in it, by the path to each.
    fn nested(&mut self, path: &str, node: &Node, context: &Context) -> Context {
        let mut found = Context::new();
        match &node.value {
            Yaml::Mapping(entries) => {
                for (key, value) in entries {
                    found.extend(self.nested(&format!("{path}.{}", key.text), value, context));
                }
            }
            Yaml::Scalar { .. } => {
                found.insert(path.to_owned(), self.expanded(node, context));
            }
            Yaml::Sequence(_) => {}
        }
        found
    }
}
