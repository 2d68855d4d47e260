//! skopeo, which talks to registries: it reads the credentials that `skopeo login`, `podman login` and `docker login` store.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use image::reference::Reference;

use crate::tools::os_release_value;
use crate::{files, process};
use diagnostics::{Code, Diagnostic};

/// The program.
#[derive(Debug)]
pub struct Skopeo(PathBuf);

/// The commands that install skopeo, by the `ID` or `ID_LIKE` of a distribution.
const INSTALL: [(&[&str], &str); 5] = [
    (&["debian", "ubuntu"], "apt-get install skopeo"),
    (&["fedora", "rhel", "centos"], "dnf install skopeo"),
    (&["alpine"], "apk add skopeo"),
    (&["arch"], "pacman -S skopeo"),
    (&["suse", "opensuse"], "zypper install skopeo"),
];

/// Returns the next step for a distribution with this `os-release`.
fn install(os_release: &str) -> String {
    let names = ["ID", "ID_LIKE"].into_iter().filter_map(|name| os_release_value(os_release, name));
    let names: Vec<&str> = names.flat_map(str::split_whitespace).collect();
    let is_one = |known: &[&str]| names.iter().any(|name| known.contains(name));
    match INSTALL.iter().find(|(known, _)| is_one(known)) {
        Some((_, command)) => format!("Install it with `{command}`."),
        None => "Install it: its documentation lists the package of each system.".to_owned(),
    }
}

impl Skopeo {
    /// Finds skopeo on the PATH.
    ///
    /// # Errors
    /// A [`Diagnostic`] with the command that installs it if it is missing.
    pub fn find() -> Result<Self> {
        let missing = || {
            let next = install(&std::fs::read_to_string("/etc/os-release").unwrap_or_default());
            Diagnostic::failure(Code::SkopeoMissing, "skopeo is not installed", "it pushes the image", next)
        };
        Ok(Self(process::on_path("skopeo").ok_or_else(missing)?))
    }

    /// Returns the digest that a tag points at; `None` if the registry has no such tag.
    ///
    /// # Errors
    /// A [`Diagnostic`] with skopeo's message if the registry can't be asked.
    pub fn digest(&self, reference: &Reference) -> Result<Option<String>> {
        let mut command = Command::new(&self.0);
        command.args(["inspect", "--raw"]);
        if reference.is_local() {
            command.arg("--tls-verify=false");
        }
        command.arg(format!("docker://{reference}"));
        let output = process::output(command)?;
        if output.status.success() {
            return Ok(Some(format!("sha256:{}", files::sha256(&output.bytes))));
        }
        if is_absent(&output.stderr) {
            return Ok(None);
        }
        Err(refused(format!("the registry can't be asked for {reference}"), reference, &output.stderr).into())
    }

    /// Pushes one name of a layout with everything below it, with the same bytes.
    ///
    /// # Errors
    /// A [`Diagnostic`] with skopeo's message if the registry refuses it.
    pub fn push(&self, layout: &Path, name: &str, reference: &Reference) -> Result<()> {
        let mut command = Command::new(&self.0);
        // The layout is our own, so no signature of it is required. A path may have a colon, `.` has none.
        command.current_dir(layout).args(["--insecure-policy", "copy", "--quiet", "--all", "--preserve-digests"]);
        command.arg("--retry-times=2");
        if reference.is_local() {
            command.arg("--dest-tls-verify=false");
        }
        command.arg(format!("oci:.:{name}")).arg(format!("docker://{reference}"));
        let output = process::output(command)?;
        if output.status.success() {
            return Ok(());
        }
        Err(refused(format!("{reference} can't be pushed"), reference, &output.stderr).into())
    }
}

/// Whether a registry's answer means that the tag or the repository does not exist.
fn is_absent(stderr: &str) -> bool {
    let text = stderr.to_lowercase();
    ["manifest unknown", "name unknown", "repository name not known", "not found"]
        .iter()
        .any(|part| text.contains(part))
}

/// Returns skopeo's message without its log format.
fn reason(stderr: &str) -> String {
    let line = stderr.trim().lines().last().unwrap_or_default();
    match line.split_once("msg=") {
        Some((_, message)) => {
            // One quote at each end: the message itself may end with an escaped one.
            let quoted = message.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            quoted.unwrap_or(message).replace("\\\"", "\"")
        }
        None => line.to_owned(),
    }
}

fn refused(message: String, reference: &Reference, stderr: &str) -> Diagnostic {
    let next = format!(
        "If it asks for credentials, run `skopeo login {}`. Run the command again: what was pushed is kept.",
        reference.registry
    );
    Diagnostic::failure(Code::RegistryRefused, message, reason(stderr), next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_step_names_the_command_of_the_distribution() {
        assert_eq!(install("ID=debian\n"), "Install it with `apt-get install skopeo`.");
        assert_eq!(install("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"), "Install it with `apt-get install skopeo`.");
        assert_eq!(install("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n"), "Install it with `dnf install skopeo`.");
        assert!(install("").starts_with("Install it: "));
    }

    #[test]
    fn answers_of_registries() {
        let absent = "time=\"x\" level=fatal msg=\"Error parsing image name \\\"docker://l/a:b\\\": reading manifest b in l/a: manifest unknown: manifest unknown\"";
        assert!(is_absent(absent));
        let refused = "time=\"x\" level=fatal msg=\"writing blob: unauthorized: \\\"a\\\"\"\n";
        assert!(!is_absent(refused));
        assert_eq!(reason(refused), "writing blob: unauthorized: \"a\"");
        assert_eq!(reason("plain\n"), "plain");
    }
}
