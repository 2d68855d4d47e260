//! Filters in a pipeline, and what they do to lists of tags.

use spanned_yaml::Span;

use super::command::options;
use super::{Interpreter, Mark, State, Status};
use crate::model::Word;
use crate::value::Value;

impl Interpreter<'_> {
    pub(super) fn filter(&mut self, name: &str, arguments: &[Value], span: Span, mut state: State) -> State {
        state.status = Status::Assumed;
        if name == "sed" && arguments.iter().any(|word| word.text().starts_with("-i")) {
            return self.edit_in_place(arguments, span, state);
        }
        arguments.iter().for_each(|value| self.take(value));
        if name == "tee" {
            let input = state.input.clone().unwrap_or_default();
            for path in arguments.iter().filter(|word| !word.text().starts_with('-')) {
                let appends = arguments.iter().any(|word| word.text() == "-a");
                self.write(path, input.clone(), appends, &mut state);
            }
            state.output.push(&input);
            return state;
        }
        let (options, files) = self.operands(name, arguments, &state);
        let input = match files.as_slice() {
            [] => state.input.take(),
            files => {
                let texts: Vec<Value> = files.iter().map(|path| self.file(path, &state, span)).collect();
                Some(Value::joined(&texts, ""))
            }
        };
        let Some(input) = input else {
            let output = self.unknown(format!("what `{name}` reads"), span);
            state.output.push(&output);
            state.status = Status::Unknown;
            return state;
        };
        // A pattern with intervals makes a large program.
        let has_interval = arguments.iter().any(|word| word.text().contains('{'));
        let words: usize = arguments.iter().map(Value::len).sum();
        self.pay(input.size() * (1 + arguments.len()) + words * 16 + if has_interval { 16_384 } else { 1024 });
        if name.ends_with("grep") {
            let texts: Option<Vec<&str>> = options.iter().map(Value::known).collect();
            let found = texts.and_then(|texts| crate::filter::grep(name, &texts, &input));
            state.status = match found.as_ref().and_then(|(_, any)| *any) {
                Some(true) => Status::Success,
                Some(false) => Status::Failure,
                None => Status::Unknown,
            };
        }
        let output = self.filtered(name, &options, &input, span);
        state.output.push(&output);
        state
    }

    /// The arguments of a filter that are options, and those that are files.
    fn operands(&mut self, name: &str, arguments: &[Value], state: &State) -> (Vec<Value>, Vec<Value>) {
        let (mut options, mut files) = (Vec::new(), Vec::new());
        for argument in arguments {
            let is_file = argument.known().is_some_and(|text| {
                let path = super::files::located(text, &state.folder);
                let is_known = state.files.contains_key(&path);
                !text.starts_with('-')
                    && (is_known || (text.contains(['.', '/']) && self.project_file(&path).is_some()))
            });
            match is_file || (name == "cat" && !argument.text().starts_with('-')) {
                true => files.push(argument.clone()),
                false => options.push(argument.clone()),
            }
        }
        (options, files)
    }

    fn filtered(&mut self, name: &str, options: &[Value], input: &Value, span: Span) -> Value {
        let output = match crate::filter::filter(name, options, input) {
            Some(mut output) => {
                output.marks.extend(&input.marks);
                if name == "sed" { self.edited_by_sed(input, output, options, span) } else { output }
            }
            None if input.is_empty() && input.marks.is_empty() => Value::default(),
            None => {
                let mut hole = self.unknown(format!("what `{name}` makes of the list"), span);
                hole.marks.extend(&input.marks);
                hole
            }
        };
        self.bounded(output)
    }

    /// Notes edits of a list by `sed` that change nothing, one for each tag that a script names.
    fn edited_by_sed(&mut self, before: &Value, mut after: Value, options: &[Value], span: Span) -> Value {
        let list = before.without_final_newlines();
        if list.known().is_none_or(|text| !text.contains("ts_omit_")) {
            return after;
        }
        let extended = options.iter().any(|flag| matches!(flag.text(), "-E" | "-r"));
        for script in options.iter().filter(|script| script.text().contains("ts_omit_")) {
            for range in script.ranges(|c| c == ';' || c == '\n') {
                if !self.pay(before.len() + 1024) {
                    return after;
                }
                let command = script.part(range);
                let Some(at) = command.text().find("ts_omit_") else { continue };
                let tag = tag_in(command.text());
                let place = command.span(at..at + tag.len());
                let words = [Value::made("-E", span.start), command];
                let one = crate::filter::filter("sed", &words[usize::from(!extended)..], before);
                if one.is_some_and(|one| one.without_final_newlines().text() == list.text()) {
                    let mark = self.mark(Mark::Idle(Word::new(tag, place)));
                    after.marks.insert(mark);
                }
            }
        }
        if after.without_final_newlines().text() == list.text() {
            return after;
        }
        self.edited(before, after, "ts_omit_", span)
    }

    /// `xargs` in front of a program: its input are further arguments.
    pub(super) fn xargs(&mut self, arguments: &[Value], span: Span, mut state: State) -> Vec<State> {
        let skipped = options(arguments, "nILPd");
        let input = state.input.take().unwrap_or_default();
        let mut words = arguments.get(skipped..).unwrap_or_default().to_vec();
        let flags: Vec<&str> = arguments.iter().take(skipped).map(Value::text).collect();
        let place = flags.iter().enumerate().find_map(|(index, flag)| {
            let place = flag.strip_prefix("-I")?;
            Some(if place.is_empty() { flags.get(index + 1).copied().unwrap_or("{}") } else { place })
        });
        if let Some(place) = place.map(str::to_owned) {
            let mut states = vec![state];
            for line in input.lines().into_iter().take(512) {
                let replaced = words.iter().map(|word| {
                    let found = word.text().match_indices(&place);
                    let edits: Vec<_> = found.map(|(at, found)| (at..at + found.len(), line.trimmed())).collect();
                    word.replaced(&edits)
                });
                let replaced: Vec<Value> = replaced.collect();
                states = states.into_iter().flat_map(|state| self.program(replaced.clone(), span, state)).collect();
                states = self.merged(states);
            }
            return states;
        }
        if flags.iter().any(|flag| flag.starts_with("-n") && *flag != "-n") || flags.contains(&"-n") {
            let hole = self.unknown("the words that `xargs` appends", span);
            words.push(hole);
        } else {
            words.extend(input.fields(char::is_whitespace));
        }
        if words.is_empty() {
            state.output.push(&input);
            return vec![state];
        }
        self.program(words, span, state)
    }
}

/// The first tag that a text names.
fn tag_in(text: &str) -> String {
    let at = text.find("ts_omit_").unwrap_or(0);
    text[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}
