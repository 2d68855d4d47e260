//! Containers for tests: an archive, unpacked as RouterOS would, that runc runs in a separate network namespace.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use super::wait_until;
use serde_json::{Value, json};
use tailscale_featureset::process::on_path;

/// Returns why containers can't be run here; `None` if they can.
pub(crate) fn obstacle() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("only root can run a container in a network namespace".to_owned());
    }
    let missing = ["runc", "tar", "nsenter"].into_iter().find(|tool| on_path(tool).is_none())?;
    Some(format!("{missing} is not installed"))
}

/// Runs a tool that must succeed; returns its output.
pub(crate) fn stdout(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The root of an archive, unpacked by tar.
pub(crate) struct Root {
    folder: tempfile::TempDir,
    config: Value,
}

impl Root {
    pub(crate) fn unpack(archive: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("rootfs");
        std::fs::create_dir(&root).unwrap();
        stdout(Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(folder.path()));
        let json = |name: &str| -> Value {
            serde_json::from_slice(&std::fs::read(folder.path().join(name)).unwrap()).unwrap()
        };
        let manifest = json("manifest.json");
        let layer = folder.path().join(manifest[0]["Layers"][0].as_str().unwrap());
        stdout(Command::new("tar").arg("-xpf").arg(layer).arg("-C").arg(&root));
        let config = json(manifest[0]["Config"].as_str().unwrap());
        Self { config, folder }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("rootfs")
    }

    /// Returns the size of the root in bytes, measured by `du -sx`.
    pub(crate) fn on_disk(&self) -> u64 {
        let said = stdout(Command::new("du").args(["-sx", "--block-size=1"]).arg(self.path()));
        said.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Starts the image's own entrypoint with these arguments in the place of the image's.
    pub(crate) fn run(&self, arguments: &[&str], setting: &Setting) -> Running {
        let first = self.config["config"]["Entrypoint"].as_array().unwrap();
        let words: Vec<&str> =
            first.iter().map(|word| word.as_str().unwrap()).chain(arguments.iter().copied()).collect();
        let path = self.config["config"]["Env"][0].as_str().unwrap();
        let environment: Vec<&str> = std::iter::once(path).chain(setting.environment.iter().copied()).collect();
        std::fs::write(self.folder.path().join("config.json"), config(&words, &environment, setting).to_string())
            .unwrap();
        let id = format!("featureset-{}-{}", std::process::id(), self.folder.path().file_name().unwrap().display());
        let out = self.folder.path().join("out");
        let file = std::fs::File::create(&out).unwrap();
        let mut command = Command::new("runc");
        command.args(["--root", "state", "run", &id]).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap();
        Running { child, id, folder: self.folder.path().to_owned(), out }
    }
}

/// How a container is run.
#[derive(Default)]
pub(crate) struct Setting<'a> {
    pub(crate) environment: Vec<&'a str>,
    /// Whether the kernel's switches can't be written.
    pub(crate) read_only_switches: bool,
    /// Whether forwarding is on before the entrypoint runs.
    pub(crate) forwarding: bool,
    /// A named network namespace to join, instead of one for this container only.
    pub(crate) network: Option<&'a str>,
    /// Folders of this machine and where the container has them.
    pub(crate) mounts: Vec<(&'a Path, &'a str)>,
}

fn config(words: &[&str], environment: &[&str], setting: &Setting<'_>) -> Value {
    let rights = ["CHOWN", "DAC_OVERRIDE", "KILL", "NET_ADMIN", "NET_BIND_SERVICE", "NET_RAW", "SYS_ADMIN"];
    let rights: Vec<String> = rights.iter().map(|name| format!("CAP_{name}")).collect();
    let read_only: &[&str] = if setting.read_only_switches { &["/proc/sys"] } else { &[] };
    let on = json!({ "net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1" });
    let switches = if setting.forwarding { on } else { json!({}) };
    let network = match setting.network {
        Some(name) => json!({ "type": "network", "path": format!("/run/netns/{name}") }),
        None => json!({ "type": "network" }),
    };
    let namespaces: Vec<Value> =
        ["pid", "ipc", "uts", "mount"].iter().map(|kind| json!({ "type": kind })).chain([network]).collect();
    let mount = |at: &str, kind: &str| json!({ "destination": at, "type": kind, "source": kind });
    let own = setting
        .mounts
        .iter()
        .map(|(from, at)| json!({ "destination": at, "type": "bind", "source": from, "options": ["rbind", "rw"] }));
    let mounts = [mount("/proc", "proc"), mount("/dev", "tmpfs"), mount("/sys", "sysfs")];
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": { "uid": 0, "gid": 0 }, "args": words, "env": environment, "cwd": "/",
            "capabilities": { "bounding": rights, "effective": rights, "permitted": rights, "inheritable": rights },
        },
        "root": { "path": "rootfs", "readonly": false },
        "hostname": "router",
        "mounts": mounts.into_iter().chain(own).collect::<Vec<_>>(),
        "linux": {
            "namespaces": namespaces,
            "readonlyPaths": read_only,
            "sysctl": switches,
            "devices": [{ "path": "/dev/net/tun", "type": "c", "major": 10, "minor": 200, "fileMode": 0o666, "uid": 0, "gid": 0 }],
        },
    })
}

