//! What a variable or an argument holds: text with its places, what programs print, and what is not known.

use std::collections::BTreeSet;

use crate::audit::{Part, Strip, Word};
use crate::limits::{LONGEST_DESCRIPTION, LONGEST_VALUE};
use diagnostics::Span;

/// The weight of a part of a value in addition to its text: even an empty one takes memory.
const ATOM: usize = 4;

/// What a variable or an argument holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Value {
    pub(super) atoms: Vec<Atom>,
    /// The definitions that it is made from.
    pub(super) origins: BTreeSet<usize>,
    /// Where a program makes a part of it, whose failure goes unnoticed.
    pub(super) unnoticed: Option<Span>,
    /// What the environment may put in its place: a name, and where it is asked for.
    pub(super) environment: BTreeSet<(String, Span)>,
}

/// A part of a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Atom {
    /// Text, and where its first byte stands.
    Text(String, usize),
    /// What a program prints.
    Part(Part),
    /// Something that the text does not tell, in a few words.
    Unknown(String, Span),
}

/// A part of a value between separators.
enum Item {
    Word(Word),
    Part(Part),
    Unknown(String, Span),
}

impl Value {
    pub(super) fn text(text: impl Into<String>, at: usize) -> Self {
        Self { atoms: vec![Atom::Text(text.into(), at)], ..Self::default() }
    }

    pub(super) fn unknown(what: impl AsRef<str>, span: Span) -> Self {
        Self { atoms: vec![Atom::Unknown(described(what.as_ref()), span)], ..Self::default() }
    }

    pub(super) fn part(part: Part) -> Self {
        Self { atoms: vec![Atom::Part(part)], ..Self::default() }
    }

    /// Puts another value behind it.
    pub(super) fn append(&mut self, other: Self) {
        self.origins.extend(other.origins);
        self.unnoticed = self.unnoticed.or(other.unnoticed);
        self.environment.extend(other.environment);
        self.atoms.extend(other.atoms);
    }

    /// How much it holds.
    pub(super) fn weight(&self) -> usize {
        let weight = |atom: &Atom| match atom {
            Atom::Text(text, _) => text.len() + ATOM,
            Atom::Part(part) => heaviness(part),
            Atom::Unknown(what, _) => what.len() + 32,
        };
        let environment = self.environment.iter().map(|(name, _)| name.len() + 32);
        self.atoms.iter().map(weight).chain(environment).sum()
    }

    /// How much memory it takes, in bytes.
    pub(super) fn size(&self) -> usize {
        self.weight() + self.atoms.len() * size_of::<Atom>() + size_of::<Self>()
    }

    pub(super) fn is_too_long(&self) -> bool {
        self.weight() > LONGEST_VALUE
    }

