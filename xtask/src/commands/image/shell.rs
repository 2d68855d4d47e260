//! The shell of an image: the pinned program, fetched from Debian and checked, or a file of the user's.

use std::path::{Path, PathBuf};

use anyhow::Result;
use featureset::policy::Target;
use featureset::policy::{Pack, Shell as Choice, format_size};
use image::platform::Platform;
use image::root::Shell;
use image::shells::{Kind, Pin, Table, table};

use crate::commands::execpack::not_packed;
use crate::problem::{Interrupted, Problem};
use crate::tools::debian::Apt;
use crate::tools::qemu::{Runner, runner};
use crate::tools::upx;
use crate::{files, process, progress};

/// A shell as it goes into the image.
pub(super) struct Provided {
    /// The program.
    pub(super) shell: Shell,
    /// Where it comes from, unless it is a file of the user's.
    pub(super) pin: Option<Pin>,
}

/// The shell that the policy chooses, or the file that was named.
///
/// # Errors
/// A [`Problem`] where it can't be had, is not the pinned one, or is not for the platform.
pub(super) fn provide(
    folder: &Path,
    choice: Choice,
    file: Option<&Path>,
    target: &Target,
    platform: Platform,
) -> Result<Option<Provided>> {
    if let Some(file) = file {
        let bytes = files::read_bytes(file)?;
        check(&bytes, platform, &file.display().to_string())?;
        return Ok(Some(Provided { shell: Shell { bytes, kind: None }, pin: None }));
    }
    let kind = match choice {
        Choice::None => return Ok(None),
        Choice::Mksh => Kind::Mksh,
        Choice::Busybox => Kind::Busybox,
    };
    let table = read_table()?;
    let pin = table.find(kind, platform).cloned().ok_or_else(|| {
        let why = format!("the table of shells has none for {platform}");
        Problem::new("no-shell", format!("there is no {}", kind.word()), why, "Name one with `--shell-file PATH`.")
    })?;
    let place = pinned(folder, &table, &pin)?;
    let bytes = match target.build.pack {
        Pack::None => files::read_bytes(&place)?,
        Pack::Execpack | Pack::Upx => packed(folder, &place, target)?,
    };
    check(&bytes, platform, &pin.package)?;
    Ok(Some(Provided { shell: Shell { bytes, kind: Some(kind) }, pin: Some(pin) }))
}

/// The table of pinned shells.
///
/// # Errors
/// Where the file that was built in is not one; a test shows that it is.
pub(super) fn read_table() -> Result<Table> {
    table().map_err(|error| anyhow::anyhow!("reading the table of shells: {error}"))
}

/// A program that fits the platform and stands alone.
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
    Err(Problem::new("unfit-shell", format!("{name} can't be the shell of this image"), why, next).into())
}

/// The pinned program's file, fetched if it was not before.
fn pinned(folder: &Path, table: &Table, pin: &Pin) -> Result<PathBuf> {
    let place = folder.join("tools/shells").join(&pin.sha256);
    if std::fs::read(&place).is_ok_and(|bytes| files::sha256(&bytes) == pin.sha256) {
        return Ok(place);
    }
    let step = progress::step("Fetching", format!("{} for {}", pin.package, pin.architecture));
    let bytes = fetch(folder, &table.suite, pin)?.0;
    if files::sha256(&bytes) != pin.sha256 {
        let why = format!("{} has the digest {}, not {}", pin.file, files::sha256(&bytes), pin.sha256);
        let next = "If Debian has a new version, look at its changes and run `image pin`; else do not use it.";
        return Err(Problem::new("shell-changed", format!("{} is not the pinned one", pin.package), why, next).into());
    }
    files::write_bytes(&place, &bytes)?;
    step.done("Fetched", &format_size(pin.bytes));
    Ok(place)
}

/// The program of a package of Debian, and the package's version.
///
/// # Errors
/// A [`Problem`] where there is no way to Debian's packages, [`Interrupted`] where the command is stopped.
pub(super) fn fetch(folder: &Path, suite: &str, pin: &Pin) -> Result<(Vec<u8>, String)> {
    let shells = folder.join("tools/shells");
    let unpacked = shells.join(format!("{}-{}", pin.package, pin.architecture));
    let fetch = || -> Result<(Vec<u8>, String)> {
        let _lock = files::lock(&shells, || progress::line("Waiting", "for another run that fetches a shell"))?;
        let apt = Apt::of(folder, suite, &pin.architecture)?;
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
        Problem::new("shell-missing", message, format!("{error:#}"), next).into()
    })
}

/// The program packed, and run to see that it survived it.
fn packed(folder: &Path, program: &Path, target: &Target) -> Result<Vec<u8>> {
    use std::os::unix::fs::PermissionsExt;
    let work = tempfile::tempdir_in(folder.join("tools"))?;
    // Busybox looks at the name by which it is called; UPX packs nothing but programs.
    let (unpacked, packed) = (work.path().join("unpacked"), work.path().join("sh"));
    files::write_bytes(&unpacked, &files::read_bytes(program)?)?;
    std::fs::set_permissions(&unpacked, std::fs::Permissions::from_mode(0o755))?;
    let next = "Set `pack: none` for this target, or choose another shell.";
    if target.build.pack == Pack::Execpack {
        let result = execpack::pack(&files::read_bytes(&unpacked)?).map_err(|why| not_packed(program, &why))?;
        files::write_executable(&packed, &result.bytes)?;
    } else {
        process::stdout(upx::find_or_provide(folder)?.pack(&unpacked, &packed), next)?;
    }
    let runner = runner(target.platform);
    match runner.command(&packed, &["-c", "echo it runs"]) {
        None => progress::warn(&format!("the shell was not tried: {}", runner.describe())),
        Some(command) => tried(process::stdout(command, next)?.trim(), &runner)?,
    }
    files::read_bytes(&packed)
}

fn tried(said: &str, runner: &Runner) -> Result<()> {
    if said == "it runs" {
        return Ok(());
    }
    let why = format!("{} it printed `{said}`", runner.describe());
    Err(Problem::new("unfit-shell", "the packed shell does not run", why, "Set `pack: none` for this target.").into())
}
