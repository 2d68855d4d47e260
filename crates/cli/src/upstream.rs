//! A release of Tailscale: its module, fetched and checked, and the generated module that builds from it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use featureset::recipe::MODULE;
use featureset::release::{GoVersion, Release};
use serde::{Deserialize, Serialize};

use crate::cache::Cache;
use crate::process::Output;
use crate::programs::{self, Program};
use crate::tools::go::{self, Go};
use crate::{files, process, progress};
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
    /// The commit that the release was made from, where the module's origin names it.
    pub commit: Option<String>,
    /// The lowest Go that builds it.
    pub needs: GoVersion,
    /// The value of GOTOOLCHAIN for commands that build no target.
    toolchain: String,
}

/// What `go mod download -json` says of a module.
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

/// One feature as a release declares it, with upstream's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// The suffix of its constant.
    pub symbol: String,
    /// What it needs, one step.
    pub needs: Vec<String>,
    /// Whether it is an implementation detail.
    pub implementation_detail: bool,
    /// Upstream's description.
    pub description: String,
}

/// Fetches a release's module and writes the module that builds from it, in the user's cache: whatever else is in its
/// folder is compiled with it.
///
/// The found Go does it if it is new enough for the release; else the `pinned` toolchain, or the one that the
/// release asks for.
///
/// # Errors
/// A [`Diagnostic`] where the release does not exist or can't be fetched.
pub fn fetch(go: &Go, cache: &Cache, release: Release, pinned: Option<GoVersion>) -> Result<Upstream> {
    let folder = module_folder(cache.folder()?, release);
    files::make_folder(&folder)?;
    // Any Go can fetch a go.mod; the module itself only one that is new enough for it.
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

/// Upstream's stable releases, oldest first, as the module proxy lists them. Odd lines and pre-releases are none.
///
/// # Errors
/// A [`Diagnostic`] where they can't be listed.
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
        return Err(problem(&format!("the list holds no stable release: {}", output.stderr)).into());
    }
    Ok(releases)
}

/// The folder of a release's generated module in a cache.
pub(crate) fn module_folder(cache: &Path, name: impl std::fmt::Display) -> PathBuf {
    cache.join("modules").join(name.to_string())
}

/// Holds a generated module against other runs: all of the user's projects share it.
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
    // Outside any module, or its go.mod would have a say. The parent folders may hold one.
    command.env("GO111MODULE", "on").current_dir(neutral(folder)?);
    let output = process::output(command)?;
    let found: Download = serde_json::from_str(&output.stdout).map_err(|_| unavailable(release, &output.stderr))?;
    if found.go_mod.as_os_str().is_empty() {
        return Err(unavailable(release, &found.error));
    }
    Ok(found)
}

/// A folder with an empty module of its own.
fn neutral(folder: &Path) -> Result<PathBuf> {
    let neutral = folder.with_file_name("none");
    files::write(&neutral.join("go.mod"), "module featureset.invalid/none\n")?;
    Ok(neutral)
}

/// The `go` line of a go.mod. `go mod edit -json` would be the tool for it, but an older Go refuses to read a
/// go.mod that uses directives which came later.
fn needed_go(go_mod: &Path) -> Result<GoVersion> {
    let text = files::read(go_mod)?;
    let version = text.lines().find_map(|line| line.strip_prefix("go ")).unwrap_or_default().trim();
    version.parse().with_context(|| format!("reading the `go` line of {}", go_mod.display()))
}

/// Upstream's own go.sum and the two lines for upstream itself: nothing is resolved anew, so the
/// dependencies are those that upstream tested.
fn write_module(upstream: &Upstream, dir: &Path, go_mod_sum: &str) -> Result<()> {
    let version = upstream.release.module_version();
    let go_mod = format!("module featureset.invalid/build\n\ngo {}\n\nrequire {MODULE} {version}\n", upstream.needs);
    let own = format!("{MODULE} {version} {}\n{MODULE} {version}/go.mod {go_mod_sum}\n", upstream.sum);
    let sums = files::read(&dir.join("go.sum"))? + &own;
    let _lock = lock(&upstream.module)?;
    // The program is a module of its own: its imports add to its go.mod, and the build's stays as it is.
    let registry = upstream.module.join("registry");
    for folder in [&upstream.module, &registry] {
        files::write(&folder.join("go.mod"), &go_mod)?;
        files::write(&folder.join("go.sum"), &sums)?;
    }
    programs::REGISTRY.sources.iter().try_for_each(|(file, source)| files::write(&registry.join(file), source))
}

