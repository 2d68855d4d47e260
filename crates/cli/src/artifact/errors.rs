//! Problems of a file that contains no Tailscale or can't be read completely.

use featureset::policy::format_size;
use gobinary::{BuildInfo, FileKind, Unreadable};
use image::scan::{Fault, Format, LARGEST_PROGRAM};

use crate::limits;
use diagnostics::{Code, Diagnostic};

/// The most members of an archive that are listed.
const MOST: usize = 8;

const NAME_ANOTHER: &str = "Name the program that was built from Tailscale, what it is packed in, or its recipe.";

/// A program that was not built by Go, or has no build information.
pub(super) fn not_go(place: &str, kind: &FileKind) -> Diagnostic {
    match kind {
        FileKind::GoWithoutBuildInfo { go, why } => {
            let go = go.as_deref().map_or("an unknown version of Go".to_owned(), str::to_owned);
            let message = format!("{place} was built by {go} but has no build information");
            let next =
                "Audit its recipe, or its tags with `--tags`, or build it without removing the build information.";
            let why = match why {
                Unreadable::NoBuildInfo => "the build information is missing or was stripped".to_owned(),
                damaged => damaged.to_string(),
            };
            Diagnostic::failure(Code::NoBuildInformation, message, why, next)
        }
        FileKind::Truncated { needs } => {
            let message = format!("{place} is cut off");
            let why = format!("the header says {needs} bytes, but the file is shorter");
            Diagnostic::failure(Code::Truncated, message, why, "Copy or download it again.")
        }
        FileKind::Packed => {
            let why = "it is still packed after unpacking it once";
            Diagnostic::failure(
                Code::PackedTwice,
                format!("{place} was packed twice"),
                why,
                "Unpack it and name the result.",
            )
        }
        FileKind::NotElf(why) => {
            Diagnostic::failure(Code::UnknownFormat, format!("{place} is not a readable program"), why, NAME_ANOTHER)
        }
        FileKind::NotGo | FileKind::Go(_) => {
            let why = "it contains no data of Go's linker";
            Diagnostic::failure(Code::NotGo, format!("{place} was not built by Go"), why, NAME_ANOTHER)
        }
    }
}

/// A Go program without Tailscale.
pub(super) fn not_tailscale(place: &str, info: &BuildInfo) -> Diagnostic {
    let version = info.main.as_ref().map(|main| format!(" {}", main.version)).unwrap_or_default();
    let path = if info.path.is_empty() { "a program without a name" } else { &info.path };
    let message = format!("{place} is {path}{version}, not Tailscale");
    let why = format!("built by {}; none of its {} modules is tailscale.com", info.go, info.dependencies.len());
    Diagnostic::failure(Code::NotTailscale, message, why, NAME_ANOTHER)
}

/// A member that could not be read completely.
pub(super) fn fault(place: &str, fault: &Fault) -> Diagnostic {
    let again = "Copy or download it again.";
    match fault {
        Fault::Truncated => {
            let why = "unexpected end of file";
            Diagnostic::failure(Code::Truncated, format!("{place} is cut off"), why, again)
        }
        Fault::Damaged(why) => Diagnostic::failure(Code::DamagedArchive, format!("{place} is damaged"), why, again),
        Fault::TooMuch(why) => {
            let next = "Unpack it in a safe place and name the program.";
            Diagnostic::failure(Code::AnalysisLimit, format!("{place} was not read completely"), why, next)
        }
        Fault::LargeProgram(_) => {
            let message = format!("{place} is larger than {}", format_size(LARGEST_PROGRAM));
            Diagnostic::failure(
                Code::InputTooLarge,
                message,
                "this exceeds the size limit for scanned programs",
                NAME_ANOTHER,
            )
        }
        Fault::Stopped => {
            let why = "scanning it exceeded the limit";
            Diagnostic::failure(
                Code::AnalysisLimit,
                format!("{place} was not read completely"),
                why,
                "Unpack it, and name the program.",
            )
        }
        Fault::Unread(what) => {
            let message = format!("{place} is {what}");
            let why = "its content was not examined";
            let next = "Unpack the archive with the tool that made it, and name the program.";
            Diagnostic::failure(Code::UnreadMember, message, why, next)
        }
        Fault::Unreadable(why) => {
            Diagnostic::failure(Code::FileError, format!("can't read {place}"), why, "Run it again.")
        }
        Fault::Foreign(name, next) => Diagnostic::failure(
            Code::UnsupportedFormat,
            format!("{place} is {name}"),
            "this format is not supported",
            *next,
        ),
        Fault::Unknown => {
            let why = "unrecognized file signature";
            Diagnostic::failure(Code::UnknownFormat, format!("{place} has an unknown format"), why, NAME_ANOTHER)
        }
    }
}

/// A program with Tailscale that exceeds the limit.
pub(super) fn not_judged(place: &str) -> Diagnostic {
    let why = format!("only the first {} programs with Tailscale in them are judged", limits::BINARIES);
    Diagnostic::failure(Code::AnalysisLimit, format!("{place} was not judged"), why, "Unpack it, and name the program.")
}

/// A packed program that exceeds the limit.
pub(super) fn not_unpacked(place: &str) -> Diagnostic {
    let why = format!("only the first {} packed programs of a file are unpacked", limits::PACKED);
    Diagnostic::failure(
        Code::AnalysisLimit,
        format!("{place} is packed and was not unpacked"),
        why,
        "Unpack it and name the result.",
    )
}

/// A program that execpack packed and that was cut off or changed.
pub(super) fn damaged(place: &str, unreadable: &execpack::Unreadable) -> Diagnostic {
    let message = format!("{place} can't be unpacked");
    Diagnostic::failure(Code::NotUnpacked, message, unreadable.to_string(), "Copy or download it again.")
}

/// The number of members that are not listed.
pub(super) fn more(name: &str, count: usize) -> Diagnostic {
    let message = format!("{count} more members of {name} were not judged");
    Diagnostic::failure(Code::AnalysisLimit, message, "only the first ones are listed", NAME_ANOTHER)
}

/// A file without Tailscale: the only member's problem, or a summary. `more` members are not listed.
pub(super) fn nothing(name: &str, format: Option<Format>, mut others: Vec<Diagnostic>, more: usize) -> Diagnostic {
    // Members that could contain Tailscale come first.
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
            format!("it is a {format} without a program"),
            NAME_ANOTHER,
        );
    };
    let mut why: Vec<String> = others.iter().take(MOST).map(|problem| problem.message.clone()).collect();
    if others.len() > MOST {
        why.push(format!("and {} more", others.len() - MOST + more));
    }
    Diagnostic::failure(code, format!("no Tailscale was found in {name}"), why.join("\n"), others.remove(0).next)
}
