//! When a hazard applies: decisions and facts, joined by all, any and not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::FeatureName;
use crate::platform::Platform;
use crate::policy::parse_size;
use crate::release::{GoVersion, Release, UpxVersion};
use tagscan::Program;

/// The fact that lists the flags and environment variables of the start command.
pub(crate) const START: &str = "start";

/// The fact that states the memory of the device.
const MEMORY: &str = "memory";

/// Returns the answer that depends on one fact.
fn depends(fact: &str) -> Answer {
    Answer::Depends(BTreeSet::from([fact.to_owned()]))
}

/// Returns whether a word of the start command is a setting: the same flag, or text that begins with a part of a value.
fn is_set(word: &str, setting: &str) -> bool {
    let rest = word.strip_prefix(setting);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('=') || setting.ends_with(['=', ':']))
}

/// A condition on decisions, the device and the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Raw", into = "Raw")]
pub enum Condition {
    /// Every one of them holds.
    All(Vec<Condition>),
    /// At least one of them holds.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// One decision or fact.
    Atom(Atom),
}

/// One decision or fact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Atom {
    /// The feature is in the binary.
    Keep(FeatureName),
    /// The release has the feature, and it is left out.
    Omit(FeatureName),
    /// A fact about the device has a value.
    Device(String, String),
    /// The command that starts the daemon has this flag or environment variable, with this value if it ends in `=` or `:`.
    Start(String),
    /// The device has less memory than this size.
    MemoryBelow(String),
    /// A version of Go in this range builds it.
    Go(Versions<GoVersion>),
    /// A version of UPX in this range packs it.
    Upx(Versions<UpxVersion>),
    /// The platform has this name.
    Platform(String),
    /// The program is this one.
    Program(Program),
    /// The operating system, as Go names it.
    Os(String),
    /// The processor is one of these, as Go names them.
    Goarch(Vec<String>),
}

/// Versions from one to another, both included; open at an end that is not stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versions<T> {
    /// The first version.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub from: Option<T>,
    /// The last version.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub to: Option<T>,
}

impl<T: PartialOrd + Copy> Versions<T> {
    fn has(&self, version: T) -> bool {
        self.from.is_none_or(|from| version >= from) && self.to.is_none_or(|to| version <= to)
    }
}

impl<T: fmt::Display> fmt::Display for Versions<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => write!(f, "{from} to {to}"),
            (Some(from), None) => write!(f, "{from} or later"),
            (None, Some(to)) => write!(f, "up to {to}"),
            (None, None) => f.write_str("any version"),
        }
    }
}

/// A condition as a file has it: a mapping with exactly one of these keys.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<Vec<Condition>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    any: Option<Vec<Condition>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not: Option<Box<Condition>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep: Option<FeatureName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    omit: Option<FeatureName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_below: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    go: Option<Versions<GoVersion>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upx: Option<Versions<UpxVersion>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<Program>,
    #[serde(skip_serializing_if = "Option::is_none")]
    os: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    goarch: Option<Vec<String>>,
}

impl TryFrom<Raw> for Condition {
    type Error = &'static str;

    fn try_from(raw: Raw) -> Result<Self, Self::Error> {
        let device = match raw.device.map(|facts| facts.into_iter().collect::<Vec<_>>()) {
            Some(facts) => match <[_; 1]>::try_from(facts) {
                Ok([(fact, value)]) => Some(Self::Atom(Atom::Device(fact, value))),
                Err(_) => return Err("`device` takes one fact; join several with `all`"),
            },
            None => None,
        };
        let stated = [
            raw.all.map(Self::All),
            raw.any.map(Self::Any),
            raw.not.map(Self::Not),
            raw.keep.map(|name| Self::Atom(Atom::Keep(name))),
            raw.omit.map(|name| Self::Atom(Atom::Omit(name))),
            device,
            raw.start.map(|setting| Self::Atom(Atom::Start(setting))),
            raw.memory_below.map(|size| Self::Atom(Atom::MemoryBelow(size))),
            raw.go.map(|versions| Self::Atom(Atom::Go(versions))),
            raw.upx.map(|versions| Self::Atom(Atom::Upx(versions))),
            raw.platform.map(|name| Self::Atom(Atom::Platform(name))),
            raw.program.map(|program| Self::Atom(Atom::Program(program))),
            raw.os.map(|os| Self::Atom(Atom::Os(os))),
            raw.goarch.map(|names| Self::Atom(Atom::Goarch(names))),
        ];
        let stated: Vec<Self> = stated.into_iter().flatten().collect();
        <[Self; 1]>::try_from(stated).map(|[condition]| condition).map_err(|_| "a condition has exactly one key")
    }
}