    /// Its text, if it is text alone.
    pub(super) fn plain(&self) -> Option<String> {
        let mut whole = String::new();
        for atom in &self.atoms {
            let Atom::Text(text, _) = atom else { return None };
            whole += text;
        }
        Some(whole)
    }

    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.plain().is_some_and(|text| text.is_empty())
    }

    /// Whether it holds tags of Tailscale's, or a program that prints such.
    pub(super) fn has_tags(&self) -> bool {
        self.atoms.iter().any(|atom| match atom {
            Atom::Text(text, _) => text.contains("ts_omit_") || text.contains("ts_include_cli"),
            Atom::Part(_) => true,
            Atom::Unknown(..) => false,
        })
    }

    /// Whether a program makes a part of it.
    pub(super) fn is_made(&self) -> bool {
        fn made(part: &Part) -> bool {
            match part {
                Part::Without(parts, _) => parts.iter().any(made),
                Part::Tags(_) | Part::Unknown(..) | Part::Cut(..) => false,
                _ => true,
            }
        }
        self.atoms.iter().any(|atom| matches!(atom, Atom::Part(part) if made(part)))
    }

    /// The same with each text changed; places stay where they can.
    pub(super) fn mapped(mut self, change: impl Fn(&str) -> String) -> Self {
        for atom in &mut self.atoms {
            if let Atom::Text(text, _) = atom {
                *text = change(text);
            }
        }
        self
    }

    /// The same without these tags.
    pub(super) fn without(self, gone: Vec<Strip>) -> Self {
        let mut parts = self.parts();
        let stripped = match parts.as_mut_slice() {
            // One after the other comes to the same, and does not nest.
            [Part::Without(_, before)] => {
                before.extend(gone);
                parts.swap_remove(0)
            }
            _ => Part::Without(parts, gone),
        };
        Self { atoms: vec![Atom::Part(stripped)], ..self }
    }

    /// The tags in it. Flags between them don't count, `-tags=` is taken off.
    pub(super) fn parts(&self) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for item in self.items(|c| c == ',' || c.is_whitespace()) {
            match item {
                Item::Word(word) => {
                    let Some(word) = tag(word) else { continue };
                    match parts.last_mut() {
                        Some(Part::Tags(words)) => words.push(word),
                        _ => parts.push(Part::Tags(vec![word])),
                    }
                }
                Item::Part(part) => parts.push(part),
                Item::Unknown(what, span) => parts.push(Part::Unknown(what, span)),
            }
        }
        parts
    }

    /// The names in it, as `--add` takes them: what stands between commas, and what is not known.
    pub(super) fn names(&self) -> (Vec<Word>, Vec<(String, Span)>) {
        let (mut words, mut unknown) = (Vec::new(), Vec::new());
        for item in self.items(|c| c == ',') {
            match item {
                Item::Word(word) => words.push(word),
                Item::Part(_) => unknown.push(("the names are what a program prints".to_owned(), Span::default())),
                Item::Unknown(what, span) => unknown.push((what, span)),
            }
        }
        (words, unknown)
    }

    /// The words of it as a shell splits them: at blanks of its text.
    pub(super) fn fields(mut self) -> Vec<Self> {
        let blank = |atom: &Atom| matches!(atom, Atom::Text(text, _) if text.contains(char::is_whitespace));
        if !self.atoms.iter().any(blank) {
            return vec![self];
        }
        let mut fields: Vec<Vec<Atom>> = vec![Vec::new()];
        for atom in std::mem::take(&mut self.atoms) {
            let Atom::Text(text, at) = &atom else {
                fields.last_mut().into_iter().for_each(|field| field.push(atom.clone()));
                continue;
            };
            let mut start = 0;
            for (index, part) in text.split(char::is_whitespace).enumerate() {
                if index > 0 {
                    fields.push(Vec::new());
                }
                let last = fields.last_mut().filter(|_| !part.is_empty());
                last.into_iter().for_each(|field| field.push(Atom::Text(part.to_owned(), at + start)));
                start += part.len() + text[start + part.len()..].chars().next().map_or(0, char::len_utf8);
            }
        }
        fields.retain(|field| !field.is_empty());
        fields.into_iter().map(|atoms| Self { atoms, ..self.clone() }).collect()
    }

    /// What stands between separators. What touches something unknown is unknown itself.
    fn items(&self, separates: impl Fn(char) -> bool) -> Vec<Item> {
        let mut items = Vec::new();
        let mut open = Open::default();
        for atom in &self.atoms {
            match atom {
                Atom::Text(text, at) => {
                    for (index, c) in text.char_indices() {
                        if separates(c) {
                            items.extend(open.close());
                        } else {
                            open.push(c, at + index);
                        }
                    }
                }
                Atom::Part(part) => {
                    items.extend(open.close());
                    items.push(Item::Part(part.clone()));
                }
                Atom::Unknown(what, span) => open.spoilt = Some((what.clone(), *span)),
            }
        }
        items.extend(open.close());
        items
    }
}

/// What was read since the last separator.
#[derive(Default)]
struct Open {
    word: Option<Word>,
    /// What is not known of it.
    spoilt: Option<(String, Span)>,
}

impl Open {
    fn push(&mut self, c: char, at: usize) {
        let word = self.word.get_or_insert_with(|| Word::new("", Span { start: at, end: at }));
        word.text.push(c);
        // Text from elsewhere in the same word has a place of its own.
        if word.span.end == at {
            word.span.end = at + c.len_utf8();
        }
    }

    fn close(&mut self) -> Option<Item> {
        match (self.word.take(), self.spoilt.take()) {
            (Some(word), Some((what, span))) => Some(Item::Unknown(format!("`{}…`: {what}", word.text), span)),
            (None, Some((what, span))) => Some(Item::Unknown(what, span)),
            (Some(word), None) => Some(Item::Word(word)),
            (None, None) => None,
        }
    }
}

/// How much a part holds. What is nested counts so much that it can't be nested deep.
fn heaviness(part: &Part) -> usize {
    match part {
        Part::Tags(words) => words.iter().map(|word| word.text.len() + 1).sum(),
        Part::Featuretags(call) => {
            let names: usize = call.add.iter().chain(&call.remove).map(|word| word.text.len() + 32).sum();
            32 + names + call.unknown.iter().map(|(what, _)| what.len() + 32).sum::<usize>()
        }
        Part::Without(parts, gone) => {
            let strips: usize = gone.iter().map(|strip| strip.word.text.len() + 32).sum();
            256 + strips + parts.iter().map(heaviness).sum::<usize>()
        }
        Part::Unknown(what, _) => what.len() + 32,
        _ => 32,
    }
}

/// A description of something unknown, no longer than anyone reads.
fn described(what: &str) -> String {
    match what.char_indices().nth(LONGEST_DESCRIPTION) {
        Some((end, _)) => format!("{}…", &what[..end]),
        None => what.to_owned(),
    }
}

/// A word as a tag: nothing for a flag, what follows `-tags=` for that one.
fn tag(word: Word) -> Option<Word> {
    let text = word.text.trim_matches(['"', '\'']);
    let flag = ["-tags=", "--tags="].iter().find_map(|flag| text.strip_prefix(flag));
    let tag = flag.unwrap_or(text).trim_matches(['"', '\'']);
    let start = word.span.start + (tag.as_ptr() as usize - word.text.as_ptr() as usize);
    let span = if word.span.end - word.span.start == word.text.len() {
        Span { start, end: start + tag.len() }
    } else {
        word.span
    };
    (!tag.is_empty() && !tag.starts_with('-')).then(|| Word::new(tag, span))
}
