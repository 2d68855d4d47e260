//! The recipe: every argument and variable of a Go build, and what the binary must then say of itself.

use std::collections::BTreeMap;

use crate::go_experiment::goexperiment;
use crate::platform::Platform;
use crate::policy::{Build, EffectivePolicy, Inlining};
use crate::release::{GoVersion, Release};
use crate::selection::Selection;

/// The package that is built: the daemon, with the command line inside where `cli` is kept.
///
/// `cmd/tailscale` would build only the command line, with any tags.
pub const PACKAGE: &str = "tailscale.com/cmd/tailscaled";

/// The Go module that holds it.
pub const MODULE: &str = "tailscale.com";

/// The packages that a packet goes through between the socket and the TUN device, and those that they call for each: with
/// `inlining: hot-paths` the compiler inlines in these. Patterns as the go command takes them; a function is inlined only where
/// both its own package and the caller's are among them.
pub const HOT_PATHS: &[&str] = &[
    "bytes",
    "crypto/...",
    "encoding/binary",
    "internal/...",
    "math/...",
    "net",
    "net/netip",
    "os",
    "runtime/...",
    "slices",
    "sync/...",
    "syscall",
    "time",
    "github.com/tailscale/wireguard-go/...",
    "go4.org/...",
    "golang.org/x/crypto/...",
    "golang.org/x/net/...",
    "golang.org/x/sys/...",
    "tailscale.com/disco",
    "tailscale.com/net/batching",
    "tailscale.com/net/flowtrack",
    "tailscale.com/net/packet/...",
    "tailscale.com/net/stun",
    "tailscale.com/net/tsaddr",
    "tailscale.com/net/tstun/...",
    "tailscale.com/syncs",
    "tailscale.com/tstime/...",
    "tailscale.com/types/...",
    "tailscale.com/util/...",
    "tailscale.com/wgengine/filter/...",
    "tailscale.com/wgengine/magicsock",
];

/// One Go build, complete: the same recipe builds the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// The release that is built.
    pub release: Release,
    /// The toolchain that builds it.
    pub go: GoVersion,
    /// The processor it is built for.
    pub platform: &'static Platform,
    /// The tag line: the features' tags, sorted as upstream's `featuretags` prints them, then the extra tags.
    pub tags: Vec<String>,
    /// How it is built.
    pub build: Build,
    /// The output of `tailscale version`.
    pub stamp: Stamp,
}

/// The version that is linked into the binary. Without it the program would call itself `ERR-BuildInfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// `1.102.5`.
    pub short: String,
    /// The version that the control server receives: `1.102.5-t` and nine digits of the commit, or the short form if no
    /// one names the commit.
    pub long: String,
}

impl Stamp {
    /// The stamp of a release whose commit is known, or not. Nothing is invented.
    ///
    /// Source: `cmd/mkversion`, which writes `X.Y.Z-t` and nine digits for official builds.
    #[must_use]
    pub fn new(release: Release, commit: Option<&str>) -> Self {
        let short = release.to_string();
        let digits =
            commit.and_then(|commit| commit.get(..9)).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let long = digits.map_or_else(|| short.clone(), |digits| format!("{short}-t{digits}"));
        Self { short, long }
    }
}

impl Recipe {
    /// Returns the recipe of a target; `None` for the common policy, or without a release or toolchain.
    ///
    /// `selection` is the target's own or a variation of it.
    #[must_use]
    pub fn new(policy: EffectivePolicy<'_>, selection: &Selection<'_>, commit: Option<&str>) -> Option<Self> {
        let release = policy.policy().tailscale?;
        let target = policy.target()?;
        Some(Self {
            release,
            go: policy.policy().go?,
            platform: target.platform,
            tags: tag_line(selection, &target.build),
            build: target.build.clone(),
            stamp: Stamp::new(release, commit),
        })
    }

