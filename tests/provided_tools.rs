//! Go and UPX hidden: both are provided without root, and the build goes on. Long, and needs the network.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a panic is how a test reports")]

mod common;

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use common::{command, finish, folder, full, policy, skip};

/// What may be on the PATH: everything of the usual folders but Go and UPX.
fn path_without_tools(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for place in std::env::split_paths(&std::env::var_os("PATH").unwrap()) {
        for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let hidden = ["go", "gofmt", "upx", "upx-ucl"].iter().any(|tool| name == *tool);
            if !hidden {
                let _ = symlink(entry.path(), folder.join(name));
            }
        }
    }
}

#[test]
fn go_and_upx_are_provided_to_an_unprivileged_user() {
    if !full() {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        return skip("only root can become another user");
    }
    let project = folder(&policy(&["cli"], "{ platform: linux/amd64 }"));
    let home = tempfile::tempdir().unwrap();
    let bin = home.path().join("bin");
    path_without_tools(&bin);
    // `nobody` may write where the project and its home are, and read the program; nothing else is given.
    let program = home.path().join("tailscale-featureset");
    std::fs::copy(env!("CARGO_BIN_EXE_tailscale-featureset"), &program).unwrap();
    for folder in [project.path(), home.path()] {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    let mut command = command(project.path(), &[]);
    command = {
        let mut as_nobody = std::process::Command::new("setpriv");
        as_nobody.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program).arg("build-tailscale");
        as_nobody.current_dir(project.path()).env("NO_COLOR", "1").env("PATH", &bin).env("HOME", home.path());
        for name in ["GOFLAGS", "GOTOOLCHAIN", "GOROOT", "GOPATH"] {
            as_nobody.env_remove(name);
        }
        drop(command);
        as_nobody
    };
    let ran = finish(command);
    assert_eq!(ran.status, 0, "{}", ran.shown());
    assert!(ran.stderr.contains("Provided Go") && ran.stderr.contains("Provided UPX"), "{}", ran.stderr);
    assert!(project.path().join("target/tailscale/one/tailscaled").is_file());
}
