//! The way into a world: what it needs of the machine, the namespaces around it, and what is hidden in them.

use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::mount::{MountFlags, mount, mount_bind};

use super::elsewhere::{self, Elsewhere};
use super::{Programs, Sabotage};
use crate::tools::qemu::Runner;
use crate::{files, process};

/// Where the programs are inside: whatever else is hidden, they are seen.
const PROGRAMS: &str = "/run/programs";

/// Where the way out is inside.
const WAY: &str = "/run/way";

/// Folders of the machine in whose place there is memory: what runs on it is not seen, what a daemon would leave is not
/// left. `/run` is where the world itself is.
const HIDDEN: [&str; 4] = ["/run", "/var/lib", "/var/cache", "/var/log"];

/// How a program is put into namespaces of its own, which end with it, and it with us.
const UNSHARE: [&str; 6] = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];

/// What this machine lacks for a world; nothing where it lacks nothing.
#[must_use]
pub fn lacking() -> Option<String> {
    if std::env::consts::OS != "linux" {
        return Some(format!("namespaces are Linux's, and this is {}", std::env::consts::OS));
    }
    if let Some(missing) = ["unshare", "nsenter"].iter().find(|name| process::on_path(name).is_none()) {
        return Some(format!("`{missing}` is not installed (Debian's util-linux)"));
    }
    if !rustix::process::geteuid().is_root() {
        return Some("only root makes namespaces with a TUN device; run it with sudo".to_owned());
    }
    if let Err(error) = std::fs::File::options().read(true).write(true).open("/dev/net/tun") {
        return Some(format!("/dev/net/tun can't be opened: {error}"));
    }
    let tried = process::needed("unshare").and_then(|unshare| {
        let mut command = Command::new(unshare);
        command.args(UNSHARE).arg("true");
        process::output(command)
    });
    match tried {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!("no namespaces can be made: {}", output.stderr.trim())),
        Err(error) => Some(format!("no namespaces can be made: {error}")),
    }
}

/// Runs this program again inside of new namespaces, and passes on each line that it prints.
///
/// # Errors
/// [`crate::interrupted::Interrupted`] where the run was, after everything inside has ended.
pub fn enter(arguments: &[&str], line: impl FnMut(&str) -> Result<()>) -> Result<ExitStatus> {
    let mut command = Command::new(process::needed("unshare")?);
    command.args(UNSHARE).arg(std::env::current_exe().context("finding this program")?).args(arguments);
    process::lines(command, line)
}

/// Inside, before anything else: hides what is the machine's, and brings the programs along.
///
/// # Errors
/// Where a program can't be read, or the process is not alone in its namespaces.
pub fn prepare(
    lab: &Path,
    daemon: &Path,
    runner: Runner,
    sabotage: Sabotage,
    elsewhere: Option<Elsewhere>,
) -> Result<Programs> {
    // Nothing is hidden from anyone else: the first process of its own process namespace came through `enter`.
    anyhow::ensure!(std::process::id() == 1, "this is run by `verify`, not by hand");
    let (lab, daemon) = (files::read_bytes(lab)?, files::read_bytes(daemon)?);
    let way = elsewhere.as_ref().map(|elsewhere| std::fs::File::open(&elsewhere.folder));
    let way = way.transpose().context("opening the way out")?;
    for folder in HIDDEN.iter().filter(|folder| Path::new(folder).is_dir()) {
        mount("tmpfs", *folder, "tmpfs", MountFlags::NOSUID, None).with_context(|| format!("hiding {folder}"))?;
    }
    let lab = place(&Path::new(PROGRAMS).join("lab"), &lab)?;
    let (tailscaled, tailscale) = place_daemon("daemon", &daemon)?;
    let elsewhere = elsewhere.zip(way).map(|(known, way)| brought(known, &way)).transpose()?;
    let (partner, unpacked, soak) = (None, None, Duration::ZERO);
    Ok(Programs { lab, tailscaled, tailscale, partner, unpacked, runner, sabotage, elsewhere, soak })
}

/// Inside: brings another daemon along, in a folder of that name; where it is, and its command line.
///
/// # Errors
/// Where it can't be written.
pub fn place_daemon(folder: &str, daemon: &[u8]) -> Result<(PathBuf, PathBuf)> {
    let folder = Path::new(PROGRAMS).join(folder);
    let tailscaled = place(&folder.join("tailscaled"), daemon)?;
    let tailscale = folder.join("tailscale");
    files::link("tailscaled", &tailscale)?;
    Ok((tailscaled, tailscale))
}

fn place(path: &Path, bytes: &[u8]) -> Result<PathBuf> {
    files::make_folder(path.parent().unwrap_or(path))?;
    std::fs::write(path, bytes)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    Ok(path.to_owned())
}

/// The way out, at a place that is not hidden wherever it was before; the key is taken off the disk.
fn brought(known: Elsewhere, way: &std::fs::File) -> Result<Elsewhere> {
    files::make_folder(Path::new(WAY))?;
    let held = format!("/proc/self/fd/{}", way.as_raw_fd());
    mount_bind(held.as_str(), WAY).context("bringing the way out along")?;
    elsewhere::take_key(Path::new(WAY))?;
    Ok(Elsewhere { folder: WAY.into(), ..known })
}
