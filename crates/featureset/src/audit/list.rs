//! How a tag line comes about, as a value: tags that are written down, calls of upstream's own programs, and what is
//! stripped from the whole afterwards.

mod featuretags;

use serde::Serialize;

pub use featuretags::Featuretags;

use crate::facts::Facts;
use crate::limits::{CALL, TAGS};
use crate::name::INCLUDE_CLI;
use crate::registry::Registry;
use crate::release::{GoVersion, Release};
use diagnostics::{Code, Diagnostic, Label, Span};

/// A word of a text and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Word {
    /// The word.
    pub text: String,
    /// Its place.
    pub span: Span,
}

impl Word {
    /// A word at a place.
    #[must_use]
    pub fn new(text: impl Into<String>, span: Span) -> Self {
        Self { text: text.into(), span }
    }
}

/// What a list of tags builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// `tailscaled`, alone or with the command line in it. What is not known is taken for it.
    #[default]
    Daemon,
    /// `tailscale` alone: the command line.
    CommandLine,
    /// Another program that has Tailscale inside (`tsnet`).
    Library,
}

/// A tag that is taken out of a line, as a text editor finds it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strip {
    /// The tag.
    pub word: Word,
    /// Whether it is found only behind a comma: not as the first.
    pub after_comma: bool,
    /// Whether it is found only before a comma: not as the last.
    pub before_comma: bool,
}

/// One part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Tags as they are written.
    Tags(Vec<Word>),
    /// What upstream's `cmd/featuretags` prints.
    Featuretags(Featuretags),
    /// What `build_dist.sh --extra-small` adds; the place is that of the flag.
    ExtraSmall(Span),
    /// What `build_dist.sh --min` adds.
    Min(Span),
    /// What `build_dist.sh --box` adds.
    Boxed(Span),
    /// Parts from which these tags are taken out afterwards, one after the other.
    Without(Vec<Part>, Vec<Strip>),
    /// Something that the text does not tell, in a few words.
    Unknown(String, Span),
    /// The rest of a list that is longer than what is judged, or that the analysis did not come to. Why.
    Cut(&'static str, Span),
}

/// A tag line and how it comes about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct List {
    /// What it is, in a few words.
    pub what: String,
    /// Its place.
    pub place: Span,
    /// What it builds.
    pub program: Program,
    /// Its parts, in order.
    pub parts: Vec<Part>,
    /// The release, where the text says it, and where.
    pub release: Option<(Release, Span)>,
    /// The toolchain, where it is known.
    pub go: Option<GoVersion>,
    /// The processor, as Go names it, where it is known.
    pub goarch: Option<String>,
    /// The version that the binary tells of itself, where it is known.
    pub stamp: Option<String>,
    /// What reading has to say of it.
    pub findings: Vec<Diagnostic>,
}

/// The tags that a list comes to on a release.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evaluated {
    /// The tags in order, repeated ones too.
    pub tags: Vec<Word>,
    /// What evaluating found.
    pub findings: Vec<Diagnostic>,
    /// Whether every part is known.
    pub complete: bool,
    /// Whether a program that makes a part of it fails.
    pub fails: bool,
}

impl List {
    /// The list that a text is as a whole: tags between commas and blanks, as `go build -tags` takes them.
    #[must_use]
    pub fn line(text: &str, what: &str) -> Self {
        // One more than is judged shows that there is more.
        let tags: Vec<Word> = words(text, 0).take(TAGS + 1).collect();
        // The first tag stands for the whole.
        let place = tags.first().map(|word| word.span).unwrap_or_default();
        let mut list = Self { what: what.to_owned(), place, parts: vec![Part::Tags(tags)], ..Self::default() };
        list.bound(TAGS);
        list
    }

    /// Leaves as many tags as are judged, and returns how many those are. What counts as a tag: see [`TAGS`].
    pub(crate) fn bound(&mut self, most: usize) -> usize {
        let (mut left, mut parts) = (most, Vec::new());
        for part in std::mem::take(&mut self.parts) {
            match (left.checked_sub(part.size()), part) {
                (Some(rest), part) => {
                    left = rest;
                    parts.push(part);
                    continue;
                }
                (None, Part::Tags(mut words)) => {
                    words.truncate(left);
                    parts.push(Part::Tags(words));
                }
                (None, _) => {}
            }
            left = 0;
            parts.push(Part::Cut(TOO_LONG, self.place));
            break;
        }
        self.parts = parts;
        most - left
    }

    /// The tags that it comes to on the release of a registry.
    #[must_use]
    pub fn evaluate(&self, registry: &Registry, facts: &Facts) -> Evaluated {
        let mut evaluated = Evaluated { complete: true, ..Evaluated::default() };
        for part in &self.parts {
            part.evaluate(registry, facts, &mut evaluated);
        }
        evaluated
    }
}

