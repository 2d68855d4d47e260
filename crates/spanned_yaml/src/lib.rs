//! A YAML tree with the span of every key and value.
//!
//! serde stops at the first error and drops positions, so the tree is built from parser events
//! (docs/decisions/0001-reading-yaml.md). Rejected: anchors, aliases, tags, a second document, keys that are not plain
//! text, and deep nesting. JSON is YAML, so JSON is read too.

use diagnostics::Code;
pub use diagnostics::Span;
use saphyr_parser::{Event, Parser, ScalarStyle};

/// The most values of a text. A policy that decides every feature has a few hundred.
const VALUES: usize = 60_000;

/// A value and its span.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The bytes of the value, quotes included; of a block scalar, its first line to its last.
    pub span: Span,
    /// The value.
    pub value: Value,
}

/// A scalar, a mapping or a sequence.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A scalar.
    Scalar {
        /// Its text, without quotes and indentation.
        text: String,
        /// Whether it has no quotes and is not a block, so that YAML may read it as a number, a boolean or null.
        plain: bool,
    },
    /// Keys and values in the order of the text, repeated keys included.
    Mapping(Vec<(Key, Node)>),
    /// Items in order.
    Sequence(Vec<Node>),
}

/// The key of an entry and its span.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Its text, without quotes.
    pub text: String,
    /// Its bytes, quotes included.
    pub span: Span,
}

/// The reason why a text is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// `MalformedYaml`, or `UnsupportedYaml` for YAML with something that this reader rejects.
    pub code: Code,
    /// The bytes at fault.
    pub span: Span,
    /// The reason in a few words.
    pub reason: String,
}

/// Bounds the recursion. No policy is nested deeper than four levels, no workflow deeper than ten.
const DEEPEST: usize = 16;

/// The type of a scalar by YAML's core schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plain {
    /// Null.
    Nothing,
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
    /// Text.
    Text,
}

impl Node {
    /// Returns the type of a scalar; `None` for a mapping or a sequence.
    #[must_use]
    pub fn plain(&self) -> Option<Plain> {
        let Value::Scalar { text, plain } = &self.value else { return None };
        let number = |text: &str| {
            text.strip_prefix(['+', '-']).unwrap_or(text).starts_with(|c: char| c.is_ascii_digit() || c == '.')
                && (text.parse::<f64>().is_ok() || text.starts_with("0x") || text.starts_with("0o"))
        };
        Some(match text.as_str() {
            _ if !plain => Plain::Text,
            "" | "~" | "null" | "Null" | "NULL" => Plain::Nothing,
            "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Plain::Boolean,
            text if number(text) => Plain::Number,
            _ => Plain::Text,
        })
    }
}

/// Parses one YAML document. Returns `None` if the text has no document.
///
/// # Errors
/// The first thing that is not YAML, or that this reader rejects.
pub fn read(text: &str) -> Result<Option<Node>, Unreadable> {
    let mut reader = Reader { parser: Parser::new_from_str(text), bytes: byte_offsets(text), text, left: VALUES };
    let mut root = None;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(root),
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            _ if root.is_some() => {
                return Err(unsupported(span, "a second document follows the first"));
            }
            event => root = Some(reader.node(event, span, 0)?),
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    /// The byte at which each character begins, and the length of the text: the parser counts characters.
    bytes: Vec<usize>,
    text: &'a str,
    /// How many values may still be read.
    left: usize,
}

fn byte_offsets(text: &str) -> Vec<usize> {
    text.char_indices().map(|(at, _)| at).chain([text.len()]).collect()
}

fn unsupported(span: Span, reason: &str) -> Unreadable {
    Unreadable { code: Code::UnsupportedYaml, span, reason: reason.to_owned() }
}

