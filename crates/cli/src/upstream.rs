//! A release of Tailscale: fetches and verifies its module, and generates the module that builds from it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use featureset::recipe::{MODULE, Recipe};

use featureset::release::{GoVersion, Release};
use serde::{Deserialize, Serialize};

use crate::cache::Cache;
use crate::process::Output;
use crate::programs::{self, Program};
use crate::tools::go::{self, Go};
use crate::{files, process, progress, unfetched};
use diagnostics::{Code, Diagnostic};

/// A release whose module is in the module cache.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// The release.
    pub release: Release,
    /// The generated module that requires nothing but this release.
    pub module: PathBuf,
    /// The checksum of the release's module, `h1:…`.
    pub sum: String,
    /// The commit of the release, if the module's origin names it.
    pub commit: Option<String>,
    /// The lowest Go that builds it.
    pub needs: GoVersion,
    /// The value of GOTOOLCHAIN for commands that do not build a target.
    toolchain: String,
}

/// The output of `go mod download -json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Download {
    #[serde(default)]
    error: String,
    #[serde(default)]
    go_mod: PathBuf,
    #[serde(default)]
    dir: PathBuf,
    #[serde(default)]
    sum: String,
    #[serde(default)]
    go_mod_sum: String,
    origin: Option<Origin>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Origin {
    hash: Option<String>,
}

/// A feature in a release's registry, with upstream's description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// The suffix of its constant.
    pub symbol: String,
    /// Its direct dependencies.
    pub needs: Vec<String>,
    /// Whether it is an implementation detail.
    pub implementation_detail: bool,
    /// Upstream's description.
    pub description: String,
}

/// Fetches a release's module and writes the module that builds from it. It is in the user's cache, because Go compiles every
/// file in its folder.
///
/// The installed Go does this if it is new enough for the release; else the `pinned` toolchain, or the one that the
/// release requires.
///
/// # Errors
/// A [`Diagnostic`] if the release does not exist or can't be fetched.
pub fn fetch(go: &Go, cache: &Cache, release: Release, pinned: Option<GoVersion>) -> Result<Upstream> {
    let folder = module_folder(cache.folder()?, release);
    files::make_folder(&folder)?;
    // Any Go can fetch a go.mod; only a Go that is new enough can fetch the module.
    let first = download(go, &folder, release, "local")?;
    let needs = needed_go(&first.go_mod)?;
    let toolchain = go::toolchain(go, needs, pinned);
    let found = if first.error.is_empty() { first } else { download(go, &folder, release, &toolchain)? };
    if !found.error.is_empty() {
        return Err(unavailable(release, &found.error));
    }
    let commit = found.origin.and_then(|origin| origin.hash);
    let upstream = Upstream { release, module: folder, sum: found.sum, commit, needs, toolchain };
    write_module(&upstream, &found.dir, &found.go_mod_sum)?;
    Ok(upstream)
}

/// Returns upstream's stable releases, oldest first, from the module proxy, without odd lines and pre-releases.
///
/// # Errors
/// A [`Diagnostic`] if they can't be listed.
pub fn releases(go: &Go, cache: &Cache) -> Result<Vec<Release>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Listed {
        #[serde(default)]
        versions: Vec<String>,
    }
    let folder = module_folder(cache.folder()?, "list");
    let mut command = go.command(&["list", "-m", "-versions", "-json", MODULE], &go::plain("local"));
    command.env("GO111MODULE", "on").current_dir(neutral(&folder)?);
    let output = process::output(command)?;
    let problem = |why: &str| {
        let next = "Check the network, and GOPROXY if you set one; nothing was changed.";
        Diagnostic::failure(Code::ReleasesUnavailable, "Tailscale's releases can't be listed", why.trim(), next)
    };
    let listed: Listed = serde_json::from_str(&output.stdout).map_err(|_| problem(&output.stderr))?;
    let version = |text: &String| text.strip_prefix('v')?.parse::<Release>().ok();
    let mut releases: Vec<Release> =
        listed.versions.iter().filter_map(version).filter(|release| release.is_stable()).collect();
    releases.sort_unstable();
    if releases.is_empty() {
        return Err(problem(&format!("the list has no stable release: {}", output.stderr)).into());
    }
    Ok(releases)
}

