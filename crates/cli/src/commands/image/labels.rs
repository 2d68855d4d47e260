//! The labels of images, which are annotations of an index too.

use std::collections::{BTreeMap, BTreeSet};

use image::archive::BINARY_LABEL;

use crate::commands::build_tailscale::Manifest;

/// The title of an image.
pub(super) const TITLE: &str = "org.opencontainers.image.title";
/// The version of an image: the release.
pub(super) const VERSION: &str = "org.opencontainers.image.version";
/// The URL of the source.
pub(super) const SOURCE: &str = "org.opencontainers.image.source";
/// The licences of an image.
pub(super) const LICENCES: &str = "org.opencontainers.image.licenses";
/// The commit of the source.
pub(super) const REVISION: &str = "org.opencontainers.image.revision";

/// The source of Tailscale.
const TAILSCALE: &str = "https://github.com/tailscale/tailscale";

/// Returns the labels of the image.
pub(super) fn labels(manifest: &Manifest, licence: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut say = |name: &str, value: String| drop(labels.insert(name.to_owned(), value));
    say(TITLE, "Tailscale for RouterOS".to_owned());
    say(VERSION, manifest.release.to_string());
    say(SOURCE, TAILSCALE.to_owned());
    say(LICENCES, licence.to_owned());
    if let Some(commit) = &manifest.module.commit {
        say(REVISION, commit.clone());
    }
    say("tailscale-featureset.tags", manifest.tags.join(","));
    say("tailscale-featureset.go", manifest.go.to_string());
    say("tailscale-featureset.unpacked.sha256", manifest.unpacked.sha256.clone());
    if manifest.draft {
        say("tailscale-featureset.draft", "true".to_owned());
    }
    say(BINARY_LABEL, manifest.binary.sha256.clone());
    labels
}

/// Returns the licences of expressions such as `MIT AND BSD-3-Clause`, each once.
pub(super) fn licences<'a>(expressions: impl IntoIterator<Item = &'a str>) -> String {
    let licences: BTreeSet<&str> = expressions.into_iter().flat_map(|expression| expression.split(" AND ")).collect();
    licences.into_iter().collect::<Vec<_>>().join(" AND ")
}