impl Upstream {
    /// The value of GOTOOLCHAIN for commands that build no target.
    #[must_use]
    pub fn toolchain(&self) -> &str {
        &self.toolchain
    }

    /// The version of Go that runs such commands.
    ///
    /// # Errors
    /// Where the found Go's own version is not a plain one.
    pub fn go_version(&self, go: &Go) -> Result<GoVersion> {
        let name = if self.toolchain == "local" { &go.version } else { &self.toolchain };
        Ok(name.trim_start_matches("go").parse()?)
    }

    /// The folder of upstream's source in the module cache.
    ///
    /// # Errors
    /// Where Go has no module cache.
    pub fn source(&self, go: &Go) -> Result<PathBuf> {
        let cache = go.module_cache().context("Go has no module cache")?;
        Ok(cache.join(format!("{MODULE}@{}", self.release.module_version())))
    }

    /// A Go command in the generated module.
    #[must_use]
    pub fn go(&self, go: &Go, arguments: &[&str], variables: &[(String, String)]) -> Command {
        let mut command = go.command(arguments, variables);
        command.current_dir(&self.module);
        command
    }

    /// Upstream's own `featuretags` program, built beside the module: what our tag lines are compared with.
    ///
    /// # Errors
    /// A [`Diagnostic`] where it does not build.
    pub fn featuretags(&self, go: &Go) -> Result<PathBuf> {
        let _lock = lock(&self.module)?;
        let built = self.build(go, "registry", "featuretags", "tailscale.com/cmd/featuretags")?;
        built.map_err(|output| {
            let message = format!("`featuretags` of Tailscale {} can't be built", self.release);
            Diagnostic::failure(Code::ToolFailed, message, output.stderr.trim(), "Check the network.").into()
        })
    }

    /// Writes a program of ours into its own module, which requires this release and nothing else. Returns the folder.
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

    /// Builds a program of ours, which uses the release's packages and modules.
    ///
    /// # Errors
    /// A [`Diagnostic`] if it does not build; it says whether that is our fault.
    pub fn build_program(&self, go: &Go, program: &Program) -> Result<PathBuf> {
        let _lock = lock(&self.module)?;
        self.write_program(program)?;
        let built = self.build(go, program.name, &format!("{}.program", program.name), ".")?;
        built.map_err(|output| self.not_built(program, &output).into())
    }

    /// Builds a program while the module is locked. Another run may be starting the one that is there, so it is replaced
    /// as a whole.
    fn build(&self, go: &Go, folder: &str, program: &str, package: &str) -> Result<Result<PathBuf, Output>> {
        let output = format!("../.partial-{program}");
        let mut command = self.go(go, &["build", "-mod=mod", "-o", &output, package], &go::plain(&self.toolchain));
        command.current_dir(self.module.join(folder));
        let output = process::output(command)?;
        if !output.status.success() {
            return Ok(Err(output));
        }
        let built = self.module.join(program);
        files::rename(&self.module.join(format!(".partial-{program}")), &built)?;
        Ok(Ok(built))
    }

    /// The problem of a program of ours that does not build.
    fn not_built(&self, program: &Program, output: &Output) -> Diagnostic {
        let complaints = program.complaints(output);
        if complaints.is_empty() {
            let message = format!("the program `{}` can't be built for Tailscale {}", program.name, self.release);
            let next = "Check the network: every module that it uses is needed.";
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

    /// A program that runs `go` itself, in the generated module: it finds ours first.
    #[must_use]
    pub fn go_program(&self, go: &Go, program: &Path) -> Command {
        let mut command = go.environment_of(program, &go::plain(&self.toolchain));
        command.current_dir(&self.module);
        command
    }

    /// What the release's registry declares, by running upstream's package; kept beside the module.
    ///
    /// # Errors
    /// A [`Diagnostic`] where the program does not build or run.
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

/// The file in a generated module that keeps what the release's registry declares.
const DECLARED: &str = "registry.json";

/// What a release's registry declares, if it was read before.
fn read_declared(module: &Path) -> Option<BTreeMap<String, Declared>> {
    serde_json::from_str(&std::fs::read_to_string(module.join(DECLARED)).ok()?).ok()
}

/// Upstream's own descriptions of a release's features, if its module was downloaded; nothing is fetched.
///
/// # Errors
/// Where a module that is there can't be asked.
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
    // The module is there; if what runs it is not, there is still nothing to show.
    Ok(fetch(&go, cache, release, None).and_then(|upstream| upstream.declared(&go)).ok())
}