/// Returns the folder of a release's generated module in a cache.
pub(crate) fn module_folder(cache: &Path, name: impl std::fmt::Display) -> PathBuf {
    cache.join("modules").join(name.to_string())
}

/// Locks a generated module, which all of the user's projects share.
fn lock(module: &Path) -> Result<std::fs::File> {
    files::lock(module, || progress::line("Waiting", "for another run that uses the same module"))
}

fn unavailable(release: Release, why: &str) -> anyhow::Error {
    let next = "Check the version and the network; `go list -m -versions tailscale.com` lists releases.";
    Diagnostic::failure(Code::ReleaseUnavailable, format!("Tailscale {release} can't be fetched"), why.trim(), next)
        .into()
}

fn download(go: &Go, folder: &Path, release: Release, toolchain: &str) -> Result<Download> {
    let module = format!("{MODULE}@{}", release.module_version());
    let mut command = go.command(&["mod", "download", "-json", &module], &go::plain(toolchain));
    // Runs outside other modules, because a go.mod in a parent folder would have an effect.
    command.env("GO111MODULE", "on").current_dir(neutral(folder)?);
    let output = process::output(command)?;
    let found: Download = serde_json::from_str(&output.stdout).map_err(|_| unavailable(release, &output.stderr))?;
    if found.go_mod.as_os_str().is_empty() {
        return Err(unavailable(release, &found.error));
    }
    Ok(found)
}

/// Creates a folder with an empty module.
///
/// Go adds a missing `go` line with its own version, and then an older Go that runs at the same time rejects the module.
fn neutral(folder: &Path) -> Result<PathBuf> {
    let neutral = folder.with_file_name("none");
    files::write(&neutral.join("go.mod"), "module featureset.invalid/none\n\ngo 1.21\n")?;
    Ok(neutral)
}

/// Returns the `go` line of a go.mod. `go mod edit -json` can't be used, because an older Go rejects newer directives.
fn needed_go(go_mod: &Path) -> Result<GoVersion> {
    let text = files::read(go_mod)?;
    let version = text.lines().find_map(|line| line.strip_prefix("go ")).unwrap_or_default().trim();
    version.parse().with_context(|| format!("reading the `go` line of {}", go_mod.display()))
}

/// Writes upstream's go.sum with two lines for upstream itself. Nothing is resolved again, so the dependencies are those that
/// upstream tested.
fn write_module(upstream: &Upstream, dir: &Path, go_mod_sum: &str) -> Result<()> {
    let version = upstream.release.module_version();
    let go_mod = format!("module featureset.invalid/build\n\ngo {}\n\nrequire {MODULE} {version}\n", upstream.needs);
    let own = format!("{MODULE} {version} {}\n{MODULE} {version}/go.mod {go_mod_sum}\n", upstream.sum);
    let sums = files::read(&dir.join("go.sum"))? + &own;
    let _lock = lock(&upstream.module)?;
    // Each program has its own module: its imports change its go.mod, and not the build's.
    let registry = upstream.module.join("registry");
    for folder in [&upstream.module, &registry] {
        files::write(&folder.join("go.mod"), &go_mod)?;
        files::write(&folder.join("go.sum"), &sums)?;
    }
    programs::REGISTRY.sources.iter().try_for_each(|(file, source)| files::write(&registry.join(file), source))
}

impl Upstream {
    /// The value of GOTOOLCHAIN for commands that do not build a target.
    #[must_use]
    pub fn toolchain(&self) -> &str {
        &self.toolchain
    }

