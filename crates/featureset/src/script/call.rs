//! Calls that lists come from: `featuretags`, `build_dist.sh` and Go itself.

use super::flow::{Flow, Found};
use super::token::Word;
use super::value::{Atom, Value};
use crate::audit::{Featuretags, Part, Program, Word as Name};
use crate::release::Release;
use diagnostics::{Code, Diagnostic, Label, Span};

/// An argument of a command: what it holds, and its place.
struct Argument {
    value: Value,
    place: Span,
}

impl Argument {
    fn text(&self) -> String {
        self.value.plain().unwrap_or_default()
    }
}

impl Flow<'_> {
    /// A command that may build something.
    pub(super) fn called(&mut self, set: &[&Word], words: &[&Word]) {
        let outside = self.outside(set);
        for word in set {
            let blind = super::flow::command::Around { replaced: true, ..Default::default() };
            self.assignment_before(word, &blind);
        }
        let heads: Vec<&str> = words.iter().map(|word| word.head()).collect();
        if let Some(at) = heads.iter().position(|head| head.ends_with("build_dist.sh")) {
            self.build_dist(&words[at..]);
        } else if let Some(at) =
            heads.iter().position(|head| ["build", "install", "run", "list", "test"].contains(head))
        {
            let go = words[..at].last().is_some_and(|word| {
                let text = &self.text()[word.span.start..word.span.end];
                text.trim_matches('"').ends_with("go") || text.to_ascii_uppercase().contains("GO")
            });
            match self.featuretags(words) {
                // Whoever only prints the list still made it.
                Some(call) => self.printed_list(call, words),
                None if go => self.go_build(&words[at..], words),
                None => self.other(words),
            }
        } else if let Some(call) = self.featuretags(words) {
            self.printed_list(call, words);
        } else {
            self.other(words);
        }
        self.restore(outside);
    }

    fn printed_list(&mut self, call: Featuretags, words: &[&Word]) {
        let place = super::flow::command::across(words);
        self.assign("what `featuretags` prints", vec![Value::part(Part::Featuretags(call))], place, None);
    }

    /// What `-tags` or `NAME=value` says in a call of something else.
    fn other(&mut self, words: &[&Word]) {
        // What is only shown is no list; what is written to a file is kept where that is seen.
        if words.first().is_some_and(|word| ["echo", "printf"].contains(&word.head())) {
            return;
        }
        let arguments = self.given(words);
        if let Some((value, _)) = tags_flag(&arguments).filter(|(value, _)| value.has_tags()) {
            let (what, place) = ("the tags of a build".to_owned(), super::flow::command::across(words));
            self.found(Found { what, values: vec![value], ..Found::at(place) });
            return;
        }
        for (index, argument) in arguments.iter().enumerate().skip(1) {
            let text = argument.value.atoms.first().map(|atom| match atom {
                Atom::Text(text, _) => text.clone(),
                _ => String::new(),
            });
            let Some((name, _)) = text.as_deref().and_then(|text| text.split_once('=')) else { continue };
            let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if plain && argument.value.has_tags() {
                let values = vec![behind(&argument.value, name.len() + 1)];
                self.assign(name, values, arguments[index].place, None);
            }
        }
    }

    /// The arguments of a command, each as the first way has it.
    fn given(&mut self, words: &[&Word]) -> Vec<Argument> {
        let mut given = Vec::new();
        for word in words {
            let ways = self.arguments(word);
            let several = ways.len() > 1;
            let mut ways = ways.into_iter();
            // Only a list may come about in several ways; it is told where it is used.
            let first = ways.next().unwrap_or_default();
            if several {
                given.push(Argument {
                    value: Value::unknown("which of several ways is taken", word.span),
                    place: word.span,
                });
            } else {
                given.extend(first.into_iter().map(|value| Argument { value, place: word.span }));
            }
        }
        given
    }

    /// `go build` and its kin. `words` begin with the verb.
    fn go_build(&mut self, words: &[&Word], whole: &[&Word]) {
        let verb = words.first().map(|word| word.head().to_owned()).unwrap_or_default();
        let arguments = self.given(words);
        let texts: Vec<String> = arguments.iter().map(Argument::text).collect();
        let (daemon, command_line) = (package(&texts, "cmd/tailscaled"), package(&texts, "cmd/tailscale"));
        let place = super::flow::command::across(whole);
        let values = self.tags_of(words, &arguments);
        let (known, values) = match values {
            Some(values) => (values.iter().any(Value::has_tags), values),
            // Without a word about tags everything is built, unless that word is in what is not known.
            None => (false, vec![hidden(&arguments).unwrap_or_default()]),
        };
        let ours = daemon || command_line || texts.iter().any(|text| text.contains("tailscale"));
        let named = values.iter().any(|value| !value.is_empty());
        if !(known || daemon || (ours && named)) || ["list", "test"].contains(&verb.as_str()) {
            return;
        }
        let program = match (daemon, command_line) {
            (false, true) => Program::CommandLine,
            (false, false) if self.embeds && !ours => Program::Library,
            _ => Program::Daemon,
        };
        let what = match program {
            Program::Daemon => format!("`go {verb}` of tailscaled"),
            Program::CommandLine => format!("`go {verb}` of tailscale"),
            Program::Library => format!("`go {verb}`"),
        };
        let release = texts.iter().zip(&arguments).find_map(|(text, argument)| pinned(text, argument.place));
        let stamp = if program == Program::Daemon && daemon { self.stamp(&arguments) } else { None };
        self.found(Found { what, program, values, release, stamp, ..Found::at(place) });
    }

    /// The tags of a build: those of `-tags`, else those of GOFLAGS; nothing where neither names any.
    fn tags_of(&mut self, words: &[&Word], arguments: &[Argument]) -> Option<Vec<Value>> {
        let flag = |text: &str| ["-tags", "--tags"].contains(&text);
        // The last one counts.
        for (index, word) in words.iter().enumerate().rev() {
            let head = word.head();
            let values = if word.text().as_deref().is_some_and(flag) {
                let next = words.get(index + 1)?;
                self.expand_after_sign(next, 0)
            } else if let Some(name) = ["-tags=", "--tags="].iter().find(|name| head.starts_with(**name)) {
                self.expand_after_sign(word, name.len())
            } else {
                continue;
            };
            // `-tags "$(featuretags …)"`: what fails in an argument stops nothing.
            let blind = |mut value: Value| {
                let direct = word_calls(word) || words.get(index + 1).is_some_and(|next| word_calls(next));
                value.unnoticed = value.unnoticed.or((direct && value.is_made()).then_some(word.span));
                value
            };
            return Some(values.into_iter().map(blind).collect());
        }
        if let Some((value, _)) = tags_flag(arguments) {
            return Some(vec![value]);
        }
        let flags = self.variable("GOFLAGS")?;
        let tagged = flags
            .iter()
            .any(|value| value.atoms.iter().any(|atom| matches!(atom, Atom::Text(text, _) if text.contains("-tags="))));
        tagged.then_some(flags)
    }

    /// What the linker's flags make the binary tell of its version: nothing where that is not known.
    fn stamp(&self, arguments: &[Argument]) -> Option<String> {
        let unknown = arguments.iter().any(|argument| argument.value.plain().is_none() && !argument.value.has_tags());
        (!unknown && !self.stamps).then(String::new)
    }

    /// `build_dist.sh`: its options as long as there are any, then what Go gets.
    fn build_dist(&mut self, words: &[&Word]) {
        let arguments = self.given(words);
        let place = super::flow::command::across(words);
        let texts: Vec<String> = arguments.iter().map(Argument::text).collect();
        if texts.get(1).is_some_and(|text| text == "shellvars") {
            return;
        }
        let mut values = self.variable("TAGS").unwrap_or_else(|| vec![Value::default()]);
        let given = values.iter().any(|value| !value.is_empty());
        let mut findings = Vec::new();
        let mut parts = Vec::new();
        let mut index = 1;
        // Source: `build_dist.sh`, `while [ "$#" -gt 1 ]`: the last argument is never an option.
        while index + 1 < texts.len() {
            let span = arguments[index].place;
            match texts[index].as_str() {
                "--extra-small" => parts.push(Part::ExtraSmall(span)),
                "--min" => parts.push(Part::Min(span)),
                "--box" => parts.push(Part::Boxed(span)),
                "--strip" => {}
                _ => break,
            }
            if given && ["--extra-small", "--box"].contains(&texts[index].as_str()) {
                findings.push(refused(format!("`build_dist.sh` refuses `{}` together with TAGS", texts[index]), span));
            }
            index += 1;
        }
        for (text, argument) in texts.iter().zip(&arguments).skip(index) {
            if ["--extra-small", "--min", "--box", "--strip"].contains(&text.as_str()) {
                findings.push(refused(
                    format!("`{text}` comes too late for `build_dist.sh`, and Go does not know it"),
                    argument.place,
                ));
            }
        }
        let (daemon, command_line) = (package(&texts, "cmd/tailscaled"), package(&texts, "cmd/tailscale"));
        let program = if command_line && !daemon { Program::CommandLine } else { Program::Daemon };
        for value in &mut values {
            value.atoms.extend(parts.iter().cloned().map(Atom::Part));
        }
        // Source: `build_dist.sh`, `go build ${tags:+-tags=$tags} … "$@"`: of several, Go takes the last.
        let later = arguments.len().min(index);
        match self.tags_of(&words[words.len().min(index)..], &arguments[later..]) {
            Some(last) if tags_flag(&arguments[later..]).is_some() || values.iter().all(Value::is_empty) => {
                values = last
            }
            _ => {}
        }
        let what =
            format!("`build_dist.sh` of {}", if program == Program::Daemon { "tailscaled" } else { "tailscale" });
        self.found(Found { what, program, values, findings, ..Found::at(place) });
    }

    /// A call of `featuretags`, if the words are one: the program itself, or `go run` of it.
    pub(super) fn featuretags(&mut self, words: &[&Word]) -> Option<Featuretags> {
        let is_program = |word: &&Word| {
            let text = word.text().unwrap_or_else(|| self.text()[word.span.start..word.span.end].to_owned());
            let text = text.split('@').next().unwrap_or_default().trim_end_matches(['/', '"']).to_owned();
            text.ends_with("featuretags") || text.ends_with("featuretags.go")
        };
        let at = words.iter().position(is_program)?;
        if words[..at].first().is_some_and(|word| ["echo", "printf", "cd", "ls", "cp", "rm"].contains(&word.head())) {
            return None;
        }
        if words[..at].iter().any(|word| ["build", "install", "-o"].contains(&word.head())) {
            return None;
        }
        let mut call = Featuretags { span: super::flow::command::across(words), ..Featuretags::default() };
        let arguments = self.given(&words[at + 1..]);
        let mut seen: Vec<String> = Vec::new();
        let mut index = 0;
        while let Some(argument) = arguments.get(index) {
            let Some((flag, inline)) = flag(argument) else {
                // Go's flags end at the first word that is none.
                for ignored in &arguments[index..] {
                    call.ignored.push(Name::new(ignored.text(), ignored.place));
                }
                break;
            };
            index += 1;
            match flag.as_str() {
                "min" => {
                    call.min = inline.is_none_or(|value| {
                        !["false", "0", "f", "F", "FALSE"].contains(&value.plain().unwrap_or_default().as_str())
                    })
                }
                "list" | "" => {}
                "add" | "remove" => {
                    let value = match inline {
                        Some(value) => value,
                        None => {
                            index += 1;
                            arguments.get(index - 1).map(|argument| argument.value.clone()).unwrap_or_default()
                        }
                    };
                    if seen.contains(&flag) {
                        call.ignored.push(Name::new(format!("the first --{flag}"), argument.place));
                    }
                    let (names, unknown) = value.names();
                    call.unknown.retain(|(_, span)| !unknown.iter().any(|(_, other)| other == span));
                    call.unknown.extend(unknown);
                    if flag == "add" {
                        call.add = names
                    } else {
                        call.remove = names
                    }
                    seen.push(flag);
                }
                _ => {
                    call.refused = Some(Name::new(argument.text(), argument.place));
                    break;
                }
            }
        }
        Some(call)
    }
}

