//! Debian's packages without root: apt-get with its own state in the user's cache. apt-get verifies the packages by the
//! signatures of the machine's mirror.
//!
//! On Debian the backports suite is added, because bookworm itself has no UPX.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::cache::Cache;
use crate::tools::os_release_value;
use crate::{files, process};

/// Debian's own keys, where its packages install them.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The disk space for the lists and a package, with a reserve. On a full disk apt-get 2.6 waits forever.
const ROOM: u64 = 64 << 20;

/// Whether this machine runs Debian and so has a mirror of its packages.
#[must_use]
pub fn is_debian() -> bool {
    std::fs::read_to_string("/etc/os-release").is_ok_and(|text| text.lines().any(|line| line == "ID=debian"))
}

/// The programs of apt and dpkg, by absolute paths.
struct Programs {
    apt_get: PathBuf,
    apt_cache: PathBuf,
    dpkg_deb: PathBuf,
}

impl Programs {
    /// Finds the programs on the PATH; `None` if one is missing.
    fn find() -> Option<Self> {
        let [apt_get, apt_cache, dpkg_deb] = ["apt-get", "apt-cache", "dpkg-deb"].map(process::on_path);
        Some(Self { apt_get: apt_get?, apt_cache: apt_cache?, dpkg_deb: dpkg_deb? })
    }
}

/// apt-get with its own state.
pub struct Apt {
    shell: Shell,
    programs: Programs,
    folder: PathBuf,
    options: Vec<String>,
}

impl Apt {
    /// Creates the state and fetches the lists of packages.
    ///
    /// # Errors
    /// If the machine has no apt-get, no package sources of its release, or no network.
    pub fn new(cache: &Cache) -> Result<Self> {
        Self::set_up(cache.folder()?.join("apt"), None, None)
    }

    /// As [`Apt::new`], for another architecture and Debian release.
    ///
    /// # Errors
    /// As [`Apt::new`], and if the machine does not run Debian.
    pub fn for_suite(cache: &Cache, suite: &str, architecture: &str) -> Result<Self> {
        Self::set_up(cache.folder()?.join(format!("apt-{architecture}")), Some(suite), Some(architecture))
    }

    fn set_up(folder: PathBuf, suite: Option<&str>, architecture: Option<&str>) -> Result<Self> {
        let programs = Programs::find().context("not on the PATH")?;
        let shell = Shell::new()?;
        // Their messages are parsed.
        shell.set_var("LC_ALL", "C");
        for name in ["lists/partial", "cache/archives/partial", "sources"] {
            files::make_folder(&folder.join(name))?;
        }
        files::check_room(&folder, ROOM)?;
        files::write(&folder.join("sources/machine.sources"), &sources(&shell, &programs, suite)?)?;
        let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
        let settings = [
            ("Dir::State", path("")),
            ("Dir::State::lists", path("lists")),
            ("Dir::State::status", "/var/lib/dpkg/status".to_owned()),
            ("Dir::Cache", path("cache")),
            ("Dir::Etc::SourceList", "/dev/null".to_owned()),
            ("Dir::Etc::SourceParts", path("sources")),
            // As root, apt would download as a user without access to our folder.
            ("APT::Sandbox::User", "root".to_owned()),
            ("Acquire::Languages", "none".to_owned()),
        ];
        let foreign =
            architecture.map(|name| [("APT::Architecture", name.to_owned()), ("APT::Architectures", name.to_owned())]);
        let settings = settings.into_iter().chain(foreign.into_iter().flatten());
        let options = settings.flat_map(|(name, value)| ["-o".to_owned(), format!("{name}={value}")]).collect();
        let apt = Self { shell, programs, folder, options };
        let (shell, apt_get, options) = (&apt.shell, &apt.programs.apt_get, &apt.options);
        process::stdout(
            cmd!(shell, "{apt_get} {options...} -qq update").into(),
            "Check the network and the machine's own sources.",
        )?;
        Ok(apt)
    }

    /// Returns the newest `golang-1.N-go` of 1.21 or later, as `1.N`.
    #[must_use]
    pub fn newest_go(&self) -> Option<String> {
        let (shell, apt_cache, options) = (&self.shell, &self.programs.apt_cache, &self.options);
        let pattern = "^golang-1\\.[0-9]+-go$";
        let names =
            process::stdout(cmd!(shell, "{apt_cache} {options...} search --names-only {pattern}").into(), "").ok()?;
        let minors =
            names.lines().filter_map(|line| line.strip_prefix("golang-1.")?.split_once("-go")?.0.parse::<u32>().ok());
        minors.filter(|minor| *minor >= 21).max().map(|minor| format!("1.{minor}"))
    }