impl<'a> Reader<'a> {
    fn byte(&self, character: usize) -> usize {
        self.bytes.get(character).copied().unwrap_or(self.text.len())
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Unreadable> {
        match self.parser.next() {
            None => Ok((Event::StreamEnd, Span { start: self.text.len(), end: self.text.len() })),
            Some(Ok((event, span))) => {
                let start = self.byte(span.start.index());
                let end = self.byte(span.end.index()).max(start);
                Ok((event, Span { start, end }))
            }
            Some(Err(error)) => {
                let start = self.byte(error.marker().index());
                let end = self.text[start..].chars().next().map_or(start, |c| start + c.len_utf8());
                Err(Unreadable {
                    code: Code::MalformedYaml,
                    span: Span { start, end },
                    reason: error.info().to_owned(),
                })
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Unreadable> {
        if depth > DEEPEST {
            return Err(unsupported(span, "values are nested too deeply"));
        }
        self.left =
            self.left.checked_sub(1).ok_or_else(|| unsupported(span, "the text holds more than 60,000 values"))?;
        match event {
            Event::Scalar(_, _, anchor, tag) if anchor != 0 || tag.is_some() => {
                Err(unsupported(span, "the value has an anchor or a tag"))
            }
            Event::MappingStart(anchor, tag) | Event::SequenceStart(anchor, tag) if anchor != 0 || tag.is_some() => {
                Err(unsupported(span, "the value has an anchor or a tag"))
            }
            Event::Alias(_) => Err(unsupported(span, "the value is an alias")),
            Event::Scalar(text, style, ..) => {
                let plain = style == ScalarStyle::Plain;
                let value = Value::Scalar { text: text.into_owned(), plain };
                Ok(Node { span: self.trimmed(span), value })
            }
            Event::MappingStart(..) => self.mapping(span, depth),
            Event::SequenceStart(..) => self.sequence(span, depth),
            _ => Err(Unreadable { code: Code::MalformedYaml, span, reason: "a value is missing here".to_owned() }),
        }
    }

    fn mapping(&mut self, span: Span, depth: usize) -> Result<Node, Unreadable> {
        let mut entries = Vec::new();
        loop {
            let (event, at) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(Node { span: whole(span, at), value: Value::Mapping(entries) }),
                Event::Scalar(text, _, 0, None) => Key { text: text.into_owned(), span: self.trimmed(at) },
                _ => return Err(unsupported(at, "a key is not plain text")),
            };
            let (event, at) = self.next()?;
            let value = self.node(event, at, depth + 1)?;
            entries.push((key, value));
        }
    }

    fn sequence(&mut self, span: Span, depth: usize) -> Result<Node, Unreadable> {
        let mut items = Vec::new();
        loop {
            let (event, at) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Node { span: whole(span, at), value: Value::Sequence(items) });
            }
            items.push(self.node(event, at, depth + 1)?);
        }
    }

    /// A block scalar's span runs into the indentation of the next line, a quoted one's into the comment after it:
    /// neither is a part.
    fn trimmed(&self, span: Span) -> Span {
        let text = self.text.get(span.start..span.end).unwrap_or_default().trim_end();
        let length = quoted_length(text).unwrap_or(text.len());
        Span { start: span.start, end: span.start + length }
    }
}

/// How long the quoted scalar is that the text begins with, both quotes included.
fn quoted_length(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|first| ['\'', '"'].contains(first))?;
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character == '\\' && quote == '"' {
            characters.next();
        } else if character == quote {
            // Two single quotes are one that is quoted.
            if quote == '\'' && characters.next_if(|(_, next)| *next == quote).is_some() {
                continue;
            }
            return Some(at + 1);
        }
    }
    None
}