impl From<Condition> for Raw {
    fn from(condition: Condition) -> Self {
        let raw = Self::default();
        match condition {
            Condition::All(parts) => Self { all: Some(parts), ..raw },
            Condition::Any(parts) => Self { any: Some(parts), ..raw },
            Condition::Not(part) => Self { not: Some(part), ..raw },
            Condition::Atom(Atom::Keep(name)) => Self { keep: Some(name), ..raw },
            Condition::Atom(Atom::Omit(name)) => Self { omit: Some(name), ..raw },
            Condition::Atom(Atom::Device(fact, value)) => Self { device: Some(BTreeMap::from([(fact, value)])), ..raw },
            Condition::Atom(Atom::Start(setting)) => Self { start: Some(setting), ..raw },
            Condition::Atom(Atom::MemoryBelow(size)) => Self { memory_below: Some(size), ..raw },
            Condition::Atom(Atom::Go(versions)) => Self { go: Some(versions), ..raw },
            Condition::Atom(Atom::Upx(versions)) => Self { upx: Some(versions), ..raw },
            Condition::Atom(Atom::Platform(name)) => Self { platform: Some(name), ..raw },
            Condition::Atom(Atom::Program(program)) => Self { program: Some(program), ..raw },
            Condition::Atom(Atom::Os(os)) => Self { os: Some(os), ..raw },
            Condition::Atom(Atom::Goarch(names)) => Self { goarch: Some(names), ..raw },
        }
    }
}

/// The circumstances that a condition is evaluated against.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// The release.
    pub release: Release,
    /// What is in the binary.
    pub kept: &'a BTreeSet<FeatureName>,
    /// Features that the release has and the binary does not.
    pub omitted: &'a BTreeSet<FeatureName>,
    /// What is known of the device. A fact that is not here is unknown.
    pub device: &'a BTreeMap<String, String>,
    /// The operating system, as Go names it.
    pub os: &'a str,
    /// The processor, as Go names it.
    pub goarch: &'a str,
    /// How the program is built.
    pub build: BuildFacts,
}

/// The facts of a build that hazards depend on.
#[derive(Debug, Clone, Copy, Default)]
pub struct BuildFacts {
    /// The version of Go, if it is known.
    pub go: Option<GoVersion>,
    /// The platform, if it is known.
    pub platform: Option<&'static Platform>,
    /// The program that is built.
    pub program: Program,
    /// Whether UPX packs it.
    pub upx: Packed,
}

/// Whether UPX packs a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Packed {
    /// It does not, or `build-tailscale` packs and checks the packed program itself.
    #[default]
    No,
    /// It does, with this version, if that is known.
    Upx(Option<UpxVersion>),
}

/// Whether a condition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// It depends on these facts of the device, which are not stated.
    Depends(BTreeSet<String>),
}

impl Answer {
    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            depends @ Self::Depends(_) => depends,
        }
    }

    /// Joins answers: one `decisive` answer decides, then unknown facts, else the opposite.
    fn join(answers: impl Iterator<Item = Self>, decisive: &Self) -> Self {
        let mut unknown = BTreeSet::new();
        for answer in answers {
            match answer {
                answer if answer == *decisive => return answer,
                Self::Depends(facts) => unknown.extend(facts),
                _ => {}
            }
        }
        if unknown.is_empty() { decisive.clone().not() } else { Self::Depends(unknown) }
    }
}

impl Default for Condition {
    /// The condition that always holds.
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

impl Condition {
    /// Returns whether it holds in all circumstances.
    #[must_use]
    pub fn is_always(&self) -> bool {
        *self == Self::default()
    }

    /// Returns whether it is about a decision.
    #[must_use]
    pub fn is_about_decisions(&self) -> bool {
        self.has_decision()
    }

    /// Whether it holds in these circumstances.
    #[must_use]
    pub fn holds(&self, circumstances: &Circumstances<'_>) -> Answer {
        match self {
            Self::All(parts) => Answer::join(parts.iter().map(|part| part.holds(circumstances)), &Answer::No),
            Self::Any(parts) => Answer::join(parts.iter().map(|part| part.holds(circumstances)), &Answer::Yes),
            Self::Not(part) => part.holds(circumstances).not(),
            Self::Atom(atom) => atom.holds(circumstances),
        }
    }

