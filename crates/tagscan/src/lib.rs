//! Build tags and build facts in recipes: shell scripts, Dockerfiles, Makefiles, workflows and data.
//!
//! Front ends turn a text into one intermediate representation. An interpreter runs that on abstract values, with fuel, and
//! recognizers for `go build`, upstream's `featuretags` and `build_dist.sh` yield the tag lists. Nothing is executed, and
//! nothing is guessed: a value that does not follow from the text is unknown.

mod data;
mod dockerfile;
mod filter;
mod interpreter;
mod ir;
mod makefile;
mod package;
mod regular;
mod shell;
mod value;
mod workflow;

use serde::{Deserialize, Serialize};
pub use spanned_yaml::Span;

/// The most lists of one scan.
const MOST_LISTS: usize = 64;

/// A text and its name; the name decides how it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A word of a text and its span.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Word {
    /// The word.
    pub text: String,
    /// Its span.
    pub span: Span,
}

impl Word {
    /// Creates a word.
    #[must_use]
    pub fn new(text: impl Into<String>, span: Span) -> Self {
        Self { text: text.into(), span }
    }
}

/// The program that a list builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// `tailscaled`, with or without the command line in it. A list that does not say what it builds is taken for it.
    #[default]
    Daemon,
    /// Only `tailscale`, the command line.
    CommandLine,
    /// Another program with Tailscale in it, for example by `tsnet`.
    Library,
}

/// A call of upstream's `cmd/featuretags`, with its arguments as Go's `flag` package takes them.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Featuretags {
    /// The span of the call.
    pub span: Span,
    /// The release that the call itself names: `featuretags@v1.100.0`.
    pub release: Option<String>,
    /// `--min`: leave out everything that is not added.
    pub min: bool,
    /// The names of `--add`: the text between its commas, blanks included.
    pub add: Vec<Word>,
    /// The names of `--remove`.
    pub remove: Vec<Word>,
    /// Whether a part of the arguments is unknown.
    pub has_unknown: bool,
    /// Arguments without effect: those after the first that is not a flag, and flags that are repeated later.
    pub ignored: Vec<Word>,
    /// A flag that the program does not have.
    pub refused: Option<Word>,
}

/// The programs of an upstream release that print tags.
pub trait Upstream {
    /// The tags that a call of `featuretags` prints, or `None` if the call fails.
    fn featuretags(&self, call: &Featuretags) -> Option<Vec<String>>;
    /// The features that `build_dist.sh --extra-small` adds to `--min`, or `None` if that is not known.
    fn extra_small(&self) -> Option<Vec<String>>;
}

/// A part of a list that does not follow from the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unknown {
    /// The reason, in a few words.
    pub reason: String,
    /// Its span.
    pub span: Span,
    /// Whether it is an allowlist, so that no omission in it is certain.
    pub is_allowlist: bool,
}

/// A fact of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// The operating system, as GOOS names it.
    Goos,
    /// The processor, as GOARCH names it.
    Goarch,
    /// The ARM version.
    Goarm,
    /// The floating point of MIPS.
    Gomips,
    /// The version of Go.
    Go,
    /// The version of UPX, which packs the program; empty if only that it does is known.
    Upx,
}

/// Something about a list that its reader should know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// If the program at the span fails, the build goes on without its tags.
    SilentFallback(Span),
    /// The environment may replace the value of a variable.
    Environment(Word),
    /// A `-tags` whose tags Go ignores, because a later one replaces it.
    Discarded(Span),
    /// `build_dist.sh` ends with an error; the reason.
    BuildDistFails(String, Span),
    /// An edit of a list that changes nothing: the tag that it looks for.
    IdleStrip(Word),
    /// An edit of a list that leaves text which is not a tag.
    Torn(Word),
    /// The text names several releases.
    Releases(Vec<Word>),
    /// The release may be another one: a part of its name is not known, or it depends on a condition.
    UncertainRelease(Span),
}

/// The version that is linked into the binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Stamp {
    /// The flags of the linker are not known, or the list is not a build.
    #[default]
    Unknown,
    /// The flags of the linker set none.
    None,
    /// The flags of the linker set one.
    Set,
}

