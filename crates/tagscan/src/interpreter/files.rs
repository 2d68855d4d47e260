//! Files: those that the script wrote, and those of its project.

use std::rc::Rc;

use spanned_yaml::Span;

use super::{Interpreter, State};
use crate::ir::Quoting;
use crate::value::Value;

impl Interpreter<'_> {
    /// Writes a file.
    pub(crate) fn write(&mut self, path: &Value, text: Value, appends: bool, state: &mut State) {
        let Some(path) = path.known().map(|path| located(path, &state.folder)) else { return };
        if path == "/dev/null" {
            return;
        }
        if path == "/dev/stderr" || path == "/dev/tty" || path == "/dev/stdout" {
            return;
        }
        let whole = match state.files.get(&path).filter(|_| appends) {
            Some(old) => {
                let mut old = old.clone();
                old.push(&text);
                self.bounded(old)
            }
            None if appends && !path.starts_with("/github/") => {
                let mut before = match self.project_file(&path) {
                    Some(text) => text,
                    None => self.unknown(format!("what `{path}` held before"), text.span(0..0)),
                };
                before.push(&text);
                before
            }
            None => text,
        };
        Rc::make_mut(&mut state.files).insert(path, whole);
    }

    /// The text of a file: one that was written before, or one of the project.
    pub(crate) fn file(&mut self, path: &Value, state: &State, span: Span) -> Value {
        let Some(known) = path.known() else {
            return self.unknown("a file whose name is not known", span);
        };
        let path = located(known, &state.folder);
        if path == "/dev/null" {
            return Value::default();
        }
        match self.known_file(&path, state) {
            Some(text) => text,
            None => self.unknown(format!("the file `{known}` is not here"), span),
        }
    }

    /// The text of a file that was written, copied from the project, or is in it.
    pub(crate) fn known_file(&mut self, path: &str, state: &State) -> Option<Value> {
        if let Some(text) = state.files.get(path) {
            return Some(text.clone());
        }
        self.pay(state.copied.len());
        for (copy, source) in state.copied.iter().rev() {
            let rest = path.strip_prefix(copy.as_str());
            let is_below =
                |rest: &&str| rest.is_empty() || rest.starts_with('/') || copy.is_empty() || copy.ends_with('/');
            let Some(rest) = rest.filter(is_below) else { continue };
            let text = self.project_file(&located(rest.trim_start_matches('/'), source));
            if text.is_some() {
                return text;
            }
        }
        self.project_file(path)
    }

    /// Copies files of the project, as a Dockerfile does: of several sources, each goes into the folder.
    pub(crate) fn copy_into_image(&mut self, sources: &[String], to: &str, state: &mut State) {
        let folder = located(to, &state.folder);
        let mut copied = (*state.copied).clone();
        self.pay(copied.len());
        for source in sources {
            let source = located(source.trim_start_matches('/'), "");
            let name = source.rsplit('/').next().unwrap_or_default();
            let is_file =
                self.others.iter().any(|file| file.name == source || file.name.ends_with(&format!("/{source}")));
            let is_folder =
                to.ends_with('/') || matches!(to, "." | "..") || sources.len() > 1 || folder == state.folder;
            let path = if is_file && is_folder { located(name, &folder) } else { folder.clone() };
            copied.push((path, source));
        }
        state.copied = Rc::new(copied);
    }

    /// A file of the project, by its path from the root, from the file that is read, or by the end of its path.
    pub(crate) fn project_file(&mut self, path: &str) -> Option<Value> {
        let path = path.trim_start_matches("./");
        let folder = self.name.rsplit_once('/').map_or("", |(folder, _)| folder);
        let here = located(path, folder);
        let exact = self.others.iter().find(|file| file.name == path || file.name == here);
        let tail = format!("/{}", path.trim_start_matches(['/', '.']));
        let mut ends = self.others.iter().filter(|file| file.name.ends_with(&tail));
        let found = exact.or_else(|| ends.next().filter(|_| ends.next().is_none()))?;
        self.used.insert(found.name.clone());
        let text = crate::readable(&found.text);
        self.pay(text.len());
        Some(Value::made(text, self.place))
    }

    /// The files that an unquoted pattern means, in order; the word itself if there are none.
    pub(crate) fn paths(&mut self, word: Value, state: &State) -> Vec<Value> {
        let Some(text) = word.known().filter(|text| text.contains(['*', '?', '['])) else { return vec![word] };
        let mut pattern = crate::regular::Glob::default();
        pattern.push(&located(text, &state.folder), Quoting::Unquoted);
        let depth = located(text, &state.folder).matches('/').count();
        let names = state.files.keys().chain(self.others.iter().map(|file| &file.name));
        let mut found: Vec<String> = names
            .filter(|name| name.matches('/').count() == depth && pattern.is_match(name) == Some(true))
            .take(512)
            .cloned()
            .collect();
        found.sort();
        found.dedup();
        self.pay((state.files.len() + self.others.len()) * 64);
        match found.is_empty() {
            true => vec![word],
            false => found.into_iter().map(|name| Value::made(name, word.origin(0))).collect(),
        }
    }

    /// `sed -i`: the file is one that was written, one of the project, or upstream's build script.
    pub(super) fn edit_in_place(&mut self, arguments: &[Value], span: Span, mut state: State) -> State {
        let Some((path, options)) = arguments.split_last() else { return state };
        let is_build_dist = path.text().rsplit('/').next() == Some("build_dist.sh");
        let before = match is_build_dist {
            true => self.build_dist_script(&state, span),
            false => self.file(path, &state, span),
        };
        let options: Vec<Value> = options.iter().filter(|word| !word.text().starts_with("-i")).cloned().collect();
        let after = match before.has_hole() || (is_build_dist && !self.is_modelled(&options, &before)) {
            true => None,
            false => crate::filter::filter("sed", &options, &before),
        };
        let changed = after.filter(|after| after.text() != before.text());
        let after = match changed {
            Some(after) => after,
            None => self.unknown(format!("`{}` is changed before it is used", Self::display_text(path)), span),
        };
        let path = if is_build_dist { Value::made("build_dist.sh", span.start) } else { path.clone() };
        let folder = std::mem::take(&mut state.folder);
        self.write(&path, after, false, &mut state);
        state.folder = folder;
        state
    }

    /// Whether each edit changes the model of upstream's script: one that does not is about what the model leaves out.
    fn is_modelled(&self, options: &[Value], before: &Value) -> bool {
        let extended = options.iter().any(|flag| matches!(flag.text(), "-E" | "-r"));
        let scripts = options.iter().filter(|script| !script.text().starts_with('-'));
        scripts.flat_map(|script| script.fields(|c| c == ';' || c == '\n')).all(|command| {
            let words = [Value::made("-E", 0), command];
            let after = crate::filter::filter("sed", &words[usize::from(!extended)..], before);
            after.is_some_and(|after| after.text() != before.text())
        })
    }
}

/// A path from a folder, without `.` and `..`.
pub(crate) fn located(path: &str, folder: &str) -> String {
    let whole = if path.starts_with('/') || folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "." => {}
            "" if !parts.is_empty() => {}
            ".." if parts.last().is_some_and(|last| !last.is_empty() && *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