    /// Every decision and fact in it, in order.
    #[must_use]
    pub fn atoms(&self) -> Vec<&Atom> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::atoms).collect(),
            Self::Not(part) => part.atoms(),
            Self::Atom(atom) => vec![atom],
        }
    }

    /// Whether one omission suffices, independently of other decisions.
    #[must_use]
    pub fn rests_on_one_omission(&self) -> bool {
        match self {
            Self::Atom(Atom::Omit(_)) => true,
            Self::Any(parts) => parts.iter().all(Self::rests_on_one_omission),
            Self::All(parts) => {
                let decisions: Vec<&Self> = parts.iter().filter(|part| part.has_decision()).collect();
                matches!(decisions[..], [only] if only.rests_on_one_omission())
            }
            Self::Not(_) | Self::Atom(_) => false,
        }
    }

    /// Every way to meet it with as few atoms as possible: the atoms that must hold, and those that must not.
    #[must_use]
    pub fn alternatives(&self) -> Vec<Vec<(Atom, bool)>> {
        self.ways_to(true)
    }

    fn ways_to(&self, wanted: bool) -> Vec<Vec<(Atom, bool)>> {
        let each = |parts: &[Self]| parts.iter().flat_map(|part| part.ways_to(wanted)).collect();
        let together = |parts: &[Self]| {
            parts.iter().fold(vec![Vec::new()], |found: Vec<Vec<(Atom, bool)>>, part| {
                let more = part.ways_to(wanted);
                found.iter().flat_map(|one| more.iter().map(|way| [one.clone(), way.clone()].concat())).collect()
            })
        };
        match self {
            Self::All(parts) if wanted => together(parts),
            Self::All(parts) => each(parts),
            Self::Any(parts) if wanted => each(parts),
            Self::Any(parts) => together(parts),
            Self::Not(part) => part.ways_to(!wanted),
            Self::Atom(atom) => vec![vec![(atom.clone(), wanted)]],
        }
    }

    fn has_decision(&self) -> bool {
        self.atoms().iter().any(|atom| atom.feature().is_some())
    }

    fn describe(&self, inner: bool) -> String {
        let join = |parts: &[Self], word: &str| {
            let told = parts.iter().map(|part| part.describe(true)).collect::<Vec<_>>().join(word);
            if inner { format!("({told})") } else { told }
        };
        match self {
            Self::All(parts) if parts.is_empty() => "always".to_owned(),
            Self::All(parts) => join(parts, " and "),
            Self::Any(parts) => join(parts, " or "),
            Self::Not(part) => format!("not {}", part.describe(true)),
            Self::Atom(atom) => atom.to_string(),
        }
    }
}

impl Atom {
    /// The feature that it is about, if it is about a decision.
    #[must_use]
    pub fn feature(&self) -> Option<&FeatureName> {
        match self {
            Self::Keep(name) | Self::Omit(name) => Some(name),
            _ => None,
        }
    }

    fn holds(&self, circumstances: &Circumstances<'_>) -> Answer {
        let yes = match self {
            Self::Keep(name) => circumstances.kept.contains(name),
            Self::Omit(name) => circumstances.omitted.contains(name),
            Self::MemoryBelow(size) => match circumstances.device.get(MEMORY).map(|stated| parse_size(stated)) {
                Some(memory) => memory.zip(parse_size(size)).is_some_and(|(memory, size)| memory < size),
                None => return depends(MEMORY),
            },
            Self::Go(versions) => match circumstances.build.go {
                Some(version) => versions.has(version),
                None => return depends("go"),
            },
            Self::Upx(versions) => match circumstances.build.upx {
                Packed::No => false,
                Packed::Upx(Some(version)) => versions.has(version),
                Packed::Upx(None) => return depends("upx"),
            },
            Self::Platform(name) => circumstances.build.platform.is_some_and(|platform| platform.name == name),
            Self::Program(program) => circumstances.build.program == *program,
            Self::Os(os) => os == circumstances.os,
            Self::Goarch(names) => names.iter().any(|name| name == circumstances.goarch),
            Self::Device(fact, value) => match circumstances.device.get(fact) {
                Some(stated) => stated == value,
                None => return depends(fact),
            },
            Self::Start(setting) => match circumstances.device.get(START) {
                Some(stated) => stated.split_whitespace().any(|word| is_set(word, setting)),
                None => return depends(START),
            },
        };
        if yes { Answer::Yes } else { Answer::No }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe(false))
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep(name) => write!(f, "`{name}` kept"),
            Self::Omit(name) => write!(f, "`{name}` omitted"),
            Self::Device(fact, value) => write!(f, "{fact} {value}"),
            Self::Start(setting) => write!(f, "started with `{setting}`"),
            Self::MemoryBelow(size) => write!(f, "less than {size} of memory"),
            Self::Go(versions) => write!(f, "built with Go {versions}"),
            Self::Upx(versions) => write!(f, "packed with UPX {versions}"),
            Self::Platform(name) => write!(f, "for {name}"),
            Self::Program(Program::Daemon) => f.write_str("the daemon"),
            Self::Program(Program::CommandLine) => f.write_str("only the command line"),
            Self::Program(Program::Library) => f.write_str("a program with Tailscale inside"),
            Self::Os(os) => write!(f, "on {os}"),
            Self::Goarch(names) => write!(f, "on {}", names.join(" or ")),
        }
    }
}
