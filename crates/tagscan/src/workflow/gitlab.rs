//! Pipelines of GitLab: jobs at the top, with variables.

use spanned_yaml::Node;

use super::expression::Context;
use super::{Reader, entries, get, items, scalar};
use crate::interpreter::{State, Variable};
use crate::value::Value;

impl Reader<'_, '_, '_> {
    /// A pipeline of GitLab: jobs at the top, with variables.
    pub(super) fn gitlab(&mut self, root: &Node) {
        let context = Context::new();
        let mut state = State { errexit: true, pipefail: true, ..State::default() };
        self.gitlab_variables(root, &mut state);
        let default = get(root, "default");
        for (name, job) in entries(root) {
            let Some(script) = get(job, "script").or_else(|| get(job, "run")) else { continue };
            if name.text.starts_with('.') || !self.interpreter.pay(64) {
                continue;
            }
            let mut own = state.clone();
            self.gitlab_variables(job, &mut own);
            let before = get(job, "before_script")
                .or_else(|| get(root, "before_script"))
                .or_else(|| get(default?, "before_script"));
            let image = get(job, "image").or_else(|| get(root, "image")).or_else(|| get(default?, "image"));
            if let Some(image) = image {
                let image = self.expanded(get(image, "name").unwrap_or(image), &context);
                self.interpreter.note_image(&image, &mut own);
            }
            let mut whole = Value::default();
            for node in before.into_iter().chain([script]) {
                let lines = if scalar(node).is_some() { std::slice::from_ref(node) } else { items(node) };
                for line in lines {
                    let value = self.value(line);
                    whole.push(&value);
                    whole.push_made("\n", line.span.end);
                }
            }
            self.interpreter.run_script(&whole, own);
        }
    }

    fn gitlab_variables(&mut self, node: &Node, state: &mut State) {
        for (name, node) in get(node, "variables").map(entries).unwrap_or_default() {
            let value = self.value(get(node, "value").unwrap_or(node));
            self.interpreter.note_version(&name.text, &value);
            state.put(&name.text, Variable { exported: true, ..Variable::with_value(value) });
        }
    }
}