impl Found {
    fn at(place: Span) -> Self {
        Self {
            what: String::new(),
            place,
            program: Program::Daemon,
            values: Vec::new(),
            release: None,
            stamp: None,
            findings: Vec::new(),
        }
    }
}

fn refused(message: String, place: Span) -> Diagnostic {
    let next = "Give its options first, and everything that is to be omitted either in TAGS or by options.".to_owned();
    Diagnostic::new(Code::BuildDistFails, message, next).at(Label::new(place, "refused"))
}

/// The name of a flag and the value that stands behind its `=`.
fn flag(argument: &Argument) -> Option<(String, Option<Value>)> {
    let Some(Atom::Text(text, _)) = argument.value.atoms.first() else { return None };
    let bare = text.strip_prefix("--").or_else(|| text.strip_prefix('-')).filter(|_| text != "-")?;
    match bare.split_once('=') {
        Some((name, _)) => {
            Some((name.to_owned(), Some(behind(&argument.value, text.len() - bare.len() + name.len() + 1))))
        }
        None => Some((bare.to_owned(), None)),
    }
}

/// A value without the first bytes of its text.
fn behind(value: &Value, bytes: usize) -> Value {
    let mut value = value.clone();
    if let Some(Atom::Text(text, at)) = value.atoms.first_mut() {
        *text = text[bytes.min(text.len())..].to_owned();
        *at += bytes;
    }
    value
}

