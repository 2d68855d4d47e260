//! `image --index`: the images of all targets as one OCI layout, written whole or not at all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use featureset::policy::format_size;
use image::index::{self, Entry};
use image::platform::Platform;

use super::labels::{LICENCES, REVISION, SOURCE, TITLE, VERSION, licences};
use crate::{files, progress};
use diagnostics::{Code, Diagnostic};

/// The labels that the index has if every image has the same value.
const COMMON: [&str; 4] = [REVISION, SOURCE, TITLE, VERSION];

/// The file that makes a folder a layout.
const MARK: &str = "oci-layout";

/// A written layout.
pub(crate) struct Written {
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// The name of the index in it.
    pub(crate) name: String,
    /// The digest of the index.
    pub(crate) digest: String,
    /// The names of the lists of components.
    pub(crate) lists: Vec<String>,
}

/// Checks that the index can hold these targets and that the folder can be replaced.
///
/// # Errors
/// A [`Diagnostic`] for two targets of one platform, and for a folder with other files.
pub(crate) fn check(folder: &Path, targets: &[(&str, Platform)]) -> Result<()> {
    for (index, (target, platform)) in targets.iter().enumerate() {
        if let Some((other, _)) = targets[..index].iter().find(|(_, other)| other == platform) {
            let message = format!("`{other}` and `{target}` are both for {platform}");
            let why = "an index has one image for each platform, and a router would get either";
            let next = "Name one of them, and the targets for other platforms, with `--target`.";
            return Err(Diagnostic::failure(Code::SeveralTargets, message, why, next).into());
        }
    }
    let is_empty = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    if folder.exists() && !is_empty && !folder.join(MARK).is_file() {
        let message = format!("{} is not an OCI layout", folder.display());
        let why = "the whole folder would be replaced, and it has other files";
        let next = "Name a new folder, or the one of an earlier index.";
        return Err(Diagnostic::failure(Code::NotGenerated, message, why, next).into());
    }
    Ok(())
}

/// Writes the layout, in the place of an earlier one.
///
/// # Errors
/// A [`Diagnostic`] if the folder can't be written.
pub(crate) fn write(folder: &Path, entries: &[Entry]) -> Result<Written> {
    let step = progress::step("Indexing", format!("{} images", entries.len()));
    let annotations = annotations(entries);
    let name = annotations.get(VERSION).cloned().unwrap_or_else(|| "latest".to_owned());
    let layout = index::write(entries, &name, &annotations)?;
    files::write_folder(folder, &layout.files)?;
    let bytes: usize = layout.files.values().map(Vec::len).sum();
    step.done("Indexed", &format!("{} in {}", format_size(bytes as u64), folder.display()));
    Ok(Written { folder: folder.to_owned(), name, digest: layout.digest, lists: layout.lists })
}

/// Returns the labels that are equal in every image, and the licences of all of them.
fn annotations(entries: &[Entry]) -> BTreeMap<String, String> {
    let Some((first, rest)) = entries.split_first() else { return BTreeMap::new() };
    let is_common = |name: &str, value: &String| {
        COMMON.contains(&name) && rest.iter().all(|entry| entry.image.labels.get(name) == Some(value))
    };
    let common = first.image.labels.iter().filter(|(name, value)| is_common(name, value));
    let mut annotations: BTreeMap<String, String> = common.map(|(name, value)| (name.clone(), value.clone())).collect();
    let of_images = entries.iter().filter_map(|entry| entry.image.labels.get(LICENCES));
    annotations.insert(LICENCES.to_owned(), licences(of_images.map(String::as_str)));
    annotations
}
