//! Makefiles: assignments, conditionals, rules with their own variables, and recipes, each line in its own shell.
//!
//! A reader of logical lines: why no parser from a registry is used, docs/decisions/0009-reading-recipes.md says.

mod expand;
mod lines;
pub(crate) mod model;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use lines::{assignment, folded, is_target, logical_lines, stem, unbracketed, without_comment};
use model::{Assignment, Makefile, Rule};

use crate::interpreter::{Interpreter, State, Variable as ShellVariable};
use crate::value::Value;

/// The most files that are included.
const MOST_INCLUDED: usize = 32;

/// Reads a Makefile and runs every rule that is not only a part of another.
pub(crate) fn read(text: &str, interpreter: &mut Interpreter<'_>) {
    let mut makefile = Makefile::default();
    makefile.lines(&Value::literal(text, 0), interpreter);
    let makefile = Rc::new(makefile);
    interpreter.makefile = Some(makefile.clone());
    let called = makefile.called();
    for (index, rule) in makefile.rules.iter().enumerate() {
        let is_called = rule.targets.iter().any(|target| called.contains(target.as_str()));
        if !interpreter.pay(16) {
            break;
        }
        if rule.recipe.is_empty() || (is_called && index > 0) {
            continue;
        }
        for context in makefile.contexts(rule, interpreter) {
            makefile.run(rule, &context, &BTreeMap::new(), &State::default(), interpreter);
        }
    }
    makefile.leftovers(interpreter);
}

/// Runs a Makefile as `make` is called in a recipe or a script. Returns false if there is none to run.
pub(crate) fn run_again(arguments: &[Value], state: &mut State, interpreter: &mut Interpreter<'_>) -> bool {
    let mut overrides = BTreeMap::new();
    let mut targets = Vec::new();
    let (mut folder, mut file) = (None, None);
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        let text = word.text();
        if let Some((name, _)) = text.split_once('=').filter(|(name, _)| !name.starts_with('-')) {
            let value = word.part(name.len() + 1..text.len());
            let name = name.trim_end_matches([':', '?', '+']).to_owned();
            overrides.insert(name, value);
        } else {
            match text {
                "-C" | "--directory" => folder = rest.next().map(|word| word.text().to_owned()),
                "-f" => file = rest.next().map(|word| word.text().to_owned()),
                "-j" | "-l" | "-I" => drop(rest.next()),
                text if text.starts_with('-') => {}
                _ => targets.push(text.to_owned()),
            }
        }
    }
    let makefile = match (&folder, &file, interpreter.makefile.clone()) {
        (None, None, Some(makefile)) => Some(makefile),
        _ => {
            let file = file.unwrap_or_else(|| "Makefile".to_owned());
            let path = folder.map_or_else(|| file.clone(), |folder| format!("{folder}/{file}"));
            interpreter.project_file(&path).map(|text| {
                let mut makefile = Makefile::default();
                makefile.lines(&text, interpreter);
                Rc::new(makefile)
            })
        }
    };
    let Some(makefile) = makefile.filter(|_| interpreter.enter()) else { return false };
    let outer = interpreter.makefile.replace(makefile.clone());
    let first = makefile.rules.first().and_then(|rule| rule.targets.first().cloned());
    if targets.is_empty() {
        targets.extend(first);
    }
    let mut done = BTreeSet::new();
    for target in targets {
        let mut path = Vec::new();
        makefile.reach(&target, &mut path, &mut done, interpreter);
        for rule in path {
            let context = vec![target.clone()];
            makefile.run(&rule, &context, &overrides, state, interpreter);
        }
    }
    interpreter.makefile = outer;
    interpreter.leave();
    true
}

