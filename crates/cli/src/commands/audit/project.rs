//! Several files, or a folder, as one project: files may include, run and build one another, and the release that one of them
//! names is that of the others.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use diagnostics::{Code, Diagnostic};
use featureset::audit::{File, Recipe};
use featureset::release::Release;
use featureset::upstream_data::UpstreamData;

use super::source::{Opened, Source, nothing};
use crate::artifact;
use crate::cache::Cache;
use crate::files;

/// The most files that are looked at.
const MOST_FILES: usize = 4000;

/// The longest file that is read, and the most text of all files together, in bytes.
const LONGEST: u64 = 256 << 10;
const MOST_TEXT: usize = 16 << 20;

/// Folders that hold no recipes of the project.
const SKIPPED: [&str; 6] = [".git", "node_modules", "target", "vendor", "testdata", "third_party"];

/// Ends of names of files that are documentation or code, and no recipes.
const OTHERS: [&str; 13] =
    [".md", ".go", ".rs", ".txt", ".patch", ".lock", ".snap", ".sum", ".svg", ".html", ".css", ".ts", ".c"];

/// Words without which no file has a list.
const MARKS: [&str; 5] = ["ts_omit_", "ts_include_cli", "featuretags", "build_dist.sh", "cmd/tailscale"];

/// The most files between a list and the file that builds it.
const MOST_STEPS: usize = 4;

/// Kinds of files, by a part of their names, and the commands that build one without naming it.
const BUILT_BY: [(&str, &[&str]); 2] = [
    ("Dockerfile", &["docker build", "buildx build", "build-push-action", "podman build", "buildah build"]),
    ("akefile", &["make "]),
];

/// Opens files and folders as one project.
///
/// # Errors
/// A [`Diagnostic`] if one can't be read, or if none has a list.
pub(super) fn open(paths: &[PathBuf], cache: &Cache, release: Option<Release>, facts: &UpstreamData) -> Result<Opened> {
    let mut found = Vec::new();
    let (mut sources, mut not_judged) = (Vec::new(), Vec::new());
    for path in paths {
        if path.is_dir() {
            walk(path, path, &mut found)?;
        } else if artifact::is_text(path)? {
            found.push((path.to_string_lossy().into_owned(), path.clone()));
        } else {
            let opened = Source::of_file(path, cache, release, facts)?;
            sources.extend(opened.sources);
            not_judged.extend(opened.not_judged);
        }
    }
    found.sort();
    let project = texts(&found, paths.len() == 1)?;
    let read: Vec<(&PathBuf, &File, Arc<Recipe>)> = found
        .iter()
        .zip(project.iter())
        .filter(|(_, file)| !file.text.is_empty())
        .map(|((_, path), file)| (path, file, Recipe::new(&file.name, &file.text, project.clone())))
        .collect();
    let marked = marked(&read.iter().map(|(_, file, _)| *file).collect::<Vec<_>>());
    let found = read.iter().filter(|(_, file, _)| marked.contains(file.name.as_str()));
    let found = found.map(|(path, file, recipe)| (path, file, recipe, recipe.lists(release, facts)));
    let found: Vec<_> = found.filter(|(.., lists)| !lists.is_empty()).collect();
    let used: BTreeSet<String> = found.iter().flat_map(|(_, _, recipe, _)| recipe.used(facts)).collect();
    for (path, file, _, lists) in found {
        // A file that another includes is read there, with what that sets.
        if used.contains(&file.name) {
            continue;
        }
        let name = path.to_string_lossy().into_owned();
        sources.push(Source { file: Some(name.clone()), name, text: file.text.clone(), is_text: true, lists });
    }
    if sources.is_empty() {
        return Err(nothing(&paths.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>().join(", ")));
    }
    join_releases(&mut sources, &read, facts);
    Ok(Opened { sources, not_judged })
}