/// The value of `-tags` among arguments: of the last one, as Go takes it.
fn tags_flag(arguments: &[Argument]) -> Option<(Value, Span)> {
    arguments.iter().enumerate().rev().find_map(|(index, argument)| {
        let (name, inline) = flag(argument).filter(|(name, _)| name == "tags")?;
        let _ = name;
        match inline {
            Some(value) => Some((value, argument.place)),
            None => arguments.get(index + 1).map(|next| (next.value.clone(), next.place)),
        }
    })
}

/// An argument that is not known and may be the one that names tags: not the value of another flag.
fn hidden(arguments: &[Argument]) -> Option<Value> {
    let begins = |argument: &Argument| match argument.value.atoms.first() {
        Some(Atom::Text(text, _)) => text.clone(),
        _ => String::new(),
    };
    let takes_a_value = ["-ldflags", "-o", "-gcflags", "-asmflags", "-C", "-p", "-mod", "-buildmode", "-pkgdir"];
    arguments.iter().enumerate().find_map(|(index, argument)| {
        let before = index.checked_sub(1).map(|before| arguments[before].text()).unwrap_or_default();
        let of_another = takes_a_value.contains(&before.as_str());
        let known = argument.value.plain().is_some() || !begins(argument).is_empty() || of_another;
        (!known).then(|| argument.value.clone())
    })
}

/// Whether a word calls a program.
fn word_calls(word: &Word) -> bool {
    word.pieces.iter().any(|piece| matches!(piece, super::token::Piece::Commands(..)))
}

/// Whether one of the arguments is a package of Tailscale's.
fn package(texts: &[String], path: &str) -> bool {
    texts.iter().any(|text| text.split('@').next().unwrap_or_default().trim_end_matches('/').ends_with(path))
}

/// The release that a package is asked for in: `tailscale.com/cmd/tailscaled@v1.98.5`.
fn pinned(text: &str, place: Span) -> Option<(Release, Span)> {
    let (package, version) = text.split_once('@')?;
    let release = version.strip_prefix('v')?.parse().ok()?;
    package.contains("tailscale.com").then_some((release, place))
}
