//! The parts of a text that are to be followed: commands of a shell, and assignments that other formats write their own way.

use std::collections::{BTreeMap, BTreeSet};

use diagnostics::Span;

/// What kind of text it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A script of a shell, or what is taken for one.
    Shell,
    /// A Dockerfile.
    Docker,
    /// A Makefile.
    Make,
    /// YAML: a workflow, or data.
    Yaml,
    /// JSON, Nix and other data: only its lists are looked at.
    Data,
}

/// A part of a text that is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Section {
    /// Commands.
    Commands(Span),
    /// Commands in a shell of their own: what they set holds for them alone.
    Apart(Span),
    /// Where an image begins, what it is made from, and what it is called.
    Image {
        from: String,
        name: Option<String>,
    },
    /// A step of a workflow: variables that hold for its commands alone, and those.
    Step {
        values: Vec<Section>,
        commands: Vec<Section>,
    },
    /// A variable that holds what commands print.
    Printed {
        name: String,
        commands: Span,
    },
    /// A variable of the whole file that an image asks for.
    Asked(String),
    /// The value of a variable, as it is written; and whether it adds to what the variable holds.
    Value {
        name: String,
        value: Span,
        adds: bool,
        default: bool,
    },
    /// Where a branch begins, and where all end.
    If,
    Else,
    EndIf,
}

impl Kind {
    /// Tells by the name of the file, else by its text.
    pub(super) fn of(name: &str, text: &str) -> Self {
        let name = name.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let end = name.rsplit_once('.').map_or("", |(_, end)| end);
        match end {
            "yml" | "yaml" => Self::Yaml,
            "json" | "nix" | "toml" | "go" | "md" => Self::Data,
            "mk" => Self::Make,
            "sh" | "bash" => Self::Shell,
            _ if name.starts_with("dockerfile") || name.starts_with("containerfile") || end == "dockerfile" => {
                Self::Docker
            }
            _ if name.starts_with("makefile") || name == "gnumakefile" => Self::Make,
            _ if text.trim_start().starts_with(['{', '[']) => Self::Data,
            _ => Self::Shell,
        }
    }
}

/// The parts of a text in order.
pub(super) fn of(kind: Kind, text: &str) -> Vec<Section> {
    match kind {
        Kind::Shell => vec![Section::Commands(Span { start: 0, end: text.len() })],
        Kind::Docker => docker(text),
        Kind::Make => make(text),
        Kind::Yaml => yaml(text),
        Kind::Data => Vec::new(),
    }
}

/// Lines with those that a backslash continues, each with its place; comments between continued lines belong to them.
fn logical(text: &str) -> Vec<Span> {
    let mut lines = Vec::new();
    let (mut start, mut at, mut open) = (0, 0, false);
    for line in text.split_inclusive('\n') {
        at += line.len();
        let bare = line.trim();
        open = bare.ends_with('\\') || (open && bare.starts_with('#'));
        if !open {
            lines.push(Span { start, end: at });
            start = at;
        }
    }
    if start < at {
        lines.push(Span { start, end: at });
    }
    lines
}

/// Splits a text into its first word and the place of the rest.
fn first_word(text: &str, span: Span) -> (&str, Span) {
    let line = &text[span.start..span.end];
    let begin = line.len() - line.trim_start().len();
    let length = line[begin..].find(char::is_whitespace).unwrap_or(line.len() - begin);
    (&line[begin..begin + length], Span { start: span.start + begin + length, end: span.end })
}

fn docker(text: &str) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut heredoc: Option<Heredoc> = None;
    for line in logical(text) {
        if let Some(Heredoc { end, start, commands }) = &heredoc {
            if text[line.start..line.end].trim() == end {
                sections.extend(commands.then_some(Section::Apart(Span { start: *start, end: line.start })));
                heredoc = None;
            }
            continue;
        }
        let (word, rest) = first_word(text, line);
        let whole = text[rest.start..rest.end].trim();
        match word.to_ascii_uppercase().as_str() {
            "FROM" => {
                let words: Vec<&str> = whole.split_whitespace().filter(|word| !word.starts_with("--")).collect();
                let from = words.first().copied().unwrap_or_default().to_owned();
                let named = words.get(1).is_some_and(|word| word.eq_ignore_ascii_case("as"));
                sections
                    .push(Section::Image { from, name: words.get(2).filter(|_| named).map(|name| (*name).to_owned()) });
            }
            "RUN" => {
                let rest = behind_flags(text, rest);
                heredoc = Heredoc::of(&text[rest.start..rest.end], line.end);
                if heredoc.as_ref().is_none_or(|heredoc| !heredoc.commands) {
                    sections.push(Section::Apart(rest));
                }
            }
            // `ENV a=b c=d` is how a shell assigns, too.
            "ARG" | "ENV" if whole.contains('=') => sections.push(Section::Commands(rest)),
            "ARG" => sections.extend(whole.split_whitespace().map(|name| Section::Asked(name.to_owned()))),
            "ENV" => {
                let (name, value) = first_word(text, rest);
                sections.push(Section::Value { name: name.to_owned(), value, adds: false, default: false });
            }
            _ => {}
        }
    }
    sections
}