/// Returns the names of the files that may have a list: those with a mark, and those that name one of these, such as a
/// workflow that builds a Dockerfile.
fn marked<'a>(files: &[&'a File]) -> BTreeSet<&'a str> {
    let is_marked = |file: &&&File| MARKS.iter().any(|mark| file.text.contains(mark));
    let mut marked: BTreeSet<&str> = files.iter().filter(is_marked).map(|file| file.name.as_str()).collect();
    let mut new: Vec<&str> = marked.iter().copied().collect();
    for _ in 0..MOST_STEPS {
        let mut words: BTreeSet<&str> = new.iter().map(|name| name.rsplit('/').next().unwrap_or(name)).collect();
        for (end, commands) in BUILT_BY {
            if words.iter().any(|name| name.contains(end)) {
                words.extend(commands);
            }
        }
        let names =
            |file: &&&File| !marked.contains(file.name.as_str()) && words.iter().any(|word| file.text.contains(word));
        new = files.iter().filter(names).map(|file| file.name.as_str()).collect();
        if new.is_empty() {
            break;
        }
        marked.extend(&new);
    }
    marked
}

/// Sets the release of lists that state none, if the other files of the project state exactly one.
fn join_releases(sources: &mut [Source], read: &[(&PathBuf, &File, Arc<Recipe>)], facts: &UpstreamData) {
    let lists = sources.iter().flat_map(|source| &source.lists);
    let mut stated: BTreeSet<Release> = lists.filter_map(|list| Some(list.release?.0)).collect();
    if stated.is_empty() {
        let short = read.iter().filter(|(_, file, _)| file.text.to_ascii_lowercase().contains("tailscale"));
        stated = short.flat_map(|(.., recipe)| recipe.versions(facts)).collect();
    }
    let [release] = stated.into_iter().collect::<Vec<_>>()[..] else { return };
    for list in sources.iter_mut().flat_map(|source| &mut source.lists) {
        let place = list.place;
        list.release.get_or_insert((release, place));
    }
}

/// The files below a folder that may be recipes, by their paths from the root.
fn walk(root: &Path, folder: &Path, found: &mut Vec<(String, PathBuf)>) -> Result<()> {
    let unreadable = |error: std::io::Error| {
        let message = format!("can't read {}", folder.display());
        Diagnostic::failure(Code::FileError, message, error.to_string(), "Name a folder, or the files in it.")
    };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let kind = entry.file_type().map_err(unreadable)?;
        if found.len() >= MOST_FILES {
            let message = format!("{} has more than {MOST_FILES} files", root.display());
            let next = "Name a smaller folder, or the files.";
            return Err(
                Diagnostic::failure(Code::InputTooLarge, message, "no project of recipes is that large", next).into()
            );
        }
        if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
            walk(root, &path, found)?;
        } else if kind.is_file() && !OTHERS.iter().any(|end| name.ends_with(end)) {
            let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            found.push((relative, path));
        }
    }
    Ok(())
}

/// Reads files; the text is empty if a file is binary, or too long to be a recipe.
fn texts(found: &[(String, PathBuf)], is_folder: bool) -> Result<Arc<[File]>> {
    let mut total = 0;
    let mut project = Vec::new();
    for (name, path) in found {
        let length = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let fits = length <= LONGEST && total < MOST_TEXT;
        if !fits && !is_folder {
            let message = format!("{} is a text of more than 256 kB", path.display());
            let next = "Give the tag line that it comes to with `--tags`.";
            return Err(Diagnostic::failure(Code::InputTooLarge, message, "no recipe is that long", next).into());
        }
        let bytes = if fits { files::read_bytes(path).unwrap_or_default() } else { Vec::new() };
        let is_text = !bytes.iter().take(8192).any(|byte| *byte == 0);
        let text = if is_text { String::from_utf8_lossy(&bytes).into_owned() } else { String::new() };
        total += text.len();
        project.push(File { name: name.clone(), text });
    }
    Ok(project.into())
}
