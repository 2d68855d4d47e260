//! The shell of an image: the pinned program, fetched from Debian and checked, or a file of the user's.

use std::path::{Path, PathBuf};

use anyhow::Result;
use featureset::policy::Target;
use featureset::policy::{Shell as Choice, format_size};
use image::helper::for_platform;
use image::platform::Platform;
use image::root::Shell;
use image::shells::{Kind, Pin, Table, table};

use crate::cache::Cache;
use crate::interrupted::Interrupted;
use crate::tools::debian::Apt;
use crate::tools::packer::Packer;
use crate::tools::qemu::{Runner, runner};
use crate::{files, process, progress};
use diagnostics::{Code, Diagnostic, NextStep};

/// A shell as it goes into the image.
pub(super) struct Provided {
    /// The program.
    pub(super) shell: Shell,
    /// Where it comes from, unless it is a file of the user's.
    pub(super) pin: Option<Pin>,
}

/// Returns the shell of the policy, or the named file.
///
/// # Errors
/// A [`Diagnostic`] if it is not available, is not the pinned one, or is not for the platform.
pub(super) fn provide(
    cache: &Cache,
    choice: Choice,
    file: Option<&Path>,
    target: &Target,
    platform: Platform,
) -> Result<Option<Provided>> {
    if let Some(file) = file {
        let bytes = files::read_bytes(file)?;
        check(&bytes, platform, &file.display().to_string())?;
        return Ok(Some(Provided { shell: Shell { bytes, kind: None, helper: for_platform(platform) }, pin: None }));
    }
    let kind = match choice {
        Choice::None => return Ok(None),
        Choice::Mksh => Kind::Mksh,
        Choice::Busybox => Kind::Busybox,
    };
    let table = read_table()?;
    let pin = table.find(kind, platform).cloned().ok_or_else(|| {
        let why = format!("the table of shells has none for {platform}");
        Diagnostic::failure(
            Code::ShellMissing,
            format!("there is no {}", kind.word()),
            why,
            "Name one with `--shell-file PATH`.",
        )
    })?;
    let place = pinned(cache, &table, &pin)?;
    let bytes = match Packer::find_or_provide(target.build.pack, cache)? {
        None => files::read_bytes(&place)?,
        Some(packer) => packed(&packer, &place, target)?,
    };
    check(&bytes, platform, &pin.package)?;
    Ok(Some(Provided { shell: Shell { bytes, kind: Some(kind), helper: for_platform(platform) }, pin: Some(pin) }))
}

/// Returns the table of pinned shells.
///
/// # Errors
/// If the built-in file can't be parsed; a test proves that it can.
pub fn read_table() -> Result<Table> {
    table().map_err(|error| anyhow::anyhow!("reading the table of shells: {error}"))
}

/// Checks that a program is for the platform and statically linked.
fn check(bytes: &[u8], platform: Platform, name: &str) -> Result<()> {
    let why = match gobinary::identify(bytes) {
        Err(error) => error.to_string(),
        Ok(identity) if identity.goarch != Some(platform.architecture()) => {
            format!("it is for {}, the image for {platform}", identity.goarch.unwrap_or("another processor"))
        }
        Ok(identity) if identity.is_hard_float && platform == Platform::ArmV5 => {
            "it needs floating-point registers, which arm v5 has not".to_owned()
        }
        Ok(identity) if !identity.is_static => "it needs a dynamic linker, and the image has none".to_owned(),
        Ok(_) => return Ok(()),
    };
    let next = "Name a static program for the target's platform with `--shell-file PATH`.";
    Err(Diagnostic::failure(Code::ShellUnfit, format!("{name} can't be the shell of this image"), why, next).into())
}

/// Returns the pinned program's file, and fetches it if necessary.
fn pinned(cache: &Cache, table: &Table, pin: &Pin) -> Result<PathBuf> {
    let place = cache.folder()?.join("shells").join(&pin.sha256);
    if std::fs::read(&place).is_ok_and(|bytes| files::sha256(&bytes) == pin.sha256) {
        return Ok(place);
    }
    let step = progress::step("Fetching", format!("{} for {}", pin.package, pin.architecture));
    let bytes = fetch(cache, &table.suite, pin)?.0;
    check_digest(pin, &bytes)?;
    files::write_bytes(&place, &bytes)?;
    step.done("Fetched", &format_size(pin.bytes));
    Ok(place)
}