impl Makefile {
    /// Reads logical lines.
    fn lines(&mut self, text: &Value, interpreter: &mut Interpreter<'_>) {
        let mut in_rule = false;
        let mut definition: Option<(Assignment, Value)> = None;
        let depth = self.conditions.len();
        for line in logical_lines(text) {
            if !interpreter.pay(line.len() + 16) {
                break;
            }
            if let Some((mut assignment, mut body)) = definition.take() {
                if line.text().trim() == "endef" {
                    assignment.value = body;
                    self.assign(&assignment, interpreter);
                } else {
                    if !body.is_empty() {
                        body.push_made("\n", line.origin(0));
                    }
                    body.push(&line);
                    definition = Some((assignment, body));
                }
                continue;
            }
            if line.text().starts_with('\t') && in_rule {
                let is_active = self.is_active() != Some(false);
                if let Some(rule) = self.rules.last_mut().filter(|_| is_active) {
                    rule.recipe.push(line.part(1..line.len()));
                }
                continue;
            }
            let line = folded(&line);
            let line = without_comment(&line).trimmed();
            if line.is_empty() || self.conditional(&line, interpreter) {
                continue;
            }
            if self.is_active() == Some(false) {
                continue;
            }
            if let Some(rest) = line.text().strip_prefix("define ") {
                let name = line.part(line.len() - rest.len()..line.len()).trimmed();
                let end = name.text().find([' ', '=', ':']).unwrap_or(name.len());
                let assignment =
                    Assignment { name: name.part(0..end), operator: "=", value: Value::default(), exported: false };
                definition = Some((assignment, Value::default()));
                continue;
            }
            in_rule = self.statement(&line, interpreter) || (in_rule && line.text().starts_with('\t'));
        }
        self.conditions.truncate(depth);
    }

    /// Whether lines here count; `None` if that is not known.
    fn is_active(&self) -> Option<bool> {
        if self.conditions.contains(&Some(false)) {
            return Some(false);
        }
        if self.conditions.contains(&None) { None } else { Some(true) }
    }

    /// `ifeq` and its kin. Returns whether the line is one.
    fn conditional(&mut self, line: &Value, interpreter: &mut Interpreter<'_>) -> bool {
        let text = line.text();
        let word = text.split([' ', '\t', '(', '"', '\'']).next().unwrap_or_default();
        match word {
            "ifeq" | "ifneq" | "ifdef" | "ifndef" => {
                let rest = line.part(word.len()..line.len()).trimmed();
                let answer = self.condition(word, &rest, interpreter);
                self.conditions.push(answer);
            }
            "else" => {
                let rest = line.part(4..line.len()).trimmed();
                let before = self.conditions.pop().unwrap_or(Some(false));
                let mut answer = before.map(|answer| !answer);
                if answer == Some(true) && !rest.is_empty() {
                    let word = rest.text().split([' ', '(']).next().unwrap_or_default().to_owned();
                    answer = self.condition(&word, &rest.part(word.len()..rest.len()).trimmed(), interpreter);
                }
                self.conditions.push(answer);
            }
            "endif" => drop(self.conditions.pop()),
            _ => return false,
        }
        true
    }

    fn condition(&self, word: &str, rest: &Value, interpreter: &mut Interpreter<'_>) -> Option<bool> {
        let scope = expand::Scope::new(self);
        let answer = if word.ends_with("def") {
            let name = scope.expand(rest, interpreter);
            Some(self.variables.get(name.known()?.trim()).is_some_and(|variable| !variable.text.is_empty()))
        } else {
            let text = rest.text();
            let (left, right) = if text.starts_with('(') {
                let end = text.rfind(')')?;
                let comma = expand::top_level_commas(&text[1..end]).first().map(|at| at + 1)?;
                (rest.part(1..comma), rest.part(comma + 1..end))
            } else {
                let quote = text.chars().next()?;
                let middle = text[1..].find(quote)? + 1;
                let tail = text[middle + 1..].trim_start();
                let start = text.len() - tail.len();
                (rest.part(1..middle), rest.part(start + 1..text.len().checked_sub(1)?.max(start + 1)))
            };
            let (left, right) = (scope.expand(&left, interpreter), scope.expand(&right, interpreter));
            let (left, right) = (interpreter.without_unset(&left), interpreter.without_unset(&right));
            Some(left.known()?.trim() == right.known()?.trim())
        };
        answer.map(|answer| answer != word.starts_with("ifn"))
    }