    /// Returns the version of Go that runs such commands.
    ///
    /// # Errors
    /// If the installed Go's version can't be parsed.
    pub fn go_version(&self, go: &Go) -> Result<GoVersion> {
        let name = if self.toolchain == "local" { &go.version } else { &self.toolchain };
        Ok(name.trim_start_matches("go").parse()?)
    }

    /// Returns the folder of upstream's source in the module cache.
    ///
    /// # Errors
    /// If Go has no module cache.
    pub fn source(&self, go: &Go) -> Result<PathBuf> {
        let cache = go.module_cache().context("Go has no module cache")?;
        Ok(cache.join(format!("{MODULE}@{}", self.release.module_version())))
    }

    /// Builds a Go command in the generated module.
    #[must_use]
    pub fn go(&self, go: &Go, arguments: &[&str], variables: &[(String, String)]) -> Command {
        let mut command = go.command(arguments, variables);
        command.current_dir(&self.module);
        command
    }

    /// Builds upstream's `featuretags` program next to the module; tests compare our tag lists with its output.
    ///
    /// # Errors
    /// A [`Diagnostic`] if it does not build.
    pub fn featuretags(&self, go: &Go) -> Result<PathBuf> {
        let _lock = lock(&self.module)?;
        let what = ("tailscale.com/cmd/featuretags", &[][..], &go::plain(&self.toolchain)[..]);
        self.build(go, "registry", "featuretags", what, |output| {
            let message = format!("`featuretags` of Tailscale {} can't be built", self.release);
            Diagnostic::failure(Code::ToolFailed, message, output.stderr.trim(), "Correct the reason above.")
        })
    }

    /// Writes one of our programs into its own module, which requires only this release. Returns the folder.
    ///
    /// # Errors
    /// An error if it can't be written.
    pub fn write_program(&self, program: &Program) -> Result<PathBuf> {
        let folder = self.module.join(program.name);
        for file in ["go.mod", "go.sum"] {
            files::write(&folder.join(file), &files::read(&self.module.join(file))?)?;
        }
        for (file, source) in program.sources {
            files::write(&folder.join(file), source)?;
        }
        Ok(folder)
    }

    /// Builds one of our programs, which uses the release's packages and modules.
    ///
    /// # Errors
    /// A [`Diagnostic`] if it does not build, with the side that is at fault.
    pub fn build_program(&self, go: &Go, program: &Program) -> Result<PathBuf> {
        let _lock = lock(&self.module)?;
        self.write_program(program)?;
        let name = format!("{}.program", program.name);
        let variables = go::plain(&self.toolchain);
        self.build(go, program.name, &name, (".", &[], &variables[..]), |output| self.not_built(program, output))
    }

    /// As [`Upstream::build_program`], with the tags, the platform and the toolchain of a recipe.
    ///
    /// # Errors
    /// As [`Upstream::build_program`].
    pub fn build_program_with(&self, go: &Go, program: &Program, recipe: &Recipe) -> Result<PathBuf> {
        let _lock = lock(&self.module)?;
        self.write_program(program)?;
        let tags = format!("-tags={}", recipe.tags.join(","));
        let name = format!("{}-{}.program", program.name, files::sha256(tags.as_bytes()).split_at(16).0);
        let what = (".", &[tags.as_str()][..], &recipe.environment()[..]);
        self.build(go, program.name, &name, what, |output| self.not_built(program, output))
    }

    /// Builds a program while the module is locked. The old one is replaced atomically, because another run may start it.
    fn build(
        &self,
        go: &Go,
        folder: &str,
        program: &str,
        (package, flags, variables): (&str, &[&str], &[(String, String)]),
        not_built: impl FnOnce(&Output) -> Diagnostic,
    ) -> Result<PathBuf> {
        let output = format!("../.partial-{program}");
        let arguments = [&["build", "-mod=mod", "-o", &output], flags, &[package]].concat();
        let mut command = self.go(go, &arguments, variables);
        command.current_dir(self.module.join(folder));
        let output = process::output(command)?;
        if !output.status.success() {
            let unfetched = unfetched::problem(&output.stderr);
            return Err(unfetched.unwrap_or_else(|| not_built(&output)).into());
        }
        let built = self.module.join(program);
        files::rename(&self.module.join(format!(".partial-{program}")), &built)?;
        Ok(built)
    }