impl Part {
    /// How many tags it counts as: it has no more, or about as many.
    fn size(&self) -> usize {
        match self {
            Self::Tags(words) => words.len(),
            Self::Featuretags(call) => CALL + call.add.len() + call.remove.len() + call.unknown.len(),
            Self::ExtraSmall(_) | Self::Min(_) => CALL,
            Self::Without(parts, gone) => gone.len() + parts.iter().map(Self::size).sum::<usize>(),
            Self::Boxed(_) | Self::Unknown(..) | Self::Cut(..) => 1,
        }
    }

    fn evaluate(&self, registry: &Registry, facts: &Facts, into: &mut Evaluated) {
        match self {
            Self::Tags(words) => into.tags.extend(words.iter().cloned()),
            Self::Featuretags(call) => call.evaluate(registry, facts, into),
            Self::ExtraSmall(span) => match &registry.extra_small {
                Some(kept) => {
                    let add = kept.iter().map(|name| Word::new(name.as_str(), *span)).collect();
                    Featuretags { span: *span, min: true, add, ..Featuretags::default() }
                        .evaluate(registry, facts, into);
                }
                None => unresolved("what `--extra-small` keeps on this release was not read", *span, into),
            },
            Self::Min(span) => {
                Featuretags { span: *span, min: true, ..Featuretags::default() }.evaluate(registry, facts, into);
            }
            Self::Boxed(span) => into.tags.push(Word::new(INCLUDE_CLI, *span)),
            Self::Without(parts, gone) => {
                let mut inner = Evaluated { complete: into.complete, fails: into.fails, ..Evaluated::default() };
                parts.iter().for_each(|part| part.evaluate(registry, facts, &mut inner));
                into.findings.append(&mut inner.findings);
                for strip in gone {
                    let idle = strip.apply(&mut inner.tags).filter(|_| inner.complete && !inner.fails);
                    into.findings.extend(idle);
                }
                (into.complete, into.fails) = (inner.complete, inner.fails);
                into.tags.append(&mut inner.tags);
            }
            Self::Unknown(what, span) => unresolved(what, *span, into),
            Self::Cut(why, span) => {
                into.complete = false;
                into.findings.push(incomplete(why, *span));
            }
        }
    }
}

/// Why a list is cut that has too many tags.
const TOO_LONG: &str = "it has more tags than are judged";

/// The finding of an analysis that stopped early.
pub(crate) fn incomplete(why: &str, place: Span) -> Diagnostic {
    let next = "Print the tag line where it is built, and give it with `--tags`.".to_owned();
    let message = format!("the analysis stopped early: {why}");
    Diagnostic::new(Code::IncompleteAnalysis, message, next).at(Label::new(place, "not followed to its end"))
}

fn unresolved(what: &str, span: Span, into: &mut Evaluated) {
    into.complete = false;
    let next = "Audit the line that it comes to: print it where it is built, and give it with `--tags`.".to_owned();
    let message = format!("a part of the list can't be resolved: {what}");
    into.findings.push(Diagnostic::new(Code::UnresolvedList, message, next).at(Label::new(span, "not known")));
}

impl Strip {
    /// Takes the tag out; what to say where it is not found.
    fn apply(&self, tags: &mut Vec<Word>) -> Option<Diagnostic> {
        let text = &self.word.text;
        let last = tags.len().saturating_sub(1);
        let found = tags.iter().position(|tag| tag.text == *text);
        let reached = found.filter(|at| !((self.after_comma && *at == 0) || (self.before_comma && *at == last)));
        if let Some(at) = reached {
            tags.remove(at);
            return None;
        }
        let (message, next) = match found {
            None => (
                format!("`{text}` is stripped from a list that does not hold it"),
                "Delete it, or see why the list does not hold the tag.",
            ),
            Some(_) => (
                format!("`{text}` is not stripped: it stands at the end of the list, where the comma is missing"),
                "Strip it with and without the comma.",
            ),
        };
        Some(
            Diagnostic::new(Code::IneffectiveStrip, message, next.to_owned())
                .at(Label::new(self.word.span, "strips nothing")),
        )
    }
}

/// The tags of a text that begins at a place: what stands between commas and blanks. Empty ones don't count, as for Go.
///
/// Source: Go's `cmd/go/internal/work/build.go`, `tagsFlag`: commas, or blanks as before Go 1.13.
pub(crate) fn words(text: &str, at: usize) -> impl Iterator<Item = Word> {
    let mut start = None;
    text.char_indices().chain([(text.len(), ',')]).filter_map(move |(index, c)| {
        match (c == ',' || c.is_whitespace(), start) {
            (true, Some(begin)) => {
                start = None;
                Some(Word::new(&text[begin..index], Span { start: at + begin, end: at + index }))
            }
            (false, None) => {
                start = Some(index);
                None
            }
            _ => None,
        }
    })
}
