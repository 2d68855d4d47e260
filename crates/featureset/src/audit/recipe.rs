//! Recipes: texts that `tagscan` reads, with the programs of a release at hand.

#[cfg(test)]
mod field;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tagscan::{Fact, Featuretags, File, Note, Scan, Upstream};

use super::list::{TOO_LONG, Tags, featuretags, incomplete};
use super::{List, Word};
use crate::limits::{RELEASES, TAGS, TAGS_OF_TEXT};
use crate::registry::Registry;
use crate::release::{GoVersion, Release, ReleaseLine};
use crate::upstream_data::UpstreamData;
use diagnostics::{Code, Diagnostic, Label, Span};

/// A recipe, and its lists by release line: what `featuretags` prints depends on that.
#[derive(Debug)]
pub struct Recipe {
    file: File,
    others: Arc<[File]>,
    scans: Mutex<BTreeMap<ReleaseLine, Arc<Scan>>>,
}

/// The programs of a release, by its registry.
struct Programs<'a> {
    registry: &'a Registry,
}

impl Upstream for Programs<'_> {
    fn featuretags(&self, call: &Featuretags) -> Option<Vec<String>> {
        featuretags::tags(call, self.registry)
    }

    fn extra_small(&self) -> Option<Vec<String>> {
        self.registry.extra_small.as_ref().map(|names| names.iter().map(ToString::to_string).collect())
    }
}

impl Recipe {
    /// Creates a recipe of a text. The name of the file decides how it is read; `others` are the files of its project, which
    /// it may include, run or build.
    #[must_use]
    pub fn new(name: &str, text: &str, others: Arc<[File]>) -> Arc<Self> {
        let file = File { name: name.to_owned(), text: text.to_owned() };
        Arc::new(Self { file, others, scans: Mutex::default() })
    }

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

    /// The reason why the text was not read to its end, if it was not: there may be more lists. Each list has a finding too.
    #[must_use]
    pub fn stopped(&self, facts: &UpstreamData) -> Option<&'static str> {
        let scan = facts.registries().next_back().map(|registry| self.scan(registry))?;
        scan.stopped_early.then_some("it makes more work than is done for one text")
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

    /// The names of the other files of the project that it includes, runs or builds: their lists are among its own.
    #[must_use]
    pub fn used(&self, facts: &UpstreamData) -> Vec<String> {
        facts.registries().next_back().map_or_else(Vec::new, |registry| self.scan(registry).used.clone())
    }

    /// The releases that variables of the file name.
    #[must_use]
    pub fn versions(&self, facts: &UpstreamData) -> Vec<Release> {
        let scan = facts.registries().next_back().map(|registry| self.scan(registry));
        let words = scan.iter().flat_map(|scan| &scan.versions);
        words.filter_map(|word| word.text.parse().ok()).filter(|release| is_recent(*release)).collect()
    }

    /// The work of reading it, in bytes handled.
    #[must_use]
    pub fn work(&self, facts: &UpstreamData) -> usize {
        facts.registries().next_back().map_or(0, |registry| self.scan(registry).work)
    }

    fn scan(&self, registry: &Registry) -> Arc<Scan> {
        let known = |scans: &BTreeMap<ReleaseLine, Arc<Scan>>| scans.get(&registry.line).cloned();
        if let Some(scan) = self.scans.lock().ok().and_then(|scans| known(&scans)) {
            return scan;
        }
        let scan = Arc::new(tagscan::scan(&self.file, &self.others, &Programs { registry }));
        if let Ok(mut scans) = self.scans.lock() {
            scans.insert(registry.line, scan.clone());
        }
        scan
    }

    /// The same list on another release.
    pub(super) fn list_on(&self, list: &tagscan::List, registry: &Registry) -> Option<tagscan::List> {
        let known = self.scans.lock().ok().map(|scans| scans.clone()).unwrap_or_default();
        let is_same = |other: &&tagscan::List| other.place == list.place && other.program == list.program;
        // Of several lists at one place, the same in order.
        let index = known.values().find_map(|scan| {
            let mut here = scan.lists.iter().filter(is_same);
            here.position(|other| other == list)
        });
        self.scan(registry).lists.iter().filter(is_same).nth(index?).cloned()
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

/// Whether a release is one that could be built: those before declare no features.
fn is_recent(release: Release) -> bool {
    "1.60.0".parse().is_ok_and(|first: Release| first <= release)
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