/// Checks that a program is the pinned one.
fn check_digest(pin: &Pin, bytes: &[u8]) -> Result<()> {
    let digest = files::sha256(bytes);
    if digest == pin.sha256 {
        return Ok(());
    }
    let why = format!("{} has the digest {digest}, not {}", pin.file, pin.sha256);
    let next = NextStep::new("If Debian has a new version, review its changes and run ")
        .command("image pin")
        .text("; else do not use it.");
    Err(Diagnostic::failure(Code::ShellChanged, format!("{} is not the pinned one", pin.package), why, next).into())
}

/// Returns the program of a Debian package and the package's version.
///
/// # Errors
/// A [`Diagnostic`] if Debian's packages can't be fetched, [`Interrupted`] after a signal.
pub fn fetch(cache: &Cache, suite: &str, pin: &Pin) -> Result<(Vec<u8>, String)> {
    let shells = cache.folder()?.join("shells");
    let unpacked = shells.join(format!("{}-{}", pin.package, pin.architecture));
    let fetch = || -> Result<(Vec<u8>, String)> {
        let _lock = files::lock(&shells, || progress::line("Waiting", "for another run that fetches a shell"))?;
        let apt = Apt::for_suite(cache, suite, &pin.architecture)?;
        let version = apt.version(&pin.package)?;
        apt.unpack(std::slice::from_ref(&pin.package), &unpacked)?;
        let bytes = files::read_bytes(&unpacked.join(&pin.file))?;
        let _ = std::fs::remove_dir_all(&unpacked);
        Ok((bytes, version))
    };
    fetch().map_err(|error| {
        if error.is::<Interrupted>() {
            return error;
        }
        let message = format!("Debian's {} for {} can't be fetched", pin.package, pin.architecture);
        let next = "Run it on Debian with its network, or name a static shell with `--shell-file PATH`.";
        Diagnostic::failure(Code::ShellMissing, message, format!("{error:#}"), next).into()
    })
}

/// Packs the program and runs it as a test.
fn packed(packer: &Packer, program: &Path, target: &Target) -> Result<Vec<u8>> {
    use std::os::unix::fs::PermissionsExt;
    let work = files::private_folder("packing-")?;
    // Busybox depends on the name that it is called by; UPX packs only programs.
    let (unpacked, packed) = (work.path().join("unpacked"), work.path().join("sh"));
    files::write_bytes(&unpacked, &files::read_bytes(program)?)?;
    std::fs::set_permissions(&unpacked, std::fs::Permissions::from_mode(0o755))?;
    let next = "Set `build: { pack: none }` for this target, or choose another shell.";
    packer.pack(&unpacked, &packed, target.platform.goarch, next)?;
    let runner = runner(target.platform);
    match runner.command(&packed, &["-c", "echo it runs"]) {
        None => progress::warn(&format!("the shell was not tried: {}", runner.describe())),
        Some(command) => check_output(process::stdout(command, next)?.trim(), &runner)?,
    }
    files::read_bytes(&packed)
}

fn check_output(printed: &str, runner: &Runner) -> Result<()> {
    if printed == "it runs" {
        return Ok(());
    }
    let why = format!("{} it printed `{printed}`", runner.describe());
    Err(Diagnostic::failure(
        Code::ShellUnfit,
        "the packed shell does not run",
        why,
        "Set `build: { pack: none }` for this target.",
    )
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T>(result: Result<T>) -> Code {
        result.err().unwrap().downcast::<Diagnostic>().unwrap().code
    }

    #[test]
    fn shells_that_do_not_fit_are_refused() {
        assert_eq!(code(check(b"#!/bin/sh", Platform::Amd64, "a script")), Code::ShellUnfit);
        assert_eq!(code(check_output("", &Runner::Native)), Code::ShellUnfit);
        let table = read_table().unwrap();
        let pin = table.find(Kind::Mksh, Platform::Amd64).unwrap();
        assert_eq!(code(check_digest(pin, b"another program")), Code::ShellChanged);
        // A file in the place of the folder for shells.
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().join("cache"));
        std::fs::write(cache.folder().unwrap().join("shells"), "").unwrap();
        assert_eq!(code(fetch(&cache, &table.suite, pin)), Code::ShellMissing);
    }
}
