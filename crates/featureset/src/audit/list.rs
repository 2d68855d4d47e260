//! A tag list: tags that are written down, or those of a recipe, which depend on the release.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tagscan::{Fact, Program, Stamp, Unknown, Word};

use super::featuretags;
use super::recipe::Recipe;
use crate::limits::TAGS;
use crate::name::FeatureName;
use crate::registry::Registry;
use crate::release::{GoVersion, Release};
use crate::upstream_data::UpstreamData;
use diagnostics::{Code, Diagnostic, Label, Span};

/// A tag list, and what is known of the build that uses it.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// A short name of the list.
    pub what: String,
    /// Its place.
    pub place: Span,
    /// The program that it builds.
    pub program: Program,
    /// The tags, or the recipe that they come from.
    pub tags: Tags,
    /// The release, where the text says it, and where.
    pub release: Option<(Release, Span)>,
    /// The toolchain, where it is known.
    pub go: Option<GoVersion>,
    /// The processor, as Go names it, where it is known.
    pub goarch: Option<String>,
    /// The version that the binary reports, if known.
    pub stamp: Option<String>,
    /// The findings of reading it.
    pub findings: Vec<Diagnostic>,
    /// Whether it has more tags than are judged, or was not read to its end.
    pub is_cut: bool,
}

/// The origin of tags.
#[derive(Debug, Clone)]
pub enum Tags {
    /// They are written down.
    Written(Vec<Word>),
    /// They are those of a list of a recipe, which may be others on another release.
    Recipe(Arc<Recipe>, tagscan::List),
}

impl Default for Tags {
    fn default() -> Self {
        Self::Written(Vec::new())
    }
}

/// The tags of a list on a release.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evaluated {
    /// The tags in order, repeated ones included.
    pub tags: Vec<Word>,
    /// The findings of the evaluation.
    pub findings: Vec<Diagnostic>,
    /// Whether every part is known.
    pub complete: bool,
    /// Whether a part that is not known is an allowlist, so that no omission in it is certain.
    pub has_open_allowlist: bool,
    /// The features that an allowlist names, with their dependencies: they are in, even if it names more.
    pub keeps: BTreeSet<FeatureName>,
    /// Whether a program that makes a part of it fails.
    pub fails: bool,
}

impl List {
    /// The list that a text is: tags between commas and blanks, as `go build -tags` takes them.
    ///
    /// Source: Go's `cmd/go/internal/work/build.go`, `tagsFlag`: commas, or blanks as before Go 1.13.
    #[must_use]
    pub fn line(text: &str, what: &str) -> Self {
        // One more than is judged shows that there is more.
        let mut tags: Vec<Word> = split_words(text).take(TAGS + 1).collect();
        // The first tag stands for the whole.
        let place = tags.first().map(|word| word.span).unwrap_or_default();
        let is_cut = tags.len() > TAGS;
        tags.truncate(TAGS);
        let findings = is_cut.then(|| incomplete(TOO_LONG, place)).into_iter().collect();
        Self { what: what.to_owned(), place, tags: Tags::Written(tags), is_cut, findings, ..Self::default() }
    }

    /// The tags on the release of a registry.
    #[must_use]
    pub fn evaluate(&self, registry: &Registry, facts: &UpstreamData) -> Evaluated {
        let mut evaluated = match &self.tags {
            Tags::Written(words) => Evaluated { tags: words.clone(), complete: true, ..Evaluated::default() },
            Tags::Recipe(recipe, list) => {
                let on_release = recipe.list_on(list, registry);
                evaluated(on_release.as_ref().unwrap_or(list), registry, facts)
            }
        };
        evaluated.complete &= !self.is_cut;
        evaluated
    }

    /// The facts of a kind that the text states.
    pub(super) fn facts(&self, wanted: Fact) -> impl Iterator<Item = &Word> {
        let facts = match &self.tags {
            Tags::Recipe(_, list) => list.facts.as_slice(),
            Tags::Written(_) => &[],
        };
        facts.iter().filter(move |(fact, _)| *fact == wanted).map(|(_, word)| word)
    }

