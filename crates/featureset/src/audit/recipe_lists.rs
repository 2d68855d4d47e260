//! The tag lists of a recipe, with findings from its notes.

use std::sync::Arc;

use diagnostics::{Code, Diagnostic, Label, Span};
use tagscan::{Fact, Note, Word};

use super::list::{List, TOO_LONG, Tags, incomplete};
use super::recipe::{Recipe, is_recent};
use crate::limits::{RELEASES, TAGS, TAGS_OF_TEXT};
use crate::release::{GoVersion, Release};
use crate::upstream_data::UpstreamData;

impl Recipe {
    /// The lists of the recipe, each on the release that is asked for, else on the one that it states, else on the newest.
    #[must_use]
    pub fn lists(self: &Arc<Self>, asked: Option<Release>, facts: &UpstreamData) -> Vec<List> {
        let Some(newest) = facts.registries().next_back() else { return Vec::new() };
        let registry = asked.and_then(|release| facts.registry(release)).unwrap_or(newest);
        let scan = self.scan(registry);
        let mut lists: Vec<List> = scan.lists.iter().map(|list| self.list(list, facts)).collect();
        // What is built may depend on the release that the text states.
        let mut stated: Vec<Release> = lists.iter().filter_map(|list| Some(list.release?.0)).collect();
        stated.sort_unstable();
        stated.dedup();
        let [release] = stated[..] else { return self.finished(lists, facts) };
        if let Some(registry) = facts.registry(release).filter(|_| asked.is_none()) {
            lists = self.scan(registry).lists.iter().map(|list| self.list(list, facts)).collect();
        }
        self.finished(lists, facts)
    }

    /// The lists with what is to be known of the scan as a whole.
    fn finished(&self, mut lists: Vec<List>, facts: &UpstreamData) -> Vec<List> {
        if let Some(why) = self.stopped(facts) {
            for list in &mut lists {
                list.findings.push(incomplete(why, list.place));
            }
        }
        self.bounded(lists)
    }

    /// The lists with as many tags as are judged of one text.
    fn bounded(&self, mut lists: Vec<List>) -> Vec<List> {
        let mut left = TAGS_OF_TEXT;
        for list in &mut lists {
            if let Tags::Recipe(_, tags) = &mut list.tags {
                let most = left.min(TAGS);
                list.is_cut = tags.tags.len() > most;
                tags.tags.truncate(most);
                left -= tags.tags.len();
            }
            if list.is_cut {
                list.findings.push(incomplete(TOO_LONG, list.place));
            }
        }
        lists
    }

    fn list(self: &Arc<Self>, list: &tagscan::List, facts: &UpstreamData) -> List {
        let one = |wanted: Fact| {
            let mut words = list.facts.iter().filter(|(fact, _)| *fact == wanted).map(|(_, word)| word);
            words.next().filter(|_| words.next().is_none())
        };
        let release = list.release.as_ref().and_then(|word| Some((word.text.parse().ok()?, word.span)));
        // Versions before 1.60, and words that are not versions, belong to something else.
        let release = release.filter(|(release, _)| facts.registry(*release).is_some() || is_recent(*release));
        let go: Option<GoVersion> = one(Fact::Go).and_then(|word| word.text.parse().ok());
        let goarch = one(Fact::Goarch).map(|word| word.text.clone()).filter(|text| !text.is_empty());
        let what = if list.what.is_empty() { "a list of tags" } else { &list.what };
        List {
            what: what.to_owned(),
            place: list.place,
            program: list.program,
            tags: Tags::Recipe(self.clone(), list.clone()),
            release,
            go,
            goarch,
            stamp: None,
            is_cut: false,
            findings: list.notes.iter().map(note).collect(),
        }
    }
}

/// The finding of a note.
fn note(note: &Note) -> Diagnostic {
    let found = |code: Code, message: String, span: Span, label: &str, next: &str| {
        Diagnostic::new(code, message, next).at(Label::new(span, label))
    };
    match note {
        Note::SilentFallback(span) => found(
            Code::SilentFallback,
            "where `featuretags` fails, the build goes on with no tags at all".to_owned(),
            *span,
            "its failure goes unnoticed",
            "Let the script end there: assign the list on a separate line under `set -e`, without `||` after it.",
        ),
        Note::Environment(word) => found(
            Code::EnvironmentDecides,
            format!("the environment's `{}` takes part, where there is one", word.text),
            word.span,
            "from outside",
            "Audit the line that it comes to, with `--tags`, where it is set.",
        ),
        Note::Discarded(span) => found(
            Code::DiscardedTags,
            "these tags are not used: a later `-tags` replaces them".to_owned(),
            *span,
            "not used",
            "Give one `-tags` with all tags. `build_dist.sh` takes more tags in TAGS, or `--box` for the command line.",
        ),
        Note::BuildDistFails(reason, span) => found(
            Code::BuildDistFails,
            format!("`build_dist.sh` fails: {reason}"),
            *span,
            "refused",
            "Give its options first, and everything that is to be omitted either in TAGS or by options.",
        ),
        Note::IdleStrip(word) => found(
            Code::IneffectiveStrip,
            format!("the edit of `{}` changes nothing: the list does not have what it looks for", word.text),
            word.span,
            "changes nothing",
            "Delete it, or see why the list does not have the tag there.",
        ),
        Note::Torn(word) => found(
            Code::TornTag,
            format!("an edit leaves `{}`, which is not a tag of Tailscale's", word.text),
            word.span,
            "also hits a longer tag",
            "Match the whole tag: with the comma before or after it, or with `grep -vx` on one tag a line.",
        ),
        Note::Releases(words) => several(words),
        Note::UncertainRelease(span) => found(
            Code::ReleaseAssumed,
            "the release that is fetched is not known".to_owned(),
            *span,
            "not known",
            "Name the release with `--release`.",
        ),
    }
}

fn several(words: &[Word]) -> Diagnostic {
    let mut named: Vec<(Release, Span)> =
        words.iter().filter_map(|word| Some((word.text.parse().ok()?, word.span))).collect();
    named.sort_by_key(|(release, span)| (*release, *span));
    named.dedup_by_key(|(release, _)| *release);
    let quoted: Vec<String> = named.iter().take(RELEASES).map(|(release, _)| release.to_string()).collect();
    let more = match named.len() - quoted.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!("the text names several releases: {}{more}", quoted.join(", "));
    let mut labels = named.iter().take(RELEASES).map(|(release, span)| Label::new(*span, format!("{release} here")));
    let place = labels.next().unwrap_or_else(|| Label::new(Span::default(), ""));
    let mut finding = Diagnostic::new(Code::ReleaseAssumed, message, "Say which with `--release`.").at(place);
    finding.related = labels.collect();
    finding
}
