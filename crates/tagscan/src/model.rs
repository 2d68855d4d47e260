//! The input and the result of a scan.

use serde::{Deserialize, Serialize};
use spanned_yaml::Span;

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