    /// All facts that the text states, by name.
    pub(super) fn stated_facts(&self) -> BTreeMap<&'static str, BTreeSet<String>> {
        let names = [
            (Fact::Goos, "GOOS"),
            (Fact::Goarch, "GOARCH"),
            (Fact::Goarm, "GOARM"),
            (Fact::Gomips, "GOMIPS"),
            (Fact::Go, "go"),
            (Fact::Upx, "upx"),
        ];
        let values = |fact| self.facts(fact).map(|word| word.text.clone()).filter(|text| !text.is_empty()).collect();
        let all = names.into_iter().map(|(fact, name)| (name, values(fact)));
        all.filter(|(name, values): &(&str, BTreeSet<String>)| {
            !values.is_empty() && (*name != "go" || self.go.is_none())
        })
        .collect()
    }

    /// Whether the text packs the program by UPX.
    pub(super) fn is_packed(&self) -> bool {
        self.facts(Fact::Upx).next().is_some()
    }

    /// Whether the binary has no version, by the flags of its linker.
    pub(super) fn lacks_stamp(&self) -> bool {
        matches!(&self.tags, Tags::Recipe(_, list) if list.stamp == Stamp::None)
    }
}

impl Evaluated {
    /// Features that the tags keep and omit; both are unknown without a tag line.
    pub(super) fn features(&self, registry: &Registry) -> (BTreeSet<FeatureName>, BTreeSet<FeatureName>) {
        if self.fails {
            return Default::default();
        }
        if self.has_open_allowlist {
            // What is not named may be in or out.
            let omits =
                |name: &&FeatureName| name.is_omittable() && self.tags.iter().any(|word| word.text == name.build_tag());
            return (self.keeps.clone(), registry.features.keys().filter(omits).cloned().collect());
        }
        let tags: BTreeSet<&str> = self.tags.iter().map(|word| word.text.as_str()).collect();
        // The tag of `cli` brings it in, every other leaves its feature out.
        registry
            .features
            .keys()
            .cloned()
            .partition(|name| tags.contains(name.build_tag().as_str()) != name.is_omittable())
    }
}

/// The result of a list of a recipe on the release that it was read for.
fn evaluated(list: &tagscan::List, registry: &Registry, facts: &UpstreamData) -> Evaluated {
    let mut findings: Vec<Diagnostic> = list.unknown.iter().map(unresolved).collect();
    for call in &list.calls {
        featuretags::findings(call, registry, facts, &mut findings);
    }
    Evaluated {
        tags: list.tags.clone(),
        findings,
        complete: list.unknown.is_empty(),
        has_open_allowlist: list.unknown.iter().any(|unknown| unknown.is_allowlist),
        keeps: list.calls.iter().flat_map(|call| featuretags::kept(call, registry)).collect(),
        fails: list.fails,
    }
}

fn unresolved(unknown: &Unknown) -> Diagnostic {
    let next = "Audit the line that it comes to: print it where it is built, and give it with `--tags`.".to_owned();
    let message = match unknown.is_allowlist {
        true => format!("the kept features are not known: {}", unknown.reason),
        false => format!("a part of the list can't be resolved: {}", unknown.reason),
    };
    Diagnostic::new(Code::UnresolvedList, message, next).at(Label::new(unknown.span, "not known"))
}

/// The reason why a list is cut that has too many tags.
pub(super) const TOO_LONG: &str = "it has more tags than are judged";

/// The finding of an analysis that stopped early.
pub(crate) fn incomplete(why: &str, place: Span) -> Diagnostic {
    let next = "Print the tag line where it is built, and give it with `--tags`.".to_owned();
    let message = format!("the analysis stopped early: {why}");
    Diagnostic::new(Code::IncompleteAnalysis, message, next).at(Label::new(place, "not followed to its end"))
}

/// The tags of a text. Empty ones do not count, as for Go.
fn split_words(text: &str) -> impl Iterator<Item = Word> {
    let mut start = None;
    text.char_indices().chain([(text.len(), ',')]).filter_map(move |(index, c)| {
        match (c == ',' || c.is_whitespace(), start) {
            (true, Some(begin)) => {
                start = None;
                Some(Word::new(&text[begin..index], Span { start: begin, end: index }))
            }
            (false, None) => {
                start = Some(index);
                None
            }
            _ => None,
        }
    })
}
