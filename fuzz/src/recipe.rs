//! Other people's build scripts: followed, audited and imported.

use featureset::audit::{Asked, Recipe, audit};
use featureset::import::{Settings, import};
use featureset::policy;
use featureset::upstream_data::UpstreamData;

use crate::text::findings_are_in;

pub(crate) fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let facts = UpstreamData::embedded();
    let name = file_name(&text);
    for list in Recipe::new(name, &text, Default::default()).lists(None, facts) {
        assert!(text.get(list.place.start..list.place.end).is_some(), "{:?} is not in the text", list.place);
        let Ok(audit) = audit(&list, &Asked::default(), facts) else { continue };
        findings_are_in(&text, &audit.findings);
        if let Some(import) = import(&audit, &Settings { source: name, ..Settings::default() }, facts, |_| Vec::new()) {
            let read = policy::read(&import.text);
            assert!(read.policy.is_some(), "the imported policy can't be read:\n{}", import.text);
        }
    }
}

/// A file name that fits the text, so that the input is nothing but the text.
fn file_name(text: &str) -> &'static str {
    let has_line = |start: &str| text.lines().any(|line| line.starts_with(start));
    if has_line("FROM ") {
        "Dockerfile"
    } else if has_line("\t") && has_line("include ") {
        "Makefile"
    } else if has_line("jobs:") || has_line("on:") {
        "release.yml"
    } else {
        "build"
    }
}