    /// The variables that decide what Go builds, in the order of their names. Everything else that Go
    /// reads must be absent or come from where the build runs (caches, proxies).
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut variables: BTreeMap<&str, String> = BTreeMap::from([
            ("CGO_ENABLED", "0".to_owned()),
            ("GOARCH", self.platform.goarch.to_owned()),
            ("GOENV", "off".to_owned()),
            ("GOEXPERIMENT", goexperiment(&self.build, self.go)),
            ("GOFLAGS", String::new()),
            ("GOOS", "linux".to_owned()),
            ("GOTOOLCHAIN", self.go.toolchain()),
            ("GOWORK", "off".to_owned()),
        ]);
        variables.extend(self.platform.level.map(|(variable, value)| (variable, value.to_owned())));
        variables.into_iter().map(|(variable, value)| (variable.to_owned(), value)).collect()
    }

    /// The arguments after `go`, to write the binary to `output`.
    #[must_use]
    pub fn arguments(&self, output: &str) -> Vec<String> {
        let version = |stamp: &str, value: &str| format!("-X {MODULE}/version.{stamp}Stamp={value}");
        let linker = ["-s -w".to_owned(), version("short", &self.stamp.short), version("long", &self.stamp.long)];
        let mut arguments = vec!["build".to_owned(), "-trimpath".to_owned(), "-buildvcs=false".to_owned()];
        arguments.extend(self.compiler_flags().iter().map(|flags| format!("-gcflags={flags}")));
        arguments.push(format!("-ldflags={}", linker.join(" ")));
        arguments.push(format!("-tags={}", self.tags.join(",")));
        arguments.extend(["-o".to_owned(), output.to_owned(), PACKAGE.to_owned()]);
        arguments
    }

    /// The toolchain that the build information names: `go1.26.8`, or `go1.27.3-X:nojsonv2` with an experiment.
    ///
    /// Source: `cmd/link/internal/ld/main.go`.
    #[must_use]
    pub fn toolchain(&self) -> String {
        let experiments = goexperiment(&self.build, self.go);
        let suffix = if experiments.is_empty() { String::new() } else { format!("-X:{experiments}") };
        self.go.toolchain() + &suffix
    }

    /// The exact build information that the binary must have. Go leaves the linker's flags out under
    /// `-trimpath`; the stamps show when the binary is run.
    #[must_use]
    pub fn build_settings(&self) -> BTreeMap<String, String> {
        let fixed = [
            ("-buildmode", "exe"),
            ("-compiler", "gc"),
            ("-trimpath", "true"),
            ("CGO_ENABLED", "0"),
            ("GOOS", "linux"),
        ];
        let mut settings: BTreeMap<String, String> =
            fixed.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        settings.insert("GOARCH".to_owned(), self.platform.goarch.to_owned());
        settings.extend(self.platform.level.map(|(variable, value)| (variable.to_owned(), value.to_owned())));
        // Of several Go records the last. Source: `PerPackageFlag` in `cmd/go/internal/load/flag.go`.
        settings.extend(self.compiler_flags().pop().map(|flags| ("-gcflags".to_owned(), flags)));
        // Go records neither an empty list of experiments nor one of tags.
        let experiments = goexperiment(&self.build, self.go);
        settings.extend((!experiments.is_empty()).then(|| ("GOEXPERIMENT".to_owned(), experiments)));
        settings.extend((!self.tags.is_empty()).then(|| ("-tags".to_owned(), self.tags.join(","))));
        settings
    }

    /// The values of `-gcflags`, of which the last that matches a package holds.
    fn compiler_flags(&self) -> Vec<String> {
        let none = "all=-l".to_owned();
        match self.build.inlining {
            Inlining::Full => Vec::new(),
            Inlining::None => vec![none],
            Inlining::HotPaths => {
                [none].into_iter().chain(HOT_PATHS.iter().map(|pattern| format!("{pattern}="))).collect()
            }
        }
    }
}