/// Lines that an instruction takes along.
struct Heredoc {
    end: String,
    start: usize,
    /// Whether a shell runs them.
    commands: bool,
}

impl Heredoc {
    /// What `RUN <<EOF` or `RUN bash <<'EOF'` begins, whose lines start at a place.
    fn of(instruction: &str, start: usize) -> Option<Self> {
        let (before, after) = instruction.split_once("<<")?;
        let after = after.trim_start_matches('-').split_whitespace().next()?;
        let end = after.trim_matches(['"', '\'']).to_owned();
        let program = before.split_whitespace().next().unwrap_or("sh");
        let shell = ["sh", "ash", "bash", "dash"].contains(&program.rsplit('/').next().unwrap_or_default());
        let plain = !end.is_empty() && end.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        plain.then_some(Self { end, start, commands: shell })
    }
}

/// What stands behind the flags of an instruction: `--mount=…`.
fn behind_flags(text: &str, mut span: Span) -> Span {
    loop {
        let (word, rest) = first_word(text, span);
        if !word.starts_with("--") {
            return span;
        }
        span = rest;
    }
}

fn make(text: &str) -> Vec<Section> {
    let mut sections = Vec::new();
    for line in logical(text) {
        let whole = &text[line.start..line.end];
        let (word, rest) = first_word(text, line);
        match word {
            "ifeq" | "ifneq" | "ifdef" | "ifndef" => sections.push(Section::If),
            "else" => sections.push(Section::Else),
            "endif" => sections.push(Section::EndIf),
            _ if whole.starts_with('\t') => {
                let marks = whole[1..].len() - whole[1..].trim_start_matches(['@', '-', '+', ' ']).len();
                sections.push(Section::Apart(Span { start: line.start + 1 + marks, end: line.end }));
            }
            "export" | "override" => sections.extend(assignment(text, rest)),
            _ => match of_target(text, line) {
                Some(one) => sections.extend([Section::If, one, Section::EndIf]),
                None => sections.extend(assignment(text, line)),
            },
        }
    }
    // Recipes run when the whole file was read, and what is set by `=` is looked at where it is used.
    let (recipes, rest): (Vec<_>, Vec<_>) =
        sections.into_iter().partition(|section| matches!(section, Section::Apart(_)));
    let mut all = late(text, rest);
    all.extend(recipes);
    all
}

/// How many are put in order by what they refer to.
const MOST_LATE: usize = 256;

/// Moves behind the others what is set once, by `NAME = …` with a reference in it, and in no branch.
fn late(text: &str, sections: Vec<Section>) -> Vec<Section> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for section in &sections {
        if let Section::Value { name, .. } | Section::Printed { name, .. } = section {
            *times.entry(name.as_str()).or_default() += 1;
        }
    }
    let once: BTreeSet<String> = times.into_iter().filter(|(_, n)| *n == 1).map(|(name, _)| name.to_owned()).collect();
    let mut depth = 0_usize;
    let (moved, mut kept): (Vec<_>, Vec<_>) = sections.into_iter().partition(|section| match section {
        Section::If => {
            depth += 1;
            false
        }
        Section::EndIf => {
            depth = depth.saturating_sub(1);
            false
        }
        Section::Value { name, value, .. } => {
            let recursive = !text[..value.start - 1].ends_with([':', '+', '?']);
            let refers = text[value.start..value.end].contains('$');
            depth == 0 && recursive && refers && once.contains(name)
        }
        _ => false,
    });
    if moved.len() > MOST_LATE {
        kept.extend(moved);
        return kept;
    }
    // What refers to one behind it comes after that.
    let (last, first): (Vec<_>, Vec<_>) = moved.iter().cloned().partition(|one| refers_to_later(text, one, &moved));
    kept.extend(first);
    kept.extend(last.into_iter().rev());
    kept
}

/// Whether the value of one refers to another that stands behind it.
fn refers_to_later(text: &str, one: &Section, all: &[Section]) -> bool {
    let Section::Value { value, .. } = one else { return false };
    let source = &text[value.start..value.end];
    all.iter().any(|other| match other {
        Section::Value { name, value: place, .. } => {
            place.start > value.end
                && (source.contains(&format!("({name})")) || source.contains(&format!("{{{name}}}")))
        }
        _ => false,
    })
}