fn whole(start: Span, end: Span) -> Span {
    Span { start: start.start, end: end.start.max(start.start) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scalar(text: &str) -> Node {
        let Value::Mapping(mut entries) = read(&format!("k: {text}")).unwrap().unwrap().value else { panic!() };
        entries.remove(0).1
    }

    #[test]
    fn places_count_bytes_though_the_parser_counts_characters() {
        let text = "ä: ß\nb: >-\n  one\n  two\nc: d\n";
        let Value::Mapping(entries) = read(text).unwrap().unwrap().value else { panic!() };
        let spans: Vec<&str> = entries.iter().map(|(_, node)| &text[node.span.start..node.span.end]).collect();
        assert_eq!(spans, ["ß", "one\n  two", "d"]);
        assert_eq!(&text[entries[2].0.span.start..entries[2].0.span.end], "c");
    }

    #[test]
    fn a_quoted_value_ends_with_its_quote() {
        let text = "a: 'x' # c\nb: \"y\\\" z\" # d\nc: 'it''s'  \nd: 'ä' \n\"e\" : \"\" # f\nf: 'a\n  b' # g\n";
        let Value::Mapping(entries) = read(text).unwrap().unwrap().value else { panic!() };
        let spans: Vec<&str> = entries.iter().map(|(_, node)| &text[node.span.start..node.span.end]).collect();
        assert_eq!(spans, ["'x'", "\"y\\\" z\"", "'it''s'", "'ä'", "\"\"", "'a\n  b'"]);
        assert_eq!(&text[entries[4].0.span.start..entries[4].0.span.end], "\"e\"");
    }

    #[test]
    fn plain_scalars_are_read_as_yaml_reads_them() {
        for (text, kind) in [
            ("1.102", Plain::Number),
            ("1.102.5", Plain::Text),
            ("-3", Plain::Number),
            ("0x1f", Plain::Number),
            ("1e3", Plain::Number),
            ("true", Plain::Boolean),
            ("~", Plain::Nothing),
            ("", Plain::Nothing),
            ("'1.102'", Plain::Text),
            ("infinity", Plain::Text),
            ("yes", Plain::Text),
        ] {
            assert_eq!(scalar(text).plain(), Some(kind), "{text}");
        }
    }

    #[test]
    fn anchors_tags_documents_and_deep_nesting_are_rejected() {
        for text in ["a: &x 1", "a: *x", "a: !!str 1", "--- 1\n--- 2", "{a: 1}: 2", &"[".repeat(60)] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(read("# nothing\n"), Ok(None));
        let list = |values: usize| read(&format!("[{}]", "a,".repeat(values)));
        assert!(list(VALUES - 1).is_ok());
        assert_eq!(list(VALUES).unwrap_err().reason, "the text holds more than 60,000 values");
    }

    /// The tree as the independent reader's value, to compare with it.
    fn as_value(node: &Node) -> serde_yaml::Value {
        match &node.value {
            Value::Scalar { text, plain: true } => serde_yaml::from_str(text).unwrap(),
            Value::Scalar { text, .. } => text.clone().into(),
            Value::Sequence(items) => items.iter().map(as_value).collect::<Vec<_>>().into(),
            Value::Mapping(entries) => serde_yaml::Value::Mapping(
                entries.iter().map(|(key, node)| (key.text.clone().into(), as_value(node))).collect(),
            ),
        }
    }

    fn document() -> impl Strategy<Value = serde_yaml::Value> {
        let leaf = "[a-zäß#:'\"|>-][ a-z0-9äß#:'\"\\n-]{0,30}".prop_map(serde_yaml::Value::from);
        leaf.prop_recursive(3, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_yaml::Value::from),
                prop::collection::btree_map("[a-z][a-z0-9_]{0,8}", inner, 1..5).prop_map(|map| {
                    serde_yaml::Value::Mapping(map.into_iter().map(|(k, v)| (format!("k{k}").into(), v)).collect())
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_reads_what_an_independent_reader_reads(value in document()) {
            let text = serde_yaml::to_string(&value).unwrap();
            let node = read(&text).unwrap().unwrap();
            prop_assert_eq!(as_value(&node), value);
        }

        #[test]
        fn no_text_makes_it_panic_and_every_span_fits(text in "[ a-c:\\-\\[\\]{}#&*!|>'\"ä\\n\\t]{0,60}") {
            fn fits(node: &Node, text: &str) {
                assert!(text.get(node.span.start..node.span.end).is_some());
                match &node.value {
                    Value::Scalar { .. } => {}
                    Value::Sequence(items) => items.iter().for_each(|item| fits(item, text)),
                    Value::Mapping(entries) => for (key, value) in entries {
                        assert!(text.get(key.span.start..key.span.end).is_some());
                        fits(value, text);
                    },
                }
            }
            match read(&text) {
                Ok(Some(node)) => fits(&node, &text),
                Ok(None) => {}
                Err(error) => prop_assert!(text.get(error.span.start..error.span.end).is_some()),
            }
        }
    }
}