/// The tags of a target: those of the features, then the extra ones.
#[must_use]
pub fn tag_line(selection: &Selection<'_>, build: &Build) -> Vec<String> {
    selection.tags().into_iter().chain(build.extra_tags.keys().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::read;
    use crate::rules::tests::clean_policy;
    use crate::upstream_data::UpstreamData;

    fn recipe(text: &str, target: &str) -> Recipe {
        let policy = read(text).policy.unwrap();
        let registry = UpstreamData::embedded().registry(policy.tailscale.unwrap()).unwrap();
        let target = policy.for_target(target).unwrap();
        Recipe::new(target, &Selection::new(target, registry), Some("53a0d659abcdef")).unwrap()
    }

    #[test]
    fn the_whole_of_a_recipe() {
        let recipe = recipe(&clean_policy(), "amd64");
        let shown =
            format!("{:#?}\n{:#?}\n{:#?}", recipe.environment(), recipe.arguments("out"), recipe.build_settings());
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn a_target_has_its_own_settings_and_extra_tags_come_last() {
        let text = clean_policy().replace(
            "amd64: { platform: linux/amd64, budget: 9 MB }",
            "v5: { platform: linux/arm/v5, build: { inlining: full, extra_tags: { ts_package_container: Tells the console. } } }",
        );
        let recipe = recipe(&text, "v5");
        assert!(recipe.environment().contains(&("GOARM".to_owned(), "5".to_owned())));
        assert!(!recipe.build_settings().contains_key("-gcflags"));
        assert_eq!(recipe.tags.last().unwrap(), "ts_package_container");
    }

    #[test]
    fn inlining_is_a_matter_of_the_compiler_s_flags_of_which_go_records_the_last() {
        let told = |inlining: &str| {
            let recipe = recipe(&clean_policy().replace("inlining: none", &format!("inlining: {inlining}")), "amd64");
            let given = recipe.arguments("out").into_iter().filter(|argument| argument.starts_with("-gcflags="));
            (given.collect::<Vec<_>>(), recipe.build_settings().get("-gcflags").cloned())
        };
        assert_eq!(told("full"), (Vec::new(), None));
        assert_eq!(told("none"), (vec!["-gcflags=all=-l".to_owned()], Some("all=-l".to_owned())));
        let (given, recorded) = told("hot-paths");
        // The first holds for what no later one matches.
        assert_eq!((given[0].as_str(), given.len()), ("-gcflags=all=-l", 1 + HOT_PATHS.len()));
        assert!(given.contains(&"-gcflags=runtime/...=".to_owned()));
        assert_eq!(Some(format!("-gcflags={}", recorded.unwrap())), given.last().cloned());
    }

    #[test]
    fn an_experiment_is_set_only_for_a_go_that_has_it() {
        let experiment = "symbols: all\n  go_experiments: { nojsonv2: The binary is smaller. }";
        let text = clean_policy().replace("symbols: all", experiment);
        let set = |text: &str| {
            let recipe = recipe(text, "amd64");
            let variable = recipe.environment().into_iter().find(|(name, _)| name == "GOEXPERIMENT").unwrap().1;
            (variable, recipe.build_settings().get("GOEXPERIMENT").cloned(), recipe.toolchain())
        };
        assert_eq!(set(&text), (String::new(), None, "go1.26.8".to_owned()));
        let (variable, recorded, toolchain) = set(&text.replace("go: 1.26.8", "go: 1.27.3"));
        assert_eq!((variable.as_str(), recorded.as_deref()), ("nojsonv2", Some("nojsonv2")));
        assert_eq!(toolchain, "go1.27.3-X:nojsonv2");
    }

    #[test]
    fn a_commit_is_stamped_only_where_it_is_known() {
        let release = "1.102.5".parse().unwrap();
        assert_eq!(Stamp::new(release, Some("53a0d659abcdef")).long, "1.102.5-t53a0d659a");
        assert_eq!(Stamp::new(release, Some("short")).long, "1.102.5");
        assert_eq!(Stamp::new(release, None).long, "1.102.5");
    }
}
