//! Sandbox of the test network: requirements, namespaces, and hidden folders.

use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::mount::{MountFlags, mount, mount_bind};
use serde::Serialize;

use super::external_control::{self, ExternalControl};
use super::programs::{FaultInjection, Programs};
use crate::interrupted::Interrupted;
use crate::outcome::Outcome;
use crate::tools::qemu::Runner;
use crate::{files, output, process};

/// The folder of the programs inside the sandbox.
const PROGRAMS: &str = "/run/programs";

/// The mount point of the folder of [`external_control::EgressProxy`] inside the sandbox.
const EGRESS: &str = "/run/egress";

/// Directories replaced by tmpfs, so that the daemon neither sees the host's state nor leaves files behind. `/run` holds
/// the files of the test network.
const HIDDEN: [&str; 4] = ["/run", "/var/lib", "/var/cache", "/var/log"];

/// Arguments of `unshare`. The namespaces end with the program, and the program ends with this process.
const UNSHARE: [&str; 6] = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];

/// Returns the first missing requirement, or `None` if the test network can run here.
#[must_use]
pub fn missing_requirement() -> Option<String> {
    if std::env::consts::OS != "linux" {
        return Some(format!("namespaces need Linux; this is {}", std::env::consts::OS));
    }
    if let Some(missing) = ["unshare", "nsenter"].iter().find(|name| process::on_path(name).is_none()) {
        return Some(format!("`{missing}` is not installed (Debian's util-linux)"));
    }
    if !rustix::process::geteuid().is_root() {
        return Some("creating namespaces with a TUN device needs root; run it with sudo".to_owned());
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
        Ok(output) => Some(format!("can't create namespaces: {}", output.stderr.trim())),
        Err(error) => Some(format!("can't create namespaces: {error}")),
    }
}

/// Inside, ends a run: reports its failure as an event. The process outside reports an interruption.
///
/// # Errors
/// If the process outside is gone.
pub fn ended<E: Serialize>(run: Result<()>, failed: impl FnOnce(String) -> E) -> Result<Outcome> {
    match run {
        Ok(()) => return Ok(Outcome::Clean),
        Err(error) if error.is::<Interrupted>() => {}
        Err(error) => output::event(&failed(format!("{error:#}")))?,
    }
    Ok(Outcome::Findings)
}

/// Runs this program again inside new namespaces and passes each line of its stdout to `line`.
///
/// # Errors
/// [`crate::interrupted::Interrupted`] if the run is interrupted, after everything inside has ended.
pub fn run_in_namespaces(arguments: &[&str], line: impl FnMut(&str) -> Result<()>) -> Result<ExitStatus> {
    let mut command = Command::new(process::needed("unshare")?);
    command.args(UNSHARE).arg(std::env::current_exe().context("finding this program")?).args(arguments);
    process::lines(command, line)
}

/// Inside, before anything else: mounts a tmpfs over the machine's folders and installs the programs.
///
/// # Errors
/// If a program can't be read, or the process is not the first of its PID namespace.
pub fn prepare(
    lab: &Path,
    daemon: &Path,
    runner: Runner,
    fault: FaultInjection,
    external: Option<ExternalControl>,
) -> Result<Programs> {
    // Mounts affect only this namespace: PID 1 was started by `run_in_namespaces`.
    anyhow::ensure!(std::process::id() == 1, "this is run by `verify`, not by hand");
    let (lab, daemon) = (files::read_bytes(lab)?, files::read_bytes(daemon)?);
    let egress = external.as_ref().map(|external| std::fs::File::open(&external.folder));
    let egress = egress.transpose().context("opening the egress folder")?;
    HIDDEN.iter().filter(|folder| Path::new(folder).is_dir()).try_for_each(|folder| mount_tmpfs(folder))?;
    let lab = install_program(&Path::new(PROGRAMS).join("lab"), &lab)?;
    let (tailscaled, tailscale) = install_daemon("daemon", &daemon)?;
    let external = external.zip(egress).map(|(external, folder)| mount_egress(external, &folder)).transpose()?;
    let (partner, unpacked, soak) = (None, None, Duration::ZERO);
    Ok(Programs { lab, tailscaled, tailscale, partner, unpacked, runner, fault, external, soak })
}

/// Inside, installs a daemon in a folder of that name; returns the paths of `tailscaled` and `tailscale`.
///
/// # Errors
/// If it can't be written.
pub fn install_daemon(folder: &str, daemon: &[u8]) -> Result<(PathBuf, PathBuf)> {
    let folder = Path::new(PROGRAMS).join(folder);
    let tailscaled = install_program(&folder.join("tailscaled"), daemon)?;
    let tailscale = folder.join("tailscale");
    files::link("tailscaled", &tailscale)?;
    Ok((tailscaled, tailscale))
}

fn mount_tmpfs(folder: &str) -> Result<()> {
    mount("tmpfs", folder, "tmpfs", MountFlags::NOSUID, None).with_context(|| format!("hiding {folder}"))
}

fn install_program(path: &Path, bytes: &[u8]) -> Result<PathBuf> {
    files::make_folder(path.parent().unwrap_or(path))?;
    std::fs::write(path, bytes)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    Ok(path.to_owned())
}

/// Mounts the egress folder, whose original path may be hidden, and removes the auth key from the disk.
fn mount_egress(external: ExternalControl, folder: &std::fs::File) -> Result<ExternalControl> {
    files::make_folder(Path::new(EGRESS))?;
    let source = format!("/proc/self/fd/{}", folder.as_raw_fd());
    mount_bind(source.as_str(), EGRESS).context("mounting the egress folder")?;
    external_control::take_key(Path::new(EGRESS))?;
    Ok(ExternalControl { folder: EGRESS.into(), ..external })
}
