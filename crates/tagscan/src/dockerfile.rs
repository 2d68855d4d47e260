//! Dockerfiles: stages, ARG and ENV as far as they reach, and `RUN` in the shell that `SHELL` sets.

use std::collections::BTreeMap;

use parse_dockerfile::{
    Command, FromInstruction, HereDoc, Instruction, RunInstruction, Source, UnescapedString, parse_iter,
};

use crate::interpreter::{Interpreter, State, Variable};
use crate::value::Value;

/// A stage: the state that its instructions run in, and the arguments that it may declare.
#[derive(Clone, Default)]
struct Stage {
    state: State,
    errexit: bool,
    pipefail: bool,
}

/// The most instructions that are skipped because they are none.
const MOST_ERRORS: usize = 32;

/// Put before a part of a Dockerfile: the parser wants a stage first.
const STAGE: &str = "FROM scratch\n";

/// Reads a Dockerfile. An instruction that is none is skipped.
pub(crate) fn read(text: &str, interpreter: &mut Interpreter<'_>) {
    build(text, Build::default(), interpreter);
}

/// A build of a Dockerfile by a command.
#[derive(Default)]
pub(crate) struct Build {
    /// The build arguments.
    pub(crate) arguments: BTreeMap<String, Value>,
    /// The place of the command, which everything in the Dockerfile counts as then.
    pub(crate) place: Option<usize>,
}

/// Reads a Dockerfile as a command builds it.
pub(crate) fn build(text: &str, build: Build, interpreter: &mut Interpreter<'_>) {
    let mut reader =
        Reader { interpreter, build, global: BTreeMap::new(), stages: Vec::new(), stage: Stage::default(), at: 0 };
    let Err(line) = reader.part(text, false) else { return };
    // The lines before the one that the parser rejects. It may only lack a stage before it, so it is read once more.
    let mut lines = line.saturating_sub(1);
    if reader.stages.is_empty() {
        // A part of a Dockerfile: its arguments are those of the stage that is not here.
        for (name, value) in std::mem::take(&mut reader.global) {
            reader.interpreter.build_argument(&name, Some(value), 0, &mut reader.stage.state);
        }
    }
    for _ in 0..MOST_ERRORS {
        let offset: usize = text.split_inclusive('\n').take(lines).map(str::len).sum();
        let part = format!("{STAGE}{}", &text[offset..]);
        reader.at = offset.wrapping_sub(STAGE.len());
        match reader.part(&part, true) {
            Ok(()) => return,
            // The first line is the one that was put before.
            Err(line) => lines += line.saturating_sub(1).max(1),
        }
    }
}

struct Reader<'i, 'a> {
    interpreter: &'i mut Interpreter<'a>,
    build: Build,
    /// Arguments before the first stage.
    global: BTreeMap<String, Value>,
    stages: Vec<(String, Stage)>,
    stage: Stage,
    /// Where the part that is read begins in the file.
    at: usize,
}

impl Reader<'_, '_> {
    /// Reads instructions up to one that is none; returns the number of its line then.
    fn part(&mut self, text: &str, is_later: bool) -> Result<(), usize> {
        let instructions = parse_iter(text).map_err(|error| error.line())?;
        for (index, instruction) in instructions.enumerate() {
            let instruction = instruction.map_err(|error| error.line())?;
            // A variable of a stage that is kept copies the variables of that stage.
            let debt = std::mem::take(&mut self.stage.state.debt);
            if !self.interpreter.pay(64 + debt) {
                return Ok(());
            }
            if is_later && index == 0 {
                continue;
            }
            self.instruction(instruction);
            if let Some((_, last)) = self.stages.last_mut() {
                *last = self.stage.clone();
            }
        }
        Ok(())
    }

    fn instruction(&mut self, instruction: Instruction<'_>) {
        match instruction {
            Instruction::From(from) => self.from(&from),
            Instruction::Arg(arg) => self.argument(&self.literal(&arg.arguments)),
            Instruction::Env(env) => {
                let text = self.literal(&env.arguments);
                for (name, value) in self.pairs(&text) {
                    let value = value.unwrap_or_default();
                    self.interpreter.note_version(&name, &value);
                    self.stage.state.put(&name, Variable { exported: true, ..Variable::with_value(value) });
                }
            }
            Instruction::Workdir(workdir) => {
                let folder = self.literal(&workdir.arguments);
                let folder = self.interpreter.docker_word(&folder, &mut self.stage.state);
                self.stage.state.folder = folder.known().unwrap_or_default().to_owned();
            }
            Instruction::Shell(shell) => {
                let words: Vec<&str> = shell.arguments.iter().map(|word| &*word.value).collect();
                self.stage.pipefail = words.contains(&"pipefail");
                let mut flags = words.iter().filter(|word| word.starts_with('-') && !word.starts_with("--"));
                self.stage.errexit = flags.any(|word| word.contains('e'));
            }
            Instruction::Run(run) => self.run(&run),
            Instruction::Copy(copy) => {
                let is_build_dist = |text: &str| text.rsplit('/').next() == Some("build_dist.sh");
                let mut names = copy.src.iter().filter_map(|source| match source {
                    Source::Path(path) => Some(&*path.value),
                    _ => None,
                });
                if is_build_dist(&copy.dest.value) || names.any(is_build_dist) {
                    let at = self.build.place.unwrap_or(self.at.wrapping_add(copy.dest.span.start));
                    self.interpreter.replace_build_dist(at, &mut self.stage.state);
                }
                // A file that another stage built does not come from the project.
                let is_of_stage = copy.options.iter().any(|option| &*option.name.value == "from");
                let paths = copy.src.iter().filter(|_| !is_of_stage).filter_map(|source| match source {
                    Source::Path(path) => Some(path.value.to_string()),
                    _ => None,
                });
                let paths: Vec<String> = paths.collect();
                self.interpreter.copy_into_image(&paths, &copy.dest.value, &mut self.stage.state);
                for source in &copy.src {
                    if let Source::HereDoc(body) = source {
                        let path = self.literal(&copy.dest);
                        let text = self.text(&body.value, body.span.start);
                        self.interpreter.write(&path, text, false, &mut self.stage.state);
                    }
                }
            }
            _ => {}
        }
    }

