//! Dockerfiles: stages, ARG and ENV as far as they reach, and `RUN` in the shell that `SHELL` sets.

use std::collections::BTreeMap;

use parse_dockerfile::{Command, Instruction, UnescapedString, parse_iter};

use crate::interpreter::{Interpreter, State, Variable};
use crate::value::Value;

/// A stage: the state that its instructions run in, and the arguments that it may declare.
#[derive(Clone, Default)]
struct Stage {
    state: State,
    errexit: bool,
    pipefail: bool,
}

/// Reads a Dockerfile. What follows an instruction that is none is not read.
pub(crate) fn read(text: &str, interpreter: &mut Interpreter<'_>) {
    let mut global: BTreeMap<String, Value> = BTreeMap::new();
    let mut stages: Vec<(String, Stage)> = Vec::new();
    let mut stage = Stage::default();
    let mut started = false;
    // The parser takes a `RUN` with comments between its lines as it is; Docker leaves those out.
    let Ok(instructions) = parse_iter(text) else { return };
    for instruction in instructions {
        let Ok(instruction) = instruction else { break };
        if !interpreter.pay(64) {
            break;
        }
        match instruction {
            Instruction::From(from) => {
                let name = from.as_.as_ref().map(|(_, name)| name.value.to_ascii_lowercase()).unwrap_or_default();
                let base = from.image.value.to_ascii_lowercase();
                let known = stages.iter().rev().take(64).find(|(name, _)| *name == base).map(|(_, stage)| stage.clone());
                stage = known.unwrap_or_default();
                started = true;
                let mut outer = State::default();
                for (name, value) in &global {
                    outer.set(name, value.clone());
                }
                let image = interpreter.docker_word(&literal(&from.image), &mut outer);
                interpreter.note_image(&image, &mut stage.state);
                stages.push((name, stage.clone()));
            }
            Instruction::Arg(arg) => {
                for (name, value) in pairs(&literal(&arg.arguments), interpreter, &mut stage.state, false) {
                    if started {
                        let value = value.or_else(|| global.get(&name).cloned());
                        interpreter.build_argument(&name, value, arg.arguments.span.start, &mut stage.state);
                    } else if let Some(value) = value {
                        interpreter.note_version(&name, &value);
                        global.insert(name, value);
                    }
                }
            }
            Instruction::Env(env) => {
                for (name, value) in pairs(&literal(&env.arguments), interpreter, &mut stage.state, true) {
                    let value = value.unwrap_or_default();
                    interpreter.note_version(&name, &value);
                    let variable = Variable { exported: true, ..Variable::one(value) };
                    stage.state.put(&name, variable);
                }
            }
            Instruction::Workdir(workdir) => {
                let folder = interpreter.docker_word(&literal(&workdir.arguments), &mut stage.state);
                stage.state.folder = folder.known().unwrap_or_default().to_owned();
            }
            Instruction::Shell(shell) => {
                let words: Vec<&str> = shell.arguments.iter().map(|word| &*word.value).collect();
                stage.pipefail = words.contains(&"pipefail");
                let flags = words.iter().filter(|word| word.starts_with('-') && !word.starts_with("--"));
                stage.errexit = flags.into_iter().any(|word| word.contains('e'));
            }
            Instruction::Run(run) => {
                let mut state = stage.state.clone();
                (state.errexit, state.pipefail) = (stage.errexit, stage.pipefail);
                let after = match &run.arguments {
                    Command::Exec(words) => {
                        let words = words.value.iter().map(literal).collect();
                        interpreter.run_words(words, state)
                    }
                    Command::Shell(command) => {
                        let script = without_comments(command.value, command.span.start);
                        let bodies: Vec<Value> = run
                            .here_docs
                            .iter()
                            .map(|body| Value::literal(&body.value, body.span.start))
                            .collect();
                        interpreter.run_instruction(&script, &bodies, state)
                    }
                    _ => continue,
                };
                stage.state.take_effects(&after);
                stage.state.checked = after.checked;
                stage.state.decided = after.decided;
            }
            Instruction::Copy(copy) => {
                let named_build = |text: &str| text.rsplit('/').next() == Some("build_dist.sh");
                let lays_over = named_build(&copy.dest.value)
                    || copy.src.iter().any(|source| matches!(source, parse_dockerfile::Source::Path(path) if named_build(&path.value)));
                if lays_over {
                    interpreter.replace_build_dist(copy.dest.span.start, &mut stage.state);
                }
                for source in &copy.src {
                    if let parse_dockerfile::Source::HereDoc(body) = source {
                        let path = Value::literal(&copy.dest.value, copy.dest.span.start);
                        let text = Value::literal(&body.value, body.span.start);
                        interpreter.write(&path, text, false, &mut stage.state);
                    }
                }
            }
            _ => {}
        }
        if let Some((_, last)) = stages.last_mut() {
            *last = stage.clone();
        }
    }
}

fn literal(word: &UnescapedString<'_>) -> Value {
    match word.span.len() == word.value.len() {
        true => Value::literal(&word.value, word.span.start),
        false => Value::made(&*word.value, word.span.start),
    }
}

/// The text of a `RUN`, with comment lines inside it blanked, as Docker drops them.
fn without_comments(text: &str, origin: usize) -> Value {
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
    Value::literal(&blanked, origin)
}

/// The names and values of ARG or ENV: `NAME=value …`, `NAME`, or the old form `NAME value`.
fn pairs(
    text: &Value,
    interpreter: &mut Interpreter<'_>,
    state: &mut State,
    old_form: bool,
) -> Vec<(String, Option<Value>)> {
    let first = text.text().split_whitespace().next().unwrap_or_default();
    if old_form && !first.contains('=') {
        let rest = text.text()[first.len()..].trim_start();
        let value = text.part(text.len() - rest.len()..text.len());
        return vec![(first.to_owned(), Some(interpreter.docker_word(&value, state)))];
    }
    interpreter.docker_pairs(text, state)
}