    /// A line that is an assignment, a rule, or a directive. Returns whether a recipe may follow.
    fn statement(&mut self, line: &Value, interpreter: &mut Interpreter<'_>) -> bool {
        let text = line.text();
        let first = text.split_whitespace().next().unwrap_or_default();
        if matches!(first, "include" | "-include" | "sinclude") {
            self.include(&line.part(first.len()..line.len()).trimmed(), interpreter);
            return false;
        }
        if text == "export" {
            self.exports_all = true;
            return false;
        }
        if let Some(assignment) = assignment(line) {
            self.assign(&assignment, interpreter);
            return false;
        }
        if let Some(names) = text.strip_prefix("export ") {
            for name in names.split_whitespace() {
                if let Some(variable) = self.variables.get_mut(name) {
                    variable.exported = true;
                }
            }
            return false;
        }
        let Some(colon) = unbracketed(text, ':') else { return false };
        let scope = expand::Scope::new(self);
        let targets = scope.expand(&line.part(0..colon), interpreter);
        let targets: Vec<String> = targets.text().split_whitespace().map(str::to_owned).collect();
        let after = line.part((colon + 1..line.len()).start.min(line.len())..line.len());
        let after = after.part(after.len() - after.text().trim_start_matches(':').len()..after.len()).trimmed();
        if let Some(own) = assignment(&after) {
            // Arguments of a target count for what it needs, too.
            self.own.extend(targets.into_iter().take(64).map(|target| (target, own.clone())));
            return false;
        }
        if targets.first().is_some_and(|target| target == ".ONESHELL") {
            self.one_shell = true;
            return false;
        }
        if targets.first().is_some_and(|target| target.starts_with('.') && !target.contains('/')) {
            return false;
        }
        let (needs, recipe) = match unbracketed(after.text(), ';') {
            Some(at) => (after.part(0..at), Some(after.part(at + 1..after.len()))),
            None => (after.clone(), None),
        };
        let needs = scope.expand(&needs, interpreter);
        let needs = needs.text().split_whitespace().map(str::to_owned).collect();
        self.rules.push(Rule { targets, needs, recipe: recipe.into_iter().collect() });
        true
    }

    fn include(&mut self, names: &Value, interpreter: &mut Interpreter<'_>) {
        let names = expand::Scope::new(self).expand(names, interpreter);
        for name in names.fields(char::is_whitespace) {
            self.included += 1;
            if self.included > MOST_INCLUDED || name.has_hole() {
                continue;
            }
            if let Some(text) = interpreter.project_file(name.text()) {
                self.lines(&text, interpreter);
            }
        }
    }

    fn assign(&mut self, assignment: &Assignment, interpreter: &mut Interpreter<'_>) {
        let scope = expand::Scope::new(self);
        let name = scope.expand(&assignment.name, interpreter);
        let Some(name) = name.known().map(|name| name.trim().to_owned()) else { return };
        let mut variable = scope.assigned(&name, assignment, self.variables.get(&name), interpreter);
        if self.is_active().is_none() {
            let span = assignment.value.span(0..0);
            variable.text = interpreter.unknown(format!("`{name}` is set on a condition that is not known"), span);
        }
        interpreter.note_version(&name, &variable.text);
        self.variables.insert(name, variable);
    }

    /// The rules to run for a target: those that it needs, then its own.
    fn reach(
        &self,
        target: &str,
        path: &mut Vec<Rule>,
        done: &mut BTreeSet<String>,
        interpreter: &mut Interpreter<'_>,
    ) {
        let is_new = done.len() <= 256 && done.insert(target.to_owned());
        if !is_new || !interpreter.pay(self.rules.len() * 8) || !interpreter.enter() {
            return;
        }
        let rules: Vec<&Rule> =
            self.rules.iter().filter(|rule| rule.targets.iter().any(|name| is_target(name, target))).collect();
        for need in rules.iter().flat_map(|rule| &rule.needs) {
            self.reach(need, path, done, interpreter);
        }
        interpreter.leave();
        path.extend(
            rules
                .into_iter()
                .filter(|rule| !rule.recipe.is_empty())
                .map(|rule| Rule { targets: vec![target.to_owned()], ..rule.clone() }),
        );
    }

    /// Targets that recipes build by calling `make` again.
    fn called(&self) -> BTreeSet<&str> {
        let lines = self.rules.iter().flat_map(|rule| &rule.recipe).filter(|line| line.text().contains("(MAKE)"));
        lines.flat_map(|line| line.text().split(|c: char| c.is_whitespace() || ";&|".contains(c))).collect()
    }