/// A tag list, and what else is known of the build that uses it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct List {
    /// A description in a few words.
    pub what: String,
    /// The span of the command or data.
    pub place: Span,
    /// The program that it builds.
    pub program: Program,
    /// The tags in order, repeated ones included.
    pub tags: Vec<Word>,
    /// The unknown parts.
    pub unknown: Vec<Unknown>,
    /// The calls of `featuretags` that the list comes from.
    pub calls: Vec<Featuretags>,
    /// Whether a program that makes a part of it fails; then nothing is built.
    pub fails: bool,
    /// The release of Tailscale, if the text states one.
    pub release: Option<Word>,
    /// Facts of the build.
    pub facts: Vec<(Fact, Word)>,
    /// The version in the binary.
    pub stamp: Stamp,
    /// Notes.
    pub notes: Vec<Note>,
}

/// The result of a scan.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scan {
    /// The lists, in the order of the text.
    pub lists: Vec<List>,
    /// The names of the other files that it includes, runs or builds: their lists are among these.
    pub used: Vec<String>,
    /// The releases of Tailscale that variables of the file name, for lists of other files of its project.
    pub versions: Vec<Word>,
    /// Whether the text makes more work than is done for one, so that some of it was not read.
    pub stopped_early: bool,
    /// The work that was done, in bytes handled.
    pub work: usize,
}

/// Scans a file. `others` are the other files of its project, which it may include or run.
///
/// Spans are bytes of the file; those of an included file lie at the place that includes it.
#[must_use]
pub fn scan(file: &File, others: &[File], upstream: &dyn Upstream) -> Scan {
    let text = readable(&file.text);
    let mut interpreter = interpreter::Interpreter::new(&file.name, others, upstream);
    match kind(&file.name, &text) {
        Kind::Dockerfile => dockerfile::read(&text, &mut interpreter),
        Kind::Makefile => makefile::read(&text, &mut interpreter),
        Kind::Yaml => workflow::read(&text, &mut interpreter),
        Kind::Data => data::read(&text, &mut interpreter),
        Kind::Package => package::read(&text, &mut interpreter),
        Kind::Shell => interpreter.script(&text),
    }
    interpreter.finish()
}

/// The text with characters that mean holes to the interpreter replaced by others of the same length.
fn readable(text: &str) -> String {
    // A byte order mark is skipped by some parsers and counted by others.
    let text = text.strip_prefix('\u{FEFF}').map_or_else(|| text.to_owned(), |rest| format!("   {rest}"));
    text.chars().map(|character| if value::hole(character).is_some() { '\u{10FFFD}' } else { character }).collect()
}

/// The ways to read a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Shell,
    Dockerfile,
    Makefile,
    Yaml,
    Data,
    Package,
}

/// How a text is read: by its name, else by how it begins.
fn kind(name: &str, text: &str) -> Kind {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_lowercase();
    let extension = base.rsplit_once('.').map_or("", |(_, extension)| extension);
    match (base.as_str(), extension) {
        ("makefile" | "gnumakefile", _) | (_, "mk" | "mak") => Kind::Makefile,
        ("apkbuild" | "pkgbuild" | "template", _) | (_, "ebuild") => Kind::Shell,
        (_, "yml" | "yaml") => Kind::Yaml,
        (_, "json" | "nix" | "toml") => Kind::Data,
        (_, "bb" | "bbappend" | "inc" | "bbclass") => Kind::Package,
        (_, "sh" | "bash" | "ash" | "env" | "conf") => Kind::Shell,
        _ if base.starts_with("dockerfile") || base.starts_with("containerfile") || extension == "dockerfile" => {
            Kind::Dockerfile
        }
        _ if base.starts_with("makefile.") => Kind::Makefile,
        _ => by_content(text),
    }
}

fn by_content(text: &str) -> Kind {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or("");
    let word = first.split_whitespace().next().unwrap_or("");
    if text.starts_with("#!") {
        Kind::Shell
    } else if first.starts_with(['{', '[']) {
        Kind::Data
    } else if word.eq_ignore_ascii_case("FROM") || (word == "ARG" && first.contains('=')) {
        Kind::Dockerfile
    } else if text.contains("\n\t") && text.contains(":=") {
        Kind::Makefile
    } else {
        Kind::Shell
    }
}
