//! What is said of a file in which no Tailscale was found, or not all could be read.

use featureset::policy::format_size;
use gobinary::{BuildInfo, FileKind, Unreadable};
use image::unpack::{Fault, Format, LARGEST_PROGRAM};

use crate::limits;
use diagnostics::{Code, Diagnostic};

/// How many of the things in an archive are told.
const MOST: usize = 8;

const NAME_ANOTHER: &str = "Name the program that was built from Tailscale, what it is packed in, or its recipe.";

/// A program that Go did not make, or that no longer tells of its build.
pub(super) fn not_go(place: &str, kind: &FileKind) -> Diagnostic {
    match kind {
        FileKind::GoWithoutBuildInfo { go, why } => {
            let go = go.as_deref().map_or("a Go that is not named".to_owned(), |go| format!("Go ({go})"));
            let message = format!("{place} was made by {go}, and does not say how");
            let next =
                "Audit its recipe, or its tags with `--tags`, or build it without taking the build information away.";
            let why = match why {
                Unreadable::NoBuildInfo => "its modules and settings are not in it, or were stripped of it".to_owned(),
                damaged => damaged.to_string(),
            };
            Diagnostic::failure(Code::NoBuildInformation, message, why, next)
        }
        FileKind::Truncated { needs } => {
            let message = format!("{place} is cut off");
            let why = format!("it states {needs} bytes and has fewer");
            Diagnostic::failure(Code::Truncated, message, why, "Copy or download it again.")
        }
        FileKind::Packed => {
            let why = "it is still packed when it was unpacked once";
            Diagnostic::failure(
                Code::PackedTwice,
                format!("{place} was packed twice"),
                why,
                "Unpack it, and name what comes out.",
            )
        }
        FileKind::NotElf(why) => Diagnostic::failure(
            Code::UnknownFormat,
            format!("{place} is no program that can be read"),
            why,
            NAME_ANOTHER,
        ),
        FileKind::NotGo | FileKind::Go(_) => {
            let why = "nothing in it is what Go's linker leaves";
            Diagnostic::failure(Code::NotGo, format!("{place} was not made by Go"), why, NAME_ANOTHER)
        }
    }
}

/// A program of Go's that holds no Tailscale.
pub(super) fn not_tailscale(place: &str, info: &BuildInfo) -> Diagnostic {
    let version = info.main.as_ref().map(|main| format!(" {}", main.version)).unwrap_or_default();
    let path = if info.path.is_empty() { "a program without a name" } else { &info.path };
    let message = format!("{place} is {path}{version}, not Tailscale");
    let why = format!("made by {}; none of its {} modules is tailscale.com", info.go, info.dependencies.len());
    Diagnostic::failure(Code::NotTailscale, message, why, NAME_ANOTHER)
}

/// What could not be read, or not to its end.
pub(super) fn fault(place: &str, fault: &Fault) -> Diagnostic {
    let again = "Copy or download it again.";
    match fault {
        Fault::Truncated => {
            let why = "it ends before what it states does";
            Diagnostic::failure(Code::Truncated, format!("{place} is cut off"), why, again)
        }
        Fault::Damaged(why) => Diagnostic::failure(Code::DamagedArchive, format!("{place} is damaged"), why, again),
        Fault::TooMuch(why) => {
            let next = "Unpack it where that does no harm, and name the program.";
            Diagnostic::failure(Code::AnalysisLimit, format!("{place} is not read to its end"), why, next)
        }
        Fault::LargeProgram(_) => {
            let message = format!("{place} is larger than {}", format_size(LARGEST_PROGRAM));
            Diagnostic::failure(Code::InputTooLarge, message, "no program of Tailscale's comes near that", NAME_ANOTHER)
        }
        Fault::Stopped => {
            let why = "looking through it took longer than anything that is shipped does";
            Diagnostic::failure(
                Code::AnalysisLimit,
                format!("{place} is not read to its end"),
                why,
                "Unpack it, and name the program.",
            )
        }
        Fault::Unread(what) => {
            let message = format!("{place} is {what}");
            let why = "what is in it was not judged";
            let next = "Unpack the archive with the tool that made it, and name the program.";
            Diagnostic::failure(Code::UnreadMember, message, why, next)
        }
        Fault::Unreadable(why) => {
            Diagnostic::failure(Code::FileError, format!("can't read {place}"), why, "Run it again.")
        }
        Fault::Foreign(name, next) => Diagnostic::failure(
            Code::UnsupportedFormat,
            format!("{place} is {name}"),
            "that format is not opened here",
            *next,
        ),
        Fault::Unknown => {
            let why = "it begins as no program, package, image or archive does that is known here";
            Diagnostic::failure(Code::UnknownFormat, format!("{place} is of no known format"), why, NAME_ANOTHER)
        }
    }
}

/// A program with Tailscale in it, after as many as are judged.
pub(super) fn not_judged(place: &str) -> Diagnostic {
    let why = format!("only the first {} programs with Tailscale in them are judged", limits::BINARIES);
    Diagnostic::failure(Code::AnalysisLimit, format!("{place} was not judged"), why, "Unpack it, and name the program.")
}

/// A packed program, after as many as are unpacked.
pub(super) fn not_unpacked(place: &str) -> Diagnostic {
    let why = format!("only the first {} packed programs of a file are unpacked", limits::PACKED);
    Diagnostic::failure(
        Code::AnalysisLimit,
        format!("{place} was packed, and not unpacked"),
        why,
        "Unpack it, and name what comes out.",
    )
}

/// The count of things that are not listed.
pub(super) fn more(name: &str, count: usize) -> Diagnostic {
    let message = format!("{count} more members of {name} were not judged");
    Diagnostic::failure(Code::AnalysisLimit, message, "they are not listed one by one", NAME_ANOTHER)
}

/// What is said where nothing was found: the one thing that the file is, or what is in it.
/// `more` others are not listed.
pub(super) fn nothing(name: &str, format: Option<Format>, mut others: Vec<Diagnostic>, more: usize) -> Diagnostic {
    // What could hold Tailscale comes before what does not.
    others.sort_by_key(|problem| matches!(problem.code, Code::NotGo | Code::NotTailscale));
    if others.len() == 1 {
        return others.remove(0);
    }
    let format = format.map_or("file", Format::name);
    let Some(code) = others.first().map(|problem| problem.code.clone()) else {
        let message = format!("there is no program in {name}");
        return Diagnostic::failure(
            Code::NoTailscaleFound,
            message,
            format!("it is a {format}, and none of its files is one"),
            NAME_ANOTHER,
        );
    };
    let mut why: Vec<String> = others.iter().take(MOST).map(|problem| problem.message.clone()).collect();
    if others.len() > MOST {
        why.push(format!("and {} more", others.len() - MOST + more));
    }
    Diagnostic::failure(code, format!("no Tailscale was found in {name}"), why.join("\n"), others.remove(0).next)
}
