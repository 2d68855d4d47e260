//! Builds and runs of containers.

use std::rc::Rc;

use spanned_yaml::Span;

use super::files::located;
use super::{Interpreter, State};
use crate::model::{Fact, Word};
use crate::value::Value;

impl Interpreter<'_> {
    /// `docker build` with build arguments, and `docker run IMAGE COMMAND`.
    pub(crate) fn container(&mut self, arguments: &[Value], span: Span, state: State) -> Vec<State> {
        let mut state = state;
        let texts: Vec<&str> = arguments.iter().map(Value::text).collect();
        if texts.iter().take(2).any(|text| *text == "build") {
            self.docker_build(arguments, span, &mut state);
            return vec![state];
        }
        if texts.first().is_none_or(|text| !["run", "exec"].contains(text)) {
            return vec![state];
        }
        let mut child = state.child();
        let mut at = 1;
        while let Some(text) = texts.get(at).filter(|text| text.starts_with('-')) {
            let (flag, value) = text.split_once('=').map_or((*text, None), |(flag, value)| (flag, Some(value)));
            let switches = ["--rm", "-i", "-t", "-it", "-ti", "-d", "--init", "--privileged"];
            if matches!(flag, "-e" | "--env") {
                let given = match value {
                    Some(value) => Some(arguments[at].part(text.len() - value.len()..text.len())),
                    None => arguments.get(at + 1).cloned(),
                };
                if let Some((given, name)) = given.and_then(|given| {
                    let name = given.text().split_once('=').map(|(name, _)| name.to_owned());
                    name.map(|name| (given, name))
                }) {
                    child.set(&name, given.part(name.len() + 1..given.len()));
                    child.export(&name);
                }
            }
            at += 1 + usize::from(value.is_none() && !switches.contains(&flag));
        }
        if let Some(image) = arguments.get(at) {
            self.note_image(image, &mut child);
        }
        let command = arguments.get(at + 1..).unwrap_or_default().to_vec();
        if !command.is_empty() {
            let ended = self.program(command, span, child);
            let after = self.join_states(ended);
            state.take_effects(&after);
            state.output.push(&after.output);
        }
        vec![state]
    }

    /// `docker build`: the Dockerfile of this project with its build arguments, else the arguments as lists.
    fn docker_build(&mut self, arguments: &[Value], span: Span, state: &mut State) {
        let mut given = Vec::new();
        let (mut file, mut context) = (None, None);
        let mut rest = arguments.iter();
        while let Some(word) = rest.next() {
            let text = word.text();
            let (flag, value) = match text.split_once('=').filter(|(flag, _)| flag.starts_with("--")) {
                Some((flag, value)) => (flag, Some(word.part(text.len() - value.len()..text.len()))),
                None => (text, None),
            };
            match flag {
                "--build-arg" => given.extend(value.or_else(|| rest.next().cloned())),
                "-f" | "--file" => file = value.or_else(|| rest.next().cloned()),
                "-t" | "--tag" | "--platform" | "--target" | "-o" | "--output" | "--progress" if value.is_none() => {
                    rest.next();
                }
                flag if flag.starts_with('-') || flag == "build" || flag == "buildx" => {}
                _ => context = Some(word.clone()),
            }
        }
        self.build_image(&given, file, context, span, state);
    }

    /// Builds an image from a Dockerfile of this project.
    pub(crate) fn build_image(
        &mut self,
        given: &[Value],
        file: Option<Value>,
        context: Option<Value>,
        span: Span,
        state: &mut State,
    ) {
        let folder = context.as_ref().and_then(|context| context.known()).unwrap_or(".").to_owned();
        let name = match &file {
            Some(file) => file.known().unwrap_or_default().to_owned(),
            None => located("Dockerfile", &folder),
        };
        let name = located(&name, &state.folder);
        let text = if name.is_empty() { None } else { self.project_file(&name) };
        let Some(text) = text.filter(|_| self.enter()) else {
            return self.note_tags("docker build", given, span, state);
        };
        let pairs = given.iter().filter_map(|value| {
            let (name, _) = value.text().split_once('=')?;
            Some((name.to_owned(), value.part(name.len() + 1..value.len())))
        });
        let build = crate::dockerfile::Build { arguments: pairs.collect(), place: Some(span.start) };
        crate::dockerfile::build(text.text(), build, self);
        self.leave();
    }

    /// Notes the version of Go of an image.
    pub(crate) fn note_image(&mut self, image: &Value, state: &mut State) {
        let Some(text) = image.known() else { return };
        let base = text.rsplit('/').next().unwrap_or_default();
        let Some(tag) = base.strip_prefix("golang:").or_else(|| base.strip_prefix("go:")) else { return };
        let version: String = tag.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        if version.split('.').count() >= 2 {
            let facts = Rc::make_mut(&mut state.facts);
            facts.retain(|(fact, _)| *fact != Fact::Go);
            facts.insert((Fact::Go, Word::new(version, image.span(0..image.len()))));
        }
    }
}
