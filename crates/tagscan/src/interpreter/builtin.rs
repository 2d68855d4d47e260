//! Builtins of shells and small programs that move text.

use std::rc::Rc;

use spanned_yaml::Span;

use super::files::located;
use super::state::{Elements, Variable};
use super::{Interpreter, Jump, State, Status};
use crate::value::Value;

impl Interpreter<'_> {
    /// Runs a builtin, or a small program that is modelled. Returns false if the name is none.
    pub(crate) fn builtin(&mut self, name: &str, arguments: &[Value], span: Span, state: &mut State) -> bool {
        self.flow(name, arguments, span, state) || self.text(name, arguments, span, state)
    }

    /// Builtins that change the state of the shell.
    fn flow(&mut self, name: &str, arguments: &[Value], span: Span, state: &mut State) -> bool {
        let number = || arguments.first().and_then(|word| word.known()?.parse::<usize>().ok());
        match name {
            ":" | "true" | "trap" | "wait" | "umask" | "ulimit" | "alias" | "let" => state.status = Status::Success,
            "false" => state.status = Status::Failure,
            "shopt" | "setopt" => {}
            "unset" => {
                for word in arguments.iter().filter(|word| !word.text().starts_with('-')) {
                    self.assigns(word.text());
                    state.unset(word.text());
                }
                state.status = Status::Success;
            }
            "set" => set(arguments, state),
            "shift" => {
                if state.knows_arguments {
                    let rest = state.arguments.get(number().unwrap_or(1)..).unwrap_or_default().to_vec();
                    state.arguments = Rc::new(rest);
                }
                state.status = Status::Success;
            }
            "cd" | "pushd" => {
                let to = arguments.iter().find(|word| !word.text().starts_with('-')).and_then(|word| word.known());
                state.folder = to.map(|to| located(to, &state.folder)).unwrap_or_default();
            }
            "popd" => state.folder.clear(),
            "exit" | "return" => {
                state.jump = Some(if name == "exit" { Jump::Exit } else { Jump::Return });
                state.status = match number() {
                    Some(0) | None => Status::Success,
                    Some(_) => Status::Failure,
                };
            }
            "break" => state.jump = Some(Jump::Break(number().unwrap_or(1))),
            "continue" => state.jump = Some(Jump::Continue(number().unwrap_or(1))),
            "getopts" => {
                let hole = self.unknown("an option of the script", span);
                let name = arguments.get(1).map(|word| word.text().to_owned()).unwrap_or_default();
                state.set(&name, hole.clone());
                state.set("OPTARG", hole);
                state.status = Status::Unknown;
            }
            _ => return false,
        }
        true
    }

    /// Builtins and programs that print, read or move text.
    fn text(&mut self, name: &str, arguments: &[Value], span: Span, state: &mut State) -> bool {
        match name {
            "printf" => self.printf(arguments, span, state),
            "read" => self.read(arguments, span, state),
            "mapfile" | "readarray" => self.mapfile(arguments, span, state),
            "cp" | "mv" | "install" => self.copy(arguments, span, state),
            "patch" => {
                let hole = self.unknown("`build_dist.sh` may be patched before it is used", span);
                Rc::make_mut(&mut state.files).insert("build_dist.sh".to_owned(), hole);
            }
            "upx" => {
                let is_other = |word: &Value| matches!(word.text(), "-t" | "-d" | "-l" | "--version");
                self.packs = self.packs.or((!arguments.iter().any(is_other)).then_some(span));
            }
            // Programs that print nothing of interest and change no file with tags.
            "rm" | "mkdir" | "chmod" | "chown" | "ls" | "sleep" | "tar" | "unzip" | "strip" | "sync" | "touch"
            | "ln" | "stat" | "du" | "file" => {}
            _ => {
                let Some(output) = self.printed_by(name, arguments, span, state) else { return false };
                state.output.push(&output);
                state.output = self.bounded(std::mem::take(&mut state.output));
            }
        }
        true
    }

    /// The output of a small program.
    fn printed_by(&mut self, name: &str, arguments: &[Value], span: Span, state: &mut State) -> Option<Value> {
        Some(match name {
            "echo" => {
                state.status = Status::Success;
                self.echo(arguments, span)
            }
            "type" | "which" | "hash" => {
                state.status = Status::Unknown;
                self.unknown(format!("what `{name}` prints"), span)
            }
            "basename" | "dirname" => match arguments.first().map(|word| (word, word.text().rfind('/'))) {
                Some((word, Some(at))) if name == "basename" => word.part(at + 1..word.len()),
                Some((word, Some(at))) => word.part(0..at),
                Some((word, None)) if name == "basename" => word.clone(),
                _ => Value::made(".", span.start),
            },
            "pwd" => self.unknown("the folder", span),
            "seq" => self.seq(arguments, span),
            _ => return None,
        })
    }

    fn echo(&mut self, arguments: &[Value], span: Span) -> Value {
        let flags = arguments.iter().take_while(|word| ["-n", "-e", "-ne", "-en", "-E"].contains(&word.text()));
        let flags: Vec<&str> = flags.map(Value::text).collect();
        arguments.iter().for_each(|value| self.take(value));
        let mut text = Value::joined(arguments.get(flags.len()..).unwrap_or_default(), " ");
        if flags.iter().any(|flag| flag.contains('e')) {
            text = unescaped(&text);
        }
        if !flags.iter().any(|flag| flag.contains('n')) {
            text.push_made("\n", span.start);
        }
        text
    }

    fn seq(&mut self, arguments: &[Value], span: Span) -> Value {
        let numbers: Option<Vec<i64>> = arguments.iter().map(|word| word.known()?.parse().ok()).collect();
        let range = match numbers.as_deref() {
            Some([last]) => 1..=*last,
            Some([first, last]) => *first..=*last,
            _ => return self.unknown("what `seq` prints", span),
        };
        Value::made(range.take(1000).map(|number| format!("{number}\n")).collect::<String>(), span.start)
    }

    fn printf(&mut self, arguments: &[Value], span: Span, state: &mut State) {
        state.status = Status::Success;
        arguments.iter().for_each(|value| self.take(value));
        let (name, arguments) = match arguments {
            [flag, name, rest @ ..] if flag.text() == "-v" => (Some(name.text().to_owned()), rest),
            all => (None, all),
        };
        let Some((format, values)) = arguments.split_first() else { return };
        let format = match format.text() {
            "--" => arguments.get(1).cloned().unwrap_or_default(),
            _ => format.clone(),
        };
        let mut whole = Value::default();
        let mut values = values.iter().peekable();
        loop {
            let had = values.len();
            self.format(&format, &mut values, &mut whole);
            if !self.pay(whole.len()) || values.len() == 0 || values.len() == had {
                break;
            }
        }
        let whole = self.bounded(unescaped(&whole));
        match name {
            Some(name) => state.set(&name, whole),
            None => {
                state.output.push(&whole);
                if !whole.text().is_empty() && state.output.len() > crate::value::LONGEST {
                    state.output = self.unknown("the output grows longer than is followed", span);
                }
            }
        }
    }

    fn format<'v>(
        &mut self,
        format: &Value,
        values: &mut std::iter::Peekable<impl Iterator<Item = &'v Value>>,
        whole: &mut Value,
    ) {
        let text = format.text();
        let mut from = 0;
        let mut characters = text.char_indices().peekable();
        while let Some((at, c)) = characters.next() {
            if c != '%' {
                continue;
            }
            whole.push_part(format, from..at);
            let mut end = at + 1;
            for (next, c) in characters.by_ref() {
                end = next + c.len_utf8();
                match c {
                    's' | 'd' | 'b' | 'q' | 'i' | 'c' => {
                        values.next().into_iter().for_each(|value| whole.push(value));
                        break;
                    }
                    '%' => {
                        whole.push_made("%", format.origin(at));
                        break;
                    }
                    c if c.is_ascii_digit() || "-. ".contains(c) => {}
                    _ => break,
                }
            }
            from = end;
        }
        whole.push_part(format, from..text.len());
        whole.marks.extend(&format.marks);
    }

    /// `read` takes a line of the input; without one left it fails.
    fn read(&mut self, arguments: &[Value], span: Span, state: &mut State) {
        let mut names = Vec::new();
        let (mut array, mut delimiter) = (false, '\n');
        let mut rest = arguments.iter();
        while let Some(word) = rest.next() {
            match word.text() {
                "-d" => delimiter = rest.next().and_then(|word| word.text().chars().next()).unwrap_or('\0'),
                "-p" | "-t" | "-n" | "-u" => {
                    rest.next();
                }
                text if text.starts_with('-') => array |= text.ends_with('a'),
                text => names.push(text.to_owned()),
            }
        }
        if names.is_empty() {
            names.push("REPLY".to_owned());
        }
        names.iter().for_each(|name| self.assigns(name));
        let Some(input) = state.input.clone() else {
            for name in &names {
                let hole = self.unknown(format!("`{name}` is read while the script runs"), span);
                state.set(name, hole);
            }
            state.status = Status::Unknown;
            return;
        };
        self.pay(input.len());
        let end = input.text().find(delimiter);
        let line = input.part(0..end.unwrap_or(input.len()));
        state.input = Some(input.part(end.map_or(input.len(), |end| end + 1)..input.len()));
        // The last line without a line break is read, with a status of failure.
        state.status = if end.is_some() { Status::Success } else { Status::Failure };
        if line.has_hole() && !line.text().contains(' ') && names.len() == 1 {
            state.status = if end.is_some() { Status::Unknown } else { Status::Failure };
        }
        let separators = state.value("IFS").and_then(|ifs| ifs.known().map(str::to_owned));
        let separators = separators.unwrap_or_else(|| " \t".to_owned());
        if array {
            let fields = line.fields(|c| separators.contains(c));
            state.put(&names[0], Variable { elements: Elements::List(fields), exported: false });
            return;
        }
        let mut left = line;
        for (index, name) in names.iter().enumerate() {
            let start = left.len() - left.text().trim_start_matches(|c| separators.contains(c)).len();
            let body = left.part(start..left.len());
            let end = match index + 1 == names.len() {
                true => body.text().trim_end_matches(|c| separators.contains(c)).len(),
                false => body.text().find(|c| separators.contains(c)).unwrap_or(body.len()),
            };
            state.set(name, body.part(0..end));
            left = body.part(end..body.len());
        }
    }

    fn mapfile(&mut self, arguments: &[Value], span: Span, state: &mut State) {
        let flags = |text: &str| arguments.iter().position(|word| word.text() == text);
        let delimiter = flags("-d").and_then(|at| arguments.get(at + 1)?.text().chars().next()).unwrap_or('\n');
        let name = arguments.last().map(|word| word.text().to_owned()).filter(|name| !name.starts_with('-'));
        let name = name.unwrap_or_else(|| "MAPFILE".to_owned());
        let input = match state.input.take() {
            Some(input) => input,
            None => self.unknown("what `mapfile` reads", span),
        };
        let values = input.fields(|c| c == delimiter);
        state.put(&name, Variable { elements: Elements::List(values), exported: false });
        state.status = Status::Success;
    }

    /// A copy over upstream's build script, or of a file that was written.
    fn copy(&mut self, arguments: &[Value], span: Span, state: &mut State) {
        let paths: Vec<&Value> = arguments.iter().filter(|word| !word.text().starts_with('-')).collect();
        let [from, .., to] = paths.as_slice() else { return };
        let text = self.file(from, state, span);
        let base = |path: &Value| path.text().rsplit('/').next().unwrap_or_default().to_owned();
        let replaces =
            base(to) == "build_dist.sh" || (base(from) == "build_dist.sh" && matches!(to.text(), "." | "./"));
        if replaces {
            let hole = self.unknown("`build_dist.sh` is replaced before it is used", span);
            let text = if text.has_hole() { hole } else { text };
            Rc::make_mut(&mut state.files).insert("build_dist.sh".to_owned(), text);
        } else if !text.has_hole() {
            let to = (*to).clone();
            self.write(&to, text, false, state);
        }
    }
}