    /// Returns the problem of one of our programs that does not build.
    fn not_built(&self, program: &Program, output: &Output) -> Diagnostic {
        let complaints = program.complaints(output);
        if complaints.is_empty() {
            let message = format!("the program `{}` can't be built for Tailscale {}", program.name, self.release);
            let next = "Correct the reason above, which Go reports, and run the command again.";
            return Diagnostic::failure(Code::ProgramNotBuilt, message, output.stderr.trim(), next);
        }
        Diagnostic::failure(
            Code::ProgramOutdated,
            format!("our program `{}` does not compile with Tailscale {}", program.name, self.release),
            complaints.join("\n"),
            "This is a fault of tailscale-featureset, not of the policy or of Tailscale: the release changed a package that \
             the program uses. Report it to this project with these lines; until then, pin an older release.",
        )
    }

    /// Builds a command for a program that runs `go` in the generated module; it finds our Go first.
    #[must_use]
    pub fn go_program(&self, go: &Go, program: &Path) -> Command {
        let mut command = go.environment_of(program, &go::plain(&self.toolchain));
        command.current_dir(&self.module);
        command
    }

    /// Reads the release's registry by running upstream's package; the result is saved next to the module.
    ///
    /// # Errors
    /// A [`Diagnostic`] if the program does not build or run.
    pub fn declared(&self, go: &Go) -> Result<BTreeMap<String, Declared>> {
        if !self.source(go)?.join("feature/featuretags").is_dir() {
            return Err(Diagnostic::failure(
                Code::NoRegistry,
                format!("Tailscale {} has no registry of features", self.release),
                "upstream has declared its features in `feature/featuretags` since 1.90",
                "Name a release of 1.90 or later.",
            )
            .into());
        }
        let _lock = lock(&self.module)?;
        if let Some(declared) = read_declared(&self.module) {
            return Ok(declared);
        }
        let mut command = self.go(go, &["run", "-mod=mod", "."], &go::plain(&self.toolchain));
        command.current_dir(self.module.join("registry"));
        let next = "Report this to tailscale-featureset: its program `registry` may not fit this release.";
        let json = process::stdout(command, next)?;
        let declared = serde_json::from_str(&json).context("reading the registry that the program printed")?;
        files::write(&self.module.join(DECLARED), &json)?;
        Ok(declared)
    }
}

/// Returns the file of the release's registry in a generated module.
const DECLARED: &str = "registry.json";

/// Returns the release's registry, if it was read before.
fn read_declared(module: &Path) -> Option<BTreeMap<String, Declared>> {
    serde_json::from_str(&std::fs::read_to_string(module.join(DECLARED)).ok()?).ok()
}

/// Returns upstream's descriptions of a release's features, if its module was downloaded. Fetches nothing.
///
/// # Errors
/// If a downloaded module can't be read.
pub fn descriptions(cache: &Cache, release: Release) -> Result<Option<BTreeMap<String, Declared>>> {
    let known = cache.existing()?.and_then(|folder| read_declared(&module_folder(folder, release)));
    if known.is_some() {
        return Ok(known);
    }
    let Some(go) = go::find(cache)?.map(Go::offline) else { return Ok(None) };
    let source = go.module_cache().map(|cache| cache.join(format!("{MODULE}@{}", release.module_version())));
    if !source.is_some_and(|source| source.is_dir()) {
        return Ok(None);
    }
    // The module was downloaded, but reading the description needs the toolchain.
    Ok(fetch(&go, cache, release, None).and_then(|upstream| upstream.declared(&go)).ok())
}