/// `target: NAME := value`, which holds for one target and what it needs.
fn of_target(text: &str, line: Span) -> Option<Section> {
    let whole = &text[line.start..line.end];
    let colon = whole.find(':').filter(|at| !whole[..*at].contains(['=', '$']) && !whole[*at..].starts_with(":="))?;
    let rest = Span { start: line.start + colon + 1, end: line.end };
    let (word, behind) = first_word(text, rest);
    assignment(text, if ["export", "override", "private"].contains(&word) { behind } else { rest })
}

/// `NAME := value` and its kin.
fn assignment(text: &str, line: Span) -> Option<Section> {
    let whole = &text[line.start..line.end];
    let (left, _) = whole.split_once('=')?;
    if let Some(name) = left.strip_suffix('!') {
        let commands = Span { start: line.start + left.len() + 1, end: line.end };
        return Some(Section::Printed { name: name.trim().to_owned(), commands });
    }
    let name = left.trim_end_matches([':', '+', '?', ' ', '\t']).trim();
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    let sign = left.trim_end();
    plain.then(|| Section::Value {
        name: name.to_owned(),
        value: Span { start: line.start + left.len() + 1, end: line.end },
        adds: sign.ends_with('+'),
        default: sign.ends_with('?'),
    })
}

/// A step that is being read.
struct Step {
    indent: usize,
    values: Vec<Section>,
    commands: Vec<Section>,
}

impl Step {
    fn take(&mut self, section: Section) {
        match section {
            Section::Commands(_) => self.commands.push(section),
            _ => self.values.push(section),
        }
    }

    /// Its parts: scoped where it does something, as they stand where it is but data.
    fn end(self, into: &mut Vec<Section>) {
        match self.commands.is_empty() {
            true => into.extend(self.values),
            false => into.push(Section::Step { values: self.values, commands: self.commands }),
        }
    }
}

/// Block scalars and single lines of `run:` and its kin as commands, and keys in capitals as variables. What stands in one item of
/// a list with commands belongs to those.
fn yaml(text: &str) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut step: Option<Step> = None;
    let mut lines = text.split_inclusive('\n').scan(0, |at, line| {
        *at += line.len();
        Some((Span { start: *at - line.len(), end: *at }, line))
    });
    let mut next = lines.next();
    while let Some((span, line)) = next {
        next = lines.next();
        let bare = line.trim_start();
        let indent = line.len() - bare.len();
        if bare.is_empty() || bare.starts_with('#') {
            continue;
        }
        if let Some(ended) = step.take_if(|step| indent <= step.indent) {
            ended.end(&mut sections);
        }
        let item = bare.strip_prefix("- ");
        if item.is_some() && step.is_none() {
            step = Some(Step { indent, values: Vec::new(), commands: Vec::new() });
        }
        let item = item.unwrap_or(bare);
        let Some((key, value)) = item.split_once(':').filter(|(_, value)| value.starts_with([' ', '\n', '\r'])) else {
            continue;
        };
        let key = key.trim().trim_matches(['"', '\'']);
        let commands = ["run", "script", "command", "shell", "before_script", "entrypoint"].contains(&key);
        let variable = key.len() > 1 && key.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        if !commands && !variable {
            continue;
        }
        let block = value.trim().starts_with(['|', '>']);
        let start = span.end - value.len();
        let mut place = Span { start, end: start + scalar(value) };
        if block {
            place = Span { start: span.end, end: span.end };
            while let Some((inner, line)) = next {
                let bare = line.trim_start();
                if !bare.is_empty() && line.len() - bare.len() <= indent {
                    break;
                }
                place.end = inner.end;
                next = lines.next();
            }
        } else if variable && value.trim_start().starts_with(['[', '{']) {
            // A list is no text.
            continue;
        }
        let section = match commands {
            true => Section::Commands(place),
            false => Section::Value { name: key.to_owned(), value: place, adds: false, default: false },
        };
        match &mut step {
            Some(step) => step.take(section),
            None => sections.push(section),
        }
    }
    if let Some(step) = step {
        step.end(&mut sections);
    }
    sections
}

/// How long the value on a line is, without the comment behind it.
fn scalar(value: &str) -> usize {
    let begin = value.len() - value.trim_start().len();
    let quote = value[begin..].chars().next().filter(|c| ['"', '\''].contains(c));
    let from = match quote {
        Some(quote) => value[begin + 1..].find(quote).map_or(begin, |length| begin + 1 + length),
        None => begin,
    };
    value[from..].find(" #").map_or(value.len(), |length| from + length)
}
