//! YAML: workflows of GitHub, pipelines of GitLab, and other files with commands or tags in them.

mod expression;
mod gitlab;
mod matrix;
mod tags;

use std::rc::Rc;

use expression::Context;
use spanned_yaml::{Node, Value as Yaml};

use crate::interpreter::{Interpreter, State, Variable};
use crate::model::{Fact, Word};
use crate::value::Value;

/// Reads a YAML file.
pub(crate) fn read(text: &str, interpreter: &mut Interpreter<'_>) {
    let root = match spanned_yaml::read(text) {
        Ok(Some(root)) => root,
        Ok(None) => return,
        // The reader rejects the text; lists in it are searched for instead.
        Err(_) => return crate::data::read(text, interpreter),
    };
    interpreter.pay(text.len());
    let mut reader = Reader { text, interpreter };
    if get(&root, "jobs").is_some() || get(&root, "steps").is_some() {
        reader.github(&root, Context::new(), State::default());
    } else {
        reader.gitlab(&root);
    }
    reader.tags(&root, "", None);
}

struct Reader<'t, 'i, 'a> {
    text: &'t str,
    interpreter: &'i mut Interpreter<'a>,
}

fn get<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    entries(node).iter().find(|(found, _)| found.text == key).map(|(_, value)| value)
}

fn entries(node: &Node) -> &[(spanned_yaml::Key, Node)] {
    match &node.value {
        Yaml::Mapping(entries) => entries,
        _ => &[],
    }
}

fn items(node: &Node) -> &[Node] {
    match &node.value {
        Yaml::Sequence(items) => items,
        _ => &[],
    }
}

fn scalar(node: &Node) -> Option<&str> {
    match &node.value {
        Yaml::Scalar { text, .. } => Some(text),
        _ => None,
    }
}

