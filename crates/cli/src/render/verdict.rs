//! The verdict on an image archive.

use std::collections::BTreeMap;

use diagnostics::Lines;
use image::lint::Verdict;
use serde_json::{Value, json};

use super::findings::found_in;
use super::found::Found;
use super::json;
use crate::format::Format;
use crate::output;

/// Shows a verdict: for people on stderr, for programs on stdout. `archive` is the file name as the user gave it.
pub fn verdict(archive: &str, verdict: &Verdict, format: Format) {
    match format {
        Format::Json => output::json(&verdict_document(archive, verdict)),
        Format::Human | Format::Github => {
            found_in(&[Found::about(archive, &verdict.findings)], format);
        }
    }
    if format == Format::Human {
        for (code, count) in &verdict.more {
            output::status(format_args!("and {count} more of {code}\n\n"));
        }
    }
}

/// Returns a verdict as one document.
#[must_use]
pub fn verdict_document(archive: &str, verdict: &Verdict) -> Value {
    let (lines, parts) = (Lines::new(""), verdict.parts.iter());
    json!({
        "schema": crate::output::SCHEMA,
        "archive": archive,
        "platform": verdict.platform,
        "layers": verdict.layers,
        "on_flash": verdict.on_flash(),
        "parts": parts
            .map(|part| json!({ "name": part.name, "bytes": part.bytes, "on_flash": part.disk }))
            .collect::<Vec<_>>(),
        "findings": verdict.findings.iter().map(|finding| json::finding_object(&lines, finding)).collect::<Vec<_>>(),
        "not_listed": verdict.more.iter().map(|(code, count)| (code.as_str(), count)).collect::<BTreeMap<_, _>>(),
    })
}
