//! Audited input: a tag line, a text with lists of tags, or programs with their build information.

use std::path::Path;

use anyhow::Result;
use diagnostics::{Code, Diagnostic, Label};
use featureset::audit::{List, Program, Recipe};
use featureset::release::Release;
use featureset::upstream_data::UpstreamData;
use gobinary::tailscale::{Role, Source as Told};

use crate::artifact::{self, Binary};
use crate::cache::Cache;
use crate::{files, limits, progress};

/// A text and the lists in it.
pub struct Source {
    /// Its display name: the file as it was named, and the position in it.
    pub name: String,
    /// The file as it was named; `None` for a tag line.
    pub file: Option<String>,
    /// The text that places are in.
    pub text: String,
    /// Whether the file is that text; else it is the tag line that a program records.
    pub is_text: bool,
    /// The lists, in the order of the text.
    pub lists: Vec<List>,
}

/// The sources in a file.
pub struct Opened {
    /// The sources, at least one, each with at least one list.
    pub sources: Vec<Source>,
    /// The other things in the file: not Tailscale, or not judged.
    pub not_judged: Vec<Diagnostic>,
}

impl Source {
    /// Opens the older version of a list: a file, or a tag line.
    ///
    /// # Errors
    /// A [`Diagnostic`] if it can't be read, or has no list.
    pub fn older(text: &str, cache: &Cache, facts: &UpstreamData) -> Result<Opened> {
        let path = Path::new(text);
        let is_line = !path.exists() && (text.is_empty() || text.contains("ts_") || text.contains(','));
        if is_line { Ok(Self::of_line(text)) } else { Self::of_file(path, cache, None, facts) }
    }

    pub(super) fn of_line(tags: &str) -> Opened {
        let (name, lists) = ("the tag line".to_owned(), vec![List::line(tags, "the tags as given")]);
        let source = Self { name, file: None, text: tags.to_owned(), is_text: false, lists };
        Opened { sources: vec![source], not_judged: Vec::new() }
    }

    pub(super) fn of_file(
        path: &Path,
        cache: &Cache,
        release: Option<Release>,
        facts: &UpstreamData,
    ) -> Result<Opened> {
        let name = path.to_string_lossy().into_owned();
        if !artifact::is_text(path)? {
            let opened = artifact::open(path, cache)?;
            opened.others.iter().for_each(|other| progress::warn(&format!("{}: {}", other.message, other.why)));
            let sources = opened.binaries.iter().map(|binary| Self::of_binary(&name, binary)).collect();
            return Ok(Opened { sources, not_judged: opened.others });
        }
        // What is not UTF-8 in it can't be part of a tag.
        let text = String::from_utf8_lossy(&files::read_regular(path, limits::RECIPE)?).into_owned();
        let recipe = Recipe::new(&name, &text, Default::default());
        let lists = recipe.lists(release, facts);
        if let (true, Some(why)) = (lists.is_empty(), recipe.stopped(facts)) {
            let message = format!("{name} was not followed to its end");
            let next = "Print the tag line where it is built, and give it with `--tags`.";
            return Err(Diagnostic::failure(Code::IncompleteAnalysis, message, why, next).into());
        }
        if lists.is_empty() {
            return Err(nothing(&name));
        }
        let source = Self { file: Some(name.clone()), name, text, is_text: true, lists };
        Ok(Opened { sources: vec![source], not_judged: Vec::new() })
    }

    /// A program is judged by its build information.
    fn of_binary(file: &str, binary: &Binary) -> Self {
        let program = match binary.tailscale.role {
            Role::Daemon => Program::Daemon,
            Role::Command => Program::CommandLine,
            Role::Tool | Role::Library => Program::Library,
        };
        let unpacked = binary.unpacked_by.as_ref().map(|by| format!(", unpacked by {by}")).unwrap_or_default();
        let version = binary.tailscale.version.as_ref();
        // The module's version is the version that was built; a stamp only sets the version that the binary reports.
        let stamp = version.filter(|(_, told)| !matches!(told, Told::Module | Told::VersionFile));
        let mut list = List {
            program,
            goarch: binary.identity.goarch.map(str::to_owned),
            go: binary.info.go_version().parse().ok(),
            stamp: stamp.map(|(version, _)| version.clone()),
            ..List::line(binary.tags(), &format!("the tags of {}{unpacked}", binary.info.path))
        };
        list.release = version.and_then(|(version, _)| release(version)).map(|release| (release, list.place));
        list.findings.extend(binary.tailscale.replaced.then(|| replaced(&list)));
        Self {
            name: binary.place.clone(),
            file: Some(file.to_owned()),
            text: binary.tags().to_owned(),
            is_text: false,
            lists: vec![list],
        }
    }
}

fn replaced(list: &List) -> Diagnostic {
    let message = "another module or folder replaced Tailscale's".to_owned();
    let next = "Look at what it changes; `go version -m` names it.".to_owned();
    Diagnostic::new(Code::ReplacedModule, message, next).at(Label::new(list.place, "a fork, perhaps"))
}

/// The release that a version begins with: `1.98.5-t012345678` is one of 1.98.5.
fn release(version: &str) -> Option<Release> {
    version.split('-').next()?.parse().ok()
}

/// The problem of a text or project without a list.
pub(super) fn nothing(name: &str) -> anyhow::Error {
    let why = "no build tags of Tailscale's, and no call of `featuretags` or `build_dist.sh`, was recognised in it";
    let next = "Print the tag line where it is built, and give it with `--tags`.";
    Diagnostic::failure(Code::NothingToAudit, format!("{name} has no list of tags"), why, next).into()
}