impl Reader<'_, '_, '_> {
    /// A scalar with the place of each of its lines or words in the source.
    fn value(&mut self, node: &Node) -> Value {
        let Some(text) = scalar(node) else { return Value::default() };
        let raw = self.text.get(node.span.start..node.span.end).unwrap_or_default();
        self.interpreter.pay(text.len() + raw.len());
        let mut value = Value::default();
        let mut from = 0;
        // A block keeps its lines, and a folded one its words.
        for piece in text.split_inclusive(['\n', ' ']) {
            let body = piece.trim_end_matches(['\n', ' ']);
            match raw[from..].find(body).filter(|at| !body.is_empty() && *at < 4096) {
                Some(at) => {
                    value.push_literal(body, node.span.start + from + at);
                    from += at + body.len();
                }
                None => value.push_made(body, node.span.start),
            }
            value.push_made(&piece[body.len()..], node.span.start + from);
        }
        value
    }

    /// A scalar with its expressions replaced.
    fn expanded(&mut self, node: &Node, context: &Context) -> Value {
        let value = self.value(node);
        expression::replace(&value, context, self.interpreter)
    }

    /// A workflow, or the steps of an action. The context has the inputs that a caller passes.
    fn github(&mut self, root: &Node, mut context: Context, state: State) {
        let inputs: Vec<_> = ["workflow_dispatch", "workflow_call"]
            .iter()
            .filter_map(|trigger| get(get(root, "on")?, trigger).and_then(|node| get(node, "inputs")))
            .chain(get(root, "inputs"))
            .flat_map(entries)
            .collect();
        for (name, input) in inputs {
            let key = format!("inputs.{}", name.text);
            if let Some(default) = get(input, "default").filter(|_| !context.contains_key(&key)) {
                let mut value = self.value(default);
                self.interpreter.note_version(&name.text, &value);
                self.interpreter.note_environment(&mut value, &name.text);
                context.insert(key, value);
            }
        }
        let mut state = state;
        self.environment(get(root, "env"), &mut context, &mut state);
        let shell = get(root, "defaults").and_then(|node| get(node, "run")).and_then(|node| get(node, "shell"));
        if let Some(steps) = get(root, "steps") {
            self.steps(steps, shell, &mut context, state.clone());
        }
        // A job follows those that it needs.
        let mut open: Vec<_> = get(root, "jobs").map(entries).unwrap_or_default().iter().collect();
        let mut done: Vec<&str> = Vec::new();
        while !open.is_empty() {
            let is_ready = |job: &Node, done: &[&str]| match get(job, "needs") {
                None => true,
                Some(needs) => {
                    let one = scalar(needs).into_iter();
                    one.chain(items(needs).iter().filter_map(scalar)).all(|need| done.contains(&need))
                }
            };
            let at = open.iter().position(|(_, job)| is_ready(job, &done)).unwrap_or(0);
            let (name, job) = open.remove(at);
            if !self.interpreter.pay(64 + open.len()) {
                return;
            }
            self.job(&name.text, job, shell, &mut context, &state);
            done.push(&name.text);
        }
    }

    fn job(&mut self, name: &str, job: &Node, shell: Option<&Node>, context: &mut Context, state: &State) {
        if self.condition(get(job, "if"), context) == Some(false) {
            return;
        }
        let combinations = self.matrix(job, context);
        let mut outputs: Option<Context> = None;
        for combination in combinations {
            if !self.interpreter.pay(64 * context.len()) {
                return;
            }
            let mut inner = context.clone();
            inner.extend(combination);
            let mut state = state.clone();
            self.environment(get(job, "env"), &mut inner, &mut state);
            let image = get(job, "container").map(|node| get(node, "image").unwrap_or(node));
            if let Some(image) = image {
                let image = self.expanded(image, &inner);
                self.interpreter.note_image(&image, &mut state);
            }
            if let Some(uses) = get(job, "uses").and_then(scalar) {
                self.called(uses, get(job, "with"), &inner, state.clone());
            }
            let own = get(job, "defaults").and_then(|node| get(node, "run")).and_then(|node| get(node, "shell"));
            if let Some(steps) = get(job, "steps") {
                self.steps(steps, own.or(shell), &mut inner, state);
            }
            let mut made = Context::new();
            for (key, node) in get(job, "outputs").map(entries).unwrap_or_default() {
                let value = self.expanded(node, &inner);
                made.insert(format!("needs.{name}.outputs.{}", key.text), value);
            }
            match &mut outputs {
                None => outputs = Some(made),
                Some(outputs) => {
                    for (key, value) in made {
                        if outputs.get(&key).is_some_and(|other| *other != value) {
                            let hole = self.interpreter.unknown("an output of several jobs", value.span(0..0));
                            outputs.insert(key, hole);
                        }
                    }
                }
            }
        }
        context.extend(outputs.unwrap_or_default());
    }

    fn environment(&mut self, node: Option<&Node>, context: &mut Context, state: &mut State) {
        for (name, node) in node.map(entries).unwrap_or_default() {
            let value = self.expanded(node, context);
            self.interpreter.note_version(&name.text, &value);
            context.insert(format!("env.{}", name.text), value.clone());
            state.put(&name.text, Variable { exported: true, ..Variable::with_value(value) });
        }
    }

    /// The answer of an `if`; true without one.
    fn condition(&mut self, node: Option<&Node>, context: &Context) -> Option<bool> {
        let Some(node) = node else { return Some(true) };
        let value = self.value(node);
        let bare = value.text().trim();
        let bare = bare.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}")).unwrap_or(bare);
        expression::truth(bare, value.origin(0), context, self.interpreter)
    }

    fn steps(&mut self, steps: &Node, shell: Option<&Node>, context: &mut Context, state: State) {
        let mut state = state;
        for step in items(steps) {
            if !self.interpreter.pay(64 + 64 * context.len()) {
                return;
            }
            let runs = self.condition(get(step, "if"), context);
            if runs == Some(false) {
                continue;
            }
            let mut inner = context.clone();
            let mut own = state.clone();
            self.environment(get(step, "env"), &mut inner, &mut own);
            if let Some(uses) = get(step, "uses").and_then(scalar) {
                self.action(uses, get(step, "with"), &inner, &mut state);
                if uses.starts_with("./") {
                    self.called(uses, get(step, "with"), &inner, own.clone());
                }
            }
            let Some(run) = get(step, "run") else { continue };
            let name = get(step, "shell").or(shell).and_then(scalar);
            if name.is_some_and(|name| !["bash", "sh", "dash", "zsh"].iter().any(|known| name.starts_with(known))) {
                continue;
            }
            own.errexit =
                name.is_none_or(|name| !name.contains("{0}") || name.contains("-e") || name.contains(" -x -e"));
            own.pipefail = name.is_some_and(|name| name == "bash" || name.contains("pipefail"));
            if let Some(folder) = get(step, "working-directory") {
                let folder = self.expanded(folder, &inner);
                own.folder = folder.known().unwrap_or_default().to_owned();
            }
            for (variable, path) in
                [("GITHUB_ENV", "/github/env"), ("GITHUB_OUTPUT", "/github/output"), ("GITHUB_PATH", "/github/path")]
            {
                own.put(
                    variable,
                    Variable { exported: true, ..Variable::with_value(Value::made(path, run.span.start)) },
                );
            }
            let script = self.expanded(run, &inner);
            let after = self.interpreter.run_script(&script, own);
            state.take_effects(&after);
            state.decided = after.decided.clone();
            state.checked = after.checked.clone();
            self.passed_on(step, runs.is_some(), context, &mut state);
        }
    }

    /// Variables and outputs that a step wrote for those after it.
    fn passed_on(&mut self, step: &Node, certain: bool, context: &mut Context, state: &mut State) {
        let mut files = (*state.files).clone();
        let variables = files.remove("/github/env").unwrap_or_default();
        let outputs = files.remove("/github/output").unwrap_or_default();
        if variables.is_empty() && outputs.is_empty() {
            return;
        }
        state.files = Rc::new(files);
        for (name, value) in assignments(&variables) {
            let value = if certain { value } else { self.uncertain(&name, &value, state) };
            context.insert(format!("env.{name}"), value.clone());
            state.put(&name, Variable { exported: true, ..Variable::with_value(value) });
        }
        if let Some(id) = get(step, "id").and_then(scalar) {
            for (name, value) in assignments(&outputs) {
                context.insert(format!("steps.{id}.outputs.{name}"), value);
            }
        }
    }

    /// The value of a variable that a step with a condition sets.
    fn uncertain(&mut self, name: &str, value: &Value, state: &State) -> Value {
        match state.value(name) {
            Some(old) if old == *value => old,
            _ => {
                self.interpreter.unknown(format!("`{name}` is set on a condition that is not known"), value.span(0..0))
            }
        }
    }

    fn action(&mut self, uses: &str, with: Option<&Node>, context: &Context, state: &mut State) {
        let name = uses.split('@').next().unwrap_or_default();
        let mut of = |key: &str| {
            let node = with.and_then(|with| get(with, key))?;
            Some(self.expanded(node, context))
        };
        if name == "actions/checkout" {
            if of("repository").is_some_and(|repository| repository.text() == "tailscale/tailscale") {
                state.has_upstream = true;
                if let Some(reference) = of("ref") {
                    let span = reference.span(0..reference.len());
                    self.interpreter.note_release(&reference, span, state);
                }
            }
        } else if name == "actions/setup-go" {
            if let Some(version) = of("go-version").filter(|version| version.known().is_some()) {
                let span = version.span(0..version.len());
                let text = version.text().trim_start_matches(['^', '~', '>', '=', 'v']).to_owned();
                if text.starts_with("1.") && !text.contains('x') {
                    Rc::make_mut(&mut state.facts).insert((Fact::Go, Word::new(text, span)));
                }
            }
        } else if name == "docker/build-push-action" {
            let (arguments, file, context) = (of("build-args").unwrap_or_default(), of("file"), of("context"));
            let span = arguments.span(0..0);
            self.interpreter.build_image(&arguments.lines(), file, context, span, state);
        }
    }

    /// A reusable workflow or action of this project.
    fn called(&mut self, uses: &str, with: Option<&Node>, context: &Context, state: State) {
        let path = uses.trim_start_matches("./");
        let path = if path.ends_with(".yml") || path.ends_with(".yaml") {
            path.to_owned()
        } else {
            format!("{path}/action.yml")
        };
        let Some(text) = self.interpreter.project_file(&path).filter(|_| self.interpreter.enter()) else { return };
        let mut inputs = Context::new();
        for (key, node) in with.map(entries).unwrap_or_default() {
            inputs.insert(format!("inputs.{}", key.text), self.expanded(node, context));
        }
        if let Ok(Some(root)) = spanned_yaml::read(text.text()) {
            let root = get(&root, "runs").filter(|_| get(&root, "jobs").is_none()).cloned().unwrap_or(root);
            // Spans are those of the call.
            let mut inner = Reader { text: "", interpreter: self.interpreter };
            inner.github(&root, inputs, state);
        }
        self.interpreter.leave();
    }
}

/// `NAME=value` and `NAME<<END … END`, as steps write them.
fn assignments(text: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let lines = text.lines();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        at += 1;
        if let Some((name, end)) = line.text().split_once("<<").filter(|(name, _)| !name.contains('=')) {
            let mut body = Vec::new();
            while let Some(line) = lines.get(at).filter(|line| line.text() != end) {
                body.push(line.clone());
                at += 1;
            }
            at += 1;
            found.push((name.to_owned(), Value::joined(&body, "\n")));
        } else if let Some((name, _)) = line.text().split_once('=') {
            found.push((name.to_owned(), line.part(name.len() + 1..line.len())));
        }
    }
    found
}