    /// Returns the available version of a package.
    ///
    /// # Errors
    /// If Debian does not have the package.
    pub fn version(&self, package: &str) -> Result<String> {
        let shown = self.show(package)?;
        let version = shown.lines().find_map(|line| line.strip_prefix("Version: "));
        Ok(version.with_context(|| format!("{package} has no version"))?.to_owned())
    }

    /// Returns the packages that a package depends on, without versions and alternatives.
    ///
    /// # Errors
    /// If Debian does not have the package.
    pub fn dependencies(&self, package: &str) -> Result<Vec<String>> {
        let shown = self.show(package)?;
        let list = shown.lines().find_map(|line| line.strip_prefix("Depends: ")).unwrap_or_default();
        Ok(list.split(',').filter_map(|entry| entry.split_whitespace().next()).map(str::to_owned).collect())
    }

    fn show(&self, package: &str) -> Result<String> {
        let (shell, apt_cache, options) = (&self.shell, &self.programs.apt_cache, &self.options);
        process::stdout(
            cmd!(shell, "{apt_cache} {options...} show --no-all-versions {package}").into(),
            "Check the name of the package.",
        )
    }

    /// Fetches packages and unpacks them into a folder, replacing its content.
    ///
    /// # Errors
    /// If a package does not exist or can't be fetched.
    pub fn unpack(&self, packages: &[String], into: &Path) -> Result<()> {
        let partial = self.folder.join("partial");
        files::empty_folder(&partial)?;
        let (shell, Programs { apt_get, dpkg_deb, .. }, options) = (&self.shell, &self.programs, &self.options);
        let mut download: Command = cmd!(shell, "{apt_get} {options...} -qq download {packages...}").into();
        download.current_dir(&partial);
        process::stdout(download, "Check the network.")?;
        let archives: Vec<PathBuf> = std::fs::read_dir(&partial)?.flatten().map(|entry| entry.path()).collect();
        let tree = partial.join("tree");
        for archive in &archives {
            process::stdout(
                cmd!(shell, "{dpkg_deb} -x {archive} {tree}").into(),
                "Run it again: the download may be damaged.",
            )?;
        }
        files::empty_folder(into)?;
        files::rename(&tree, into)
    }
}

/// Returns the package sources: the machine's mirror of the installed release with Debian's backports, or of another Debian release.
fn sources(shell: &Shell, programs: &Programs, suite: Option<&str>) -> Result<String> {
    let apt_get = &programs.apt_get;
    let release = files::read(Path::new("/etc/os-release"))?;
    let codename = os_release_value(&release, "VERSION_CODENAME").context("/etc/os-release names no release")?;
    let (format, filter) = ("$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages");
    let targets = process::stdout(
        cmd!(shell, "{apt_get} indextargets --format {format} {filter}").into(),
        "Check the machine's own sources.",
    )?;
    let own: Vec<(&str, &str)> = targets.lines().filter_map(|line| own_target(line, codename)).collect();
    let (mirror, _) = own.first().context("the machine's sources do not name its own release")?;
    let mut components: Vec<&str> =
        own.iter().filter(|(uri, _)| uri == mirror).map(|(_, component)| *component).collect();
    components.sort_unstable();
    components.dedup();
    let is_debian = is_debian();
    let suites = match suite {
        Some(_) if !is_debian => bail!("this machine does not run Debian, so it has no mirror of Debian's packages"),
        Some(suite) => suite.to_owned(),
        None if is_debian => format!("{codename} {codename}-backports"),
        None => codename.to_owned(),
    };
    let signed =
        if Path::new(KEYRING).is_file() && is_debian { format!("Signed-By: {KEYRING}\n") } else { String::new() };
    Ok(format!("Types: deb\nURIs: {mirror}\nSuites: {suites}\nComponents: {}\n{signed}", components.join(" ")))
}

fn own_target<'a>(line: &'a str, codename: &str) -> Option<(&'a str, &'a str)> {
    let mut fields = line.split(' ');
    let (uri, release, component) = (fields.next()?, fields.next()?, fields.next()?);
    (release == codename).then_some((uri, component))
}