    fn from(&mut self, from: &FromInstruction<'_>) {
        let name = from.as_.as_ref().map(|(_, name)| name.value.to_ascii_lowercase()).unwrap_or_default();
        let base = from.image.value.to_ascii_lowercase();
        let known = self.stages.iter().rev().take(64).find(|(name, _)| *name == base);
        self.stage = known.map(|(_, stage)| stage.clone()).unwrap_or_default();
        let mut outer = State::default();
        self.interpreter.pay(64 * self.global.len());
        for (name, value) in &self.global {
            outer.set(name, value.clone());
        }
        let image = self.literal(&from.image);
        let image = self.interpreter.docker_word(&image, &mut outer);
        self.interpreter.note_image(&image, &mut self.stage.state);
        self.stages.push((name, self.stage.clone()));
    }

    fn argument(&mut self, text: &Value) {
        for (name, value) in self.interpreter.docker_pairs(text, &mut self.stage.state) {
            let value = self.build.arguments.get(&name).cloned().or(value);
            if self.stages.is_empty() {
                self.global.extend(value.map(|value| (name, value)));
            } else {
                let value = value.or_else(|| self.global.get(&name).cloned());
                self.interpreter.build_argument(&name, value, text.origin(0), &mut self.stage.state);
            }
        }
    }

    fn run(&mut self, run: &RunInstruction<'_>) {
        let mut state = self.stage.state.clone();
        (state.errexit, state.pipefail) = (self.stage.errexit, self.stage.pipefail);
        let after = match &run.arguments {
            Command::Exec(words) => {
                let words = words.value.iter().map(|word| self.literal(word)).collect();
                self.interpreter.run_words(words, state)
            }
            Command::Shell(command) => {
                let script = self.text(&without_comments(command.value), command.span.start);
                let body = |body: &HereDoc<'_>| self.text(&body.value, body.span.start);
                let bodies: Vec<Value> = run.here_docs.iter().map(body).collect();
                self.interpreter.run_instruction(&script, &bodies, state)
            }
            _ => return,
        };
        self.stage.state.take_effects(&after);
        self.stage.state.checked = after.checked;
        self.stage.state.decided = after.decided;
    }

    fn literal(&self, word: &UnescapedString<'_>) -> Value {
        match word.span.len() == word.value.len() {
            true => self.text(&word.value, word.span.start),
            false => Value::made(&*word.value, self.build.place.unwrap_or(self.at.wrapping_add(word.span.start))),
        }
    }

    /// Text that is in the Dockerfile as it is.
    fn text(&self, text: &str, start: usize) -> Value {
        match self.build.place {
            Some(place) => Value::made(text, place),
            None => Value::literal(text, self.at.wrapping_add(start)),
        }
    }

    /// The names and values of ENV: `NAME=value …`, or the old form `NAME value`.
    fn pairs(&mut self, text: &Value) -> Vec<(String, Option<Value>)> {
        let state = &mut self.stage.state;
        let first = text.text().split_whitespace().next().unwrap_or_default();
        if first.contains('=') {
            return self.interpreter.docker_pairs(text, state);
        }
        let rest = text.text()[first.len()..].trim_start();
        let value = text.part(text.len() - rest.len()..text.len());
        vec![(first.to_owned(), Some(self.interpreter.docker_word(&value, state)))]
    }
}

/// The text of a `RUN`, with comment lines inside it blanked, as Docker drops them.
fn without_comments(text: &str) -> String {
    let mut blanked = String::with_capacity(text.len());
    let mut goes_on = false;
    for line in text.split_inclusive('\n') {
        let is_comment = goes_on && line.trim_start().starts_with('#');
        let is_blank = goes_on && line.trim().is_empty();
        if is_comment || is_blank {
            blanked.extend(line.bytes().map(|_| ' '));
        } else {
            blanked += line;
            goes_on = line.trim_end().ends_with('\\');
        }
    }
    blanked
}
