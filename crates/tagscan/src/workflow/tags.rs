//! Tags as data in YAML, and commands under keys that are named for such.

use spanned_yaml::{Node, Span, Value as Yaml};

use super::{Reader, entries, scalar};
use crate::interpreter::{State, is_tag};
use crate::value::Value;

/// Keys of commands in files that are neither of GitHub nor of GitLab.
const COMMANDS: [&str; 8] = ["run", "runs", "script", "cmd", "cmds", "commands", "before_script", "command"];

/// Keys of running text: tags in it do not form a list.
const PROSE: [&str; 8] = ["description", "name", "body", "title", "message", "summary", "notes", "comment"];

impl Reader<'_, '_, '_> {
    /// Tags as data, and commands under keys that are named for such.
    pub(super) fn tags(&mut self, node: &Node, key: &str, parent: Option<&Node>) {
        if !self.interpreter.pay(16) {
            return;
        }
        match &node.value {
            Yaml::Mapping(entries) => {
                let version = entries.iter().find(|(key, _)| key.text == "version").map(|(_, node)| node);
                if let Some(version) = version {
                    let value = self.value(version);
                    self.interpreter.note_version("version", &value);
                }
                for (key, value) in entries.iter().filter(|(key, _)| !PROSE.contains(&key.text.as_str())) {
                    self.tags(value, &key.text, Some(node));
                }
            }
            Yaml::Sequence(list) => {
                let words: Option<Vec<Value>> = list
                    .iter()
                    .map(|item| scalar(item).filter(|text| !text.contains(['\n', ' '])).map(|_| self.value(item)))
                    .collect();
                match words.filter(|words| words.iter().any(|word| is_tag(word.text()))) {
                    Some(words) => self.list(&Value::joined(&words, ","), node.span, parent),
                    None => list.iter().for_each(|item| self.tags(item, key, parent.or(Some(node)))),
                }
            }
            Yaml::Scalar { text, .. } => {
                if !text.contains("ts_") && !text.contains("tailscale") {
                    return;
                }
                let value = self.value(node);
                if COMMANDS.contains(&key) && !["run", "script"].contains(&key) || key == "build" {
                    self.interpreter.run_script(&value, State { errexit: true, ..State::default() });
                }
                if let Some(at) = text.find("-tags=").filter(|_| !text.contains("go build")) {
                    let end = text[at..].find(' ').map_or(text.len(), |length| at + length);
                    let value = value.part(at + 6..end);
                    return self.list(&value, node.span, parent);
                }
                if crate::data::is_list(text) {
                    self.list(&value, node.span, parent);
                }
            }
        }
    }

    fn list(&mut self, value: &Value, span: Span, parent: Option<&Node>) {
        let texts: Vec<Value> = parent
            .map(entries)
            .unwrap_or_default()
            .iter()
            .filter(|(key, _)| {
                ["main", "target", "package", "dir", "packages", "build", "id", "subPackages"]
                    .contains(&key.text.as_str())
            })
            .map(|(_, node)| self.value(node))
            .collect();
        self.interpreter.data_list(value, span, &texts);
    }
}