/// A container that runs; it ends when it is dropped.
pub(crate) struct Running {
    child: Child,
    id: String,
    folder: PathBuf,
    out: PathBuf,
}

impl Running {
    fn runc(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("runc");
        command.args(["--root", "state"]).args(arguments).current_dir(&self.folder).output().unwrap()
    }

    /// Everything that was printed so far.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.out).unwrap()).into_owned()
    }

    /// Waits until this is printed.
    pub(crate) fn wait_for(&mut self, text: &str) {
        wait_until(&format!("the container prints `{text}`"), || {
            let printed = self.output().contains(text);
            let ended = self.child.try_wait().unwrap();
            assert!(printed || ended.is_none(), "the container ended without `{text}`:\n{}", self.output());
            printed
        });
    }

    /// Ends the container as RouterOS does: asks the daemon, and waits.
    pub(crate) fn stop(&mut self) {
        self.runc(&["kill", &self.id, "TERM"]);
        wait_until("the container ends", || self.child.try_wait().unwrap().is_some());
        self.runc(&["delete", "--force", &self.id]);
    }

    /// The first process of the container, as this machine counts.
    pub(crate) fn process(&self) -> u32 {
        let state: Value = serde_json::from_slice(&self.runc(&["state", &self.id]).stdout).unwrap();
        u32::try_from(state["pid"].as_u64().unwrap()).unwrap()
    }

    /// The words of the first process.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let bytes = std::fs::read(format!("/proc/{}/cmdline", self.process())).unwrap();
        let words = bytes.strip_suffix(b"\0").unwrap_or(&bytes).split(|byte| *byte == 0);
        words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    }

    /// Runs a program in the container; returns its status and its output.
    pub(crate) fn exec(&self, words: &[&str]) -> (i32, String) {
        let output = self.runc(&[&["exec", &self.id], words].concat());
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
    }

    /// Runs a program of this machine in the container's network.
    pub(crate) fn in_network(&self, words: &[&str]) -> String {
        let process = self.process().to_string();
        stdout(Command::new("nsenter").args(["--net", "--target", &process]).args(words))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.runc(&["kill", &self.id, "KILL"]);
        let _ = self.child.wait();
        let _ = self.runc(&["delete", "--force", &self.id]);
    }
}

/// Programs of a foreign processor run by QEMU wherever they are started: a handler that holds QEMU open, so that it is
/// found in every container too. Dropping this restores the previous registration.
pub(crate) struct Foreign {
    name: Option<String>,
    mounted: bool,
}

const HANDLERS: &str = "/proc/sys/fs/binfmt_misc";

impl Foreign {
    /// Registers QEMU for an architecture of Go.
    pub(crate) fn register(architecture: &str) -> Result<Self, String> {
        let (qemu, wide, machine) = match architecture {
            "arm64" => ("qemu-aarch64-static", 2, 0xb7),
            "arm" => ("qemu-arm-static", 1, 0x28),
            _ => return Ok(Self { name: None, mounted: false }),
        };
        let program = on_path(qemu).ok_or_else(|| format!("{qemu} is not installed"))?;
        let mounted = !Path::new(HANDLERS).join("register").exists();
        if mounted {
            let mount = Command::new("mount").args(["-t", "binfmt_misc", "binfmt_misc", HANDLERS]).output();
            if !mount.is_ok_and(|output| output.status.success()) {
                return Err("this kernel lets no handler of foreign programs be registered".to_owned());
            }
        }
        let name = format!("featureset-{architecture}");
        // The ELF header: class, little endian, version; then an executable of this machine.
        let magic =
            format!(r"\x7fELF\x{wide:02x}\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x{machine:02x}\x00");
        let mask = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff";
        // P: argv[0] is preserved. F: the interpreter is opened now.
        let handler = format!(":{name}:M::{magic}:{mask}:{}:PF", program.display());
        let foreign = Self { name: Some(name), mounted };
        std::fs::write(Path::new(HANDLERS).join("register"), handler)
            .map_err(|error| format!("no handler: {error}"))?;
        Ok(foreign)
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _ = std::fs::write(Path::new(HANDLERS).join(name), "-1");
        }
        if self.mounted {
            let _ = Command::new("umount").arg(HANDLERS).status();
        }
    }
}