/// `set`: options, and the positional parameters.
fn set(arguments: &[Value], state: &mut State) {
    let mut at = 0;
    while let Some(text) = arguments.get(at).map(|word| word.text().to_owned()) {
        if text == "--" || !text.starts_with(['-', '+']) {
            at += usize::from(text == "--");
            state.arguments = Rc::new(arguments.get(at..).unwrap_or_default().to_vec());
            state.knows_arguments = true;
            break;
        }
        let on = text.starts_with('-');
        if text.contains('e') {
            state.errexit = on;
        }
        if text.contains('o') {
            at += 1;
            match arguments.get(at).map(Value::text) {
                Some("pipefail") => state.pipefail = on,
                Some("errexit") => state.errexit = on,
                _ => {}
            }
        }
        at += 1;
    }
    state.status = Status::Success;
}

/// Text with `\n`, `\t` and `\\` as `printf` and `echo -e` print them.
fn unescaped(value: &Value) -> Value {
    let text = value.text();
    let mut edits = Vec::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        if c != '\\' {
            continue;
        }
        let Some((end, next)) = characters.next() else { break };
        let replacement = match next {
            'n' => "\n",
            't' => "\t",
            '\\' => "\\",
            '0' => "\0",
            _ => continue,
        };
        edits.push((at..end + next.len_utf8(), Value::made(replacement, value.origin(at))));
    }
    value.replaced(&edits)
}
