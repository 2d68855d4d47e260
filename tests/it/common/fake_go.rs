//! A project in which a script replaces Go, so that failures of Go and of the network can be had at once.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use diagnostics::Code;

use super::{GO, Ran, command, finish, folder, policy};

/// A target that no machine of the tests runs natively.
pub(crate) const FOREIGN_TARGET: &str = "{ platform: linux/riscv64, build: { pack: none } }";

/// A project with its own cache, and folders for replaced programs and modules.
pub(crate) struct Project(tempfile::TempDir);

impl Project {
    pub(crate) fn new() -> Self {
        Self::with_policy(&policy(&["cli"], FOREIGN_TARGET))
    }

    pub(crate) fn with_policy(policy: &str) -> Self {
        Self(folder(policy))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Writes a script that commands find before the machine's own program of that name.
    pub(crate) fn program(&self, name: &str, script: &str) {
        self.write(&format!("bin/{name}"), format!("#!/bin/sh\n{script}\n"));
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.path().join("bin").join(name), mode).unwrap();
    }

    /// Replaces Go: `list` prints `releases.json`, `build` fails with a message, and only modules that [`Project::module`]
    /// writes can be fetched.
    pub(crate) fn go(&self, message: &str) {
        let root = self.path().display();
        let version = GO;
        self.write("declared.json", "{}");
        let script = format!(
            r#"case $1 in
env) echo '{{"GOCACHE": "{root}/go-build", "GOMODCACHE": "{root}/mod", "GOVERSION": "go{version}"}}' ;;
mod)
    for module; do :; done
    if [ -d "{root}/mod/$module" ]; then
        echo "{{\"GoMod\": \"{root}/mod/$module/go.mod\", \"Dir\": \"{root}/mod/$module\", \"Sum\": \"h1:a=\"}}"
    else
        echo '{{"Error": "unknown revision"}}'
    fi ;;
run) cat "{root}/declared.json" ;;
list) cat "{root}/releases.json" ;;
*)
    echo '{message}' >&2
    exit 1 ;;
esac"#
        );
        self.program("go", &script);
    }

    /// Writes the module of a release, with a registry of features.
    pub(crate) fn module(&self, release: &str) {
        let module = format!("mod/tailscale.com@v{release}");
        self.write(&format!("{module}/go.mod"), format!("module tailscale.com\n\ngo {GO}\n"));
        self.write(&format!("{module}/go.sum"), "");
        self.write(&format!("{module}/feature/featuretags/featuretags.go"), "package featuretags\n");
        let branch = "--extra-small)\n  tags=$(go run ./cmd/featuretags --min --add=osrouter)\n  ;;\n";
        self.write(&format!("{module}/build_dist.sh"), branch);
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(self.path(), arguments);
        let paths = std::env::var_os("PATH").unwrap();
        let paths = [self.path().join("bin")].into_iter().chain(std::env::split_paths(&paths));
        command.env("PATH", std::env::join_paths(paths).unwrap());
        command.env("XDG_CACHE_HOME", self.path().join("cache"));
        command
    }

    /// Runs a command, which must report this code.
    pub(crate) fn fails(&self, arguments: &[&str], code: Code) -> Ran {
        let ran = finish(self.command(arguments));
        assert!(ran.stderr.contains(&format!("[{code}]")), "{arguments:?}: {}", ran.transcript());
        ran
    }
}