    /// The targets whose own variables a rule may see: itself, and each that needs it and sets some.
    fn contexts(&self, rule: &Rule, interpreter: &mut Interpreter<'_>) -> Vec<Vec<String>> {
        let own: BTreeSet<&str> = self.own.iter().map(|(target, _)| target.as_str()).take(64).collect();
        let mut contexts: Vec<Vec<String>> = Vec::new();
        for target in rule.targets.iter().take(8) {
            // A pattern is run for each target that another rule needs.
            let needs = self.rules.iter().flat_map(|rule| &rule.needs).filter(|need| stem(target, need).is_some());
            interpreter.pay(if target.contains('%') { self.rules.len() * 8 } else { 0 });
            let needs: BTreeSet<&String> = needs.take(if target.contains('%') { 16 } else { 0 }).collect();
            contexts.extend(needs.iter().map(|need| vec![(*need).clone()]));
            if needs.is_empty() {
                contexts.push(vec![target.clone()]);
            }
        }
        let sets_own = rule.targets.iter().any(|target| own.contains(target.as_str()));
        for target in own {
            let (mut path, mut done) = (Vec::new(), BTreeSet::new());
            self.reach(target, &mut path, &mut done, interpreter);
            let needs_it = rule.targets.iter().any(|name| name != target && done.contains(name.as_str()));
            if needs_it && !sets_own {
                let name = rule.targets.first().cloned().unwrap_or_default();
                contexts.push(vec![target.to_owned(), name]);
            }
        }
        contexts.truncate(16);
        contexts
    }

    /// Runs a recipe. The contexts are the targets whose own variables hold, and last the target itself.
    fn run(
        &self,
        rule: &Rule,
        contexts: &[String],
        overrides: &BTreeMap<String, Value>,
        state: &State,
        interpreter: &mut Interpreter<'_>,
    ) {
        let mut scope = expand::Scope::new(self);
        interpreter.pay(16 * self.own.len() + 8 * rule.recipe.len());
        for (target, assignment) in &self.own {
            let holds = contexts.iter().chain(&rule.targets).any(|context| is_target(target, context));
            if holds {
                scope.set_own(assignment, interpreter);
            }
        }
        for (name, value) in overrides {
            scope.set(name, value.clone());
        }
        let target = contexts.last().cloned().unwrap_or_default();
        if !target.contains('%') {
            scope.set("@", Value::made(target.clone(), 0));
            let stem = rule.targets.iter().find_map(|pattern| stem(pattern, &target)).or_else(|| {
                self.rules.iter().flat_map(|rule| &rule.targets).find_map(|pattern| stem(pattern, &target))
            });
            stem.into_iter().for_each(|stem| scope.set("*", Value::made(stem, 0)));
        }
        if let Some(need) = rule.needs.first() {
            scope.set("<", Value::made(need.clone(), 0));
        }
        scope.set("^", Value::made(rule.needs.join(" "), 0));
        let flags = scope.value(".SHELLFLAGS", interpreter);
        let mut shell = state.child();
        for (name, value) in scope.exported(interpreter) {
            shell.put(&name, ShellVariable { exported: true, ..ShellVariable::with_value(value) });
        }
        shell.pipefail = flags.text().contains("pipefail");
        shell.errexit = flags.text().split_whitespace().any(|flag| flag.starts_with('-') && flag.contains('e'));
        let lines: Vec<Value> = match self.one_shell {
            true => vec![Value::joined(&rule.recipe, "\n")],
            false => rule.recipe.clone(),
        };
        for line in lines {
            // A function may make several lines.
            let expanded = scope.expand(&line, interpreter);
            let scripts = match self.one_shell {
                true => vec![expanded],
                false => logical_lines(&expanded),
            };
            for script in scripts {
                let start = script.len() - script.text().trim_start_matches(['@', '-', '+', ' ', '\t']).len();
                let after = interpreter.run_script(&script.part(start..script.len()), shell.clone());
                shell.take_effects(&after);
            }
        }
    }

    /// Variables with tags that no recipe uses: a package's build system may.
    fn leftovers(&self, interpreter: &mut Interpreter<'_>) {
        let scope = expand::Scope::new(self);
        let package = ["GO_PKG_BUILD_PKG", "GO_PKG", "PKG_NAME"].map(|name| scope.value(name, interpreter));
        for name in self.variables.keys() {
            if !interpreter.pay(16) {
                return;
            }
            let value = scope.value(name, interpreter);
            interpreter.variable_list(name, &value, &package);
        }
    }
}
