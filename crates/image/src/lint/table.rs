//! The table of lints: everything that a verdict can say, why it matters and what to do.

use super::Severity::{self, Error, Warning};

/// One lint.
#[derive(Debug, PartialEq, Eq)]
pub struct Lint {
    /// Its name, in kebab case.
    pub code: &'static str,
    /// How much its findings weigh.
    pub severity: Severity,
    /// What it finds, in one sentence.
    pub summary: &'static str,
    /// Why that matters on a router.
    pub why: &'static str,
    /// What to do.
    pub next: &'static str,
}

/// The lint with this code. A code that none has gets the first; a test shows that this never happens.
pub(super) fn get(code: &str) -> &'static Lint {
    LINTS.iter().find(|lint| lint.code == code).unwrap_or(&LINTS[0])
}

const fn row(
    code: &'static str,
    severity: Severity,
    summary: &'static str,
    why: &'static str,
    next: &'static str,
) -> Lint {
    Lint { code, severity, summary, why, next }
}

const HOSTILE: &str = "Do not load it anywhere; find out where it comes from.";
const CONVERT: &str = "Convert it: `skopeo copy … docker-archive:FILE` writes the form that RouterOS takes.";
const AGAIN: &str = "Fetch or build it again.";

/// Every lint, sorted by code. What RouterOS refuses is from reports of its users; see docs/image.md.
pub static LINTS: &[Lint] = &[
    row(
        "absurd-size",
        Error,
        "The archive states a length that it does not have, or more files than an image can have.",
        "It was cut off, or is made to fill the memory of what reads it.",
        AGAIN,
    ),
    row(
        "bad-config",
        Error,
        "The configuration is not one.",
        "Without it RouterOS knows neither the platform nor what to run.",
        AGAIN,
    ),
    row(
        "bad-manifest",
        Error,
        "manifest.json does not name an image.",
        "It tells RouterOS which of the files are the configuration and the layers.",
        AGAIN,
    ),
    row(
        "compressed-archive",
        Error,
        "The archive itself is compressed.",
        "RouterOS reads plain tar alone.",
        "Unpack it: `gunzip FILE`.",
    ),
    row(
        "compressed-layer",
        Error,
        "A layer is compressed.",
        "RouterOS ends with `error getting layer file` or `failed to load next entry`; what is in the layer was not judged.",
        CONVERT,
    ),
    row(
        "crlf-script",
        Error,
        "The script that the container runs first has CRLF line ends.",
        "Linux takes the carriage return as part of the interpreter's name: RouterOS ends with `execve: No such file or directory`.",
        "Convert the script to LF line ends, and keep Git from changing them with `*.sh text eol=lf` in .gitattributes.",
    ),
    row(
        "differs-from-manifest",
        Error,
        "The binary in the image is not the one that the manifest of the build, or the image's own label, tells of.",
        "What the manifest says was verified and run; this binary was not.",
        "Build it again with `image`.",
    ),
    row(
        "entrypoint-missing",
        Error,
        "The program that the container runs first is missing or can't be executed.",
        "RouterOS ends with `execve: No such file or directory`, or with `no command specified`.",
        "Set the entrypoint to a program of the image, or pass `entrypoint=` on the router.",
    ),
    row(
        "file-twice",
        Warning,
        "Two files hold the same bytes.",
        "Both take room on flash.",
        "Make one of them a symbolic link.",
    ),
    row(
        "foreign-program",
        Error,
        "A program is for another processor than the image.",
        "It dies as it starts: `signal 4`, or `exec format error`.",
        "Build it for the platform of the image: GOARM=5 for arm v5.",
    ),
    row(
        "interpreter-missing",
        Error,
        "The program that the container runs first needs an interpreter or a loader that is not in the image.",
        "RouterOS ends with `execve: No such file or directory`, though the file that it names is there.",
        "Put the interpreter into the image, or link the program statically: for Go, with CGO_ENABLED=0.",
    ),
    row(
        "layer-overwrites",
        Warning,
        "A file is put where an earlier one is, or into a folder of an earlier layer.",
        "RouterOS keeps layers apart: such a folder was seen to be copied whole, which doubled an image on flash.",
        "Assemble the root in one layer.",
    ),
    row(
        "member-twice",
        Error,
        "A name is in the archive more than once.",
        "Which of them RouterOS takes is not known, so this verdict may be about another.",
        HOSTILE,
    ),
    row(
        "missing-member",
        Error,
        "manifest.json names a file that is not in the archive.",
        "The archive was cut off or put together wrongly.",
        AGAIN,
    ),
    row(
        "no-manifest",
        Error,
        "The archive has no manifest.json.",
        "RouterOS ends with `could not find image manifest in archive`.",
        CONVERT,
    ),
    row(
        "no-shell",
        Warning,
        "The image has no /bin/sh.",
        "`/container/shell` has nothing to run, and that is where people type `tailscale up`.",
        "Set `image: { shell: mksh }`.",
    ),
    row(
        "oci-layout",
        Error,
        "The archive is an OCI layout.",
        "RouterOS takes OCI images from a registry, not from a file.",
        CONVERT,
    ),
    row(
        "several-images",
        Error,
        "The archive holds more than one image.",
        "RouterOS does not choose among them.",
        "Write one platform into an archive: `skopeo copy --override-arch … docker-archive:FILE`.",
    ),
    row(
        "special-file",
        Warning,
        "A layer holds a device, a pipe or a socket.",
        "RouterOS provides /dev itself, and may be unable to make one of these.",
        "Leave it out.",
    ),
    row(
        "trailing-data",
        Error,
        "There are data after the end of an archive.",
        "A program that reads on finds files that were not judged.",
        HOSTILE,
    ),
    row(
        "unread-member",
        Error,
        "An archive holds a member of a kind that is not read: a sparse file, say.",
        "What is in it was not judged, and RouterOS may not read it either.",
        "Put the archive together without it: `tar --format=ustar` without `--sparse`.",
    ),
    row("unreadable", Error, "The file is no tar archive, or a damaged one.", "RouterOS reads nothing else.", AGAIN),
    row(
        "unsafe-path",
        Error,
        "A path leads out of the folder that the archive is unpacked into.",
        "Whatever unpacks it without care writes over files of its own.",
        HOSTILE,
    ),
    row(
        "variant-missing",
        Warning,
        "The image is for 32-bit arm and does not say for which.",
        "A router with an EN7562CT runs v5 alone and kills anything newer with signal 4.",
        "Set the variant to v5 or v7.",
    ),
    row(
        "whiteout",
        Warning,
        "A layer hides a file of an earlier one.",
        "The hidden file stays on flash.",
        "Assemble the root in one layer.",
    ),
    row(
        "wrong-digest",
        Error,
        "A layer is not the one that the configuration tells of.",
        "The archive was damaged or tampered with.",
        AGAIN,
    ),
    row(
        "wrong-platform",
        Error,
        "The image is for a platform that it should not be for, or that RouterOS has no containers on.",
        "RouterOS has containers on arm, arm64 and x86, and each router runs its own alone.",
        "Take the image of the router's own platform: `/system/resource/print` shows it.",
    ),
];
