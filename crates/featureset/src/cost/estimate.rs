//! Estimated sizes of binaries that nobody has built, from the embedded measurements.
//!
//! The model: the measured binary of a platform, less the sizes of the features that are not kept, plus the code of those
//! that are kept in addition, part of which they [share](Addition). A size that was measured together with dependencies is
//! divided: the dependencies' own sizes are subtracted. On a platform without measurements of features, the sizes of the nearest measured
//! one are scaled by the ratio of the two binaries. Another line of Go and its experiments change the whole by a measured
//! factor.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::OnceLock;

use include_dir::{Dir, include_dir};
use serde::Deserialize;

use super::{Cost, Costs};
use crate::name::FeatureName;
use crate::platform::Platform;
use crate::policy::{Build, EffectivePolicy, Inlining, Pack, Policy, Symbols};
use crate::registry::Registry;
use crate::release::GoVersion;
use crate::selection::Selection;

static COSTS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../docs/costs");
const BINARIES: &str = include_str!("../../costs/binaries.json");

/// A size that was not measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    /// The size of the file that ships, in bytes.
    pub bytes: u64,
    /// The origin of the figure.
    pub basis: Basis,
}

/// The measurements behind an estimate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    /// The platform whose binary was measured with these build settings, or the nearest one.
    pub binary: &'static str,
    /// The platform on which the features were measured.
    pub features: String,
    /// The number of features whose sizes were added or subtracted.
    pub changed: usize,
    /// Features that are kept, were not in the measured binary and have no measured size. They count as nothing.
    pub unpriced: BTreeSet<FeatureName>,
    /// The settings of Go by whose measured effect the size was scaled: `Go 1.27`, `nojsonv2`.
    pub scaled: Vec<String>,
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "estimated from a binary for {}", self.binary)?;
        if self.changed > 0 {
            write!(f, " and the sizes of {} features on {}", self.changed, self.features)?;
        }
        if !self.scaled.is_empty() {
            write!(f, ", scaled to {}", self.scaled.join(" with "))?;
        }
        if !self.unpriced.is_empty() {
            let names: Vec<&str> = self.unpriced.iter().map(FeatureName::as_str).collect();
            write!(f, ", without {}, whose size was not measured", names.join(", "))?;
        }
        Ok(())
    }
}

/// The measured size of a binary with the measured selection.
#[derive(Debug, Deserialize)]
struct Binary {
    platform: String,
    symbols: String,
    pack: String,
    bytes: u64,
}

/// The size of a binary relative to that of the Go line and settings of [`Binaries::binaries`], in thousandths.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Factor {
    /// The line of Go, such as `1.27`.
    go: String,
    /// The experiment, if the factor is that of an experiment within the line.
    #[serde(default)]
    experiment: Option<String>,
    raw: u64,
    packed: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Binaries {
    #[serde(rename = "about")]
    _about: String,
    #[serde(rename = "about_features")]
    _about_features: String,
    /// Own sizes of features that `measure` can't measure by themselves, on arm64.
    features: BTreeMap<FeatureName, OwnSize>,
    #[serde(rename = "about_factors")]
    _about_factors: String,
    factors: Vec<Factor>,
    binaries: Vec<Binary>,
}

/// Returns the factors of a build with this Go.
fn factors(build: &Build, go: Option<GoVersion>) -> Vec<&'static Factor> {
    let Some(line) = go.map(GoVersion::line) else { return Vec::new() };
    let is_set = |factor: &&Factor| {
        factor.go == line && factor.experiment.as_ref().is_none_or(|name| build.go_experiments.contains_key(name))
    };
    binaries().factors.iter().filter(is_set).collect()
}

/// The embedded costs, by target. A test reads every file.
#[must_use]
pub fn embedded() -> &'static BTreeMap<String, Costs> {
    static EMBEDDED: OnceLock<BTreeMap<String, Costs>> = OnceLock::new();
    EMBEDDED.get_or_init(|| {
        let read = |file: &include_dir::File<'_>| {
            let name = file.path().to_str()?.strip_suffix(".json")?;
            Some((name.to_owned(), Costs::from_json(file.contents_utf8()?).ok()?))
        };
        COSTS.files().filter_map(read).collect()
    })
}

fn binaries() -> &'static Binaries {
    static READ: OnceLock<Binaries> = OnceLock::new();
    READ.get_or_init(|| serde_json::from_str(BINARIES).unwrap_or_default())
}

/// Returns the measured costs nearest to a platform: of the same architecture, else of the same kind of instructions.
#[must_use]
pub fn nearest(platform: &Platform) -> Option<&'static Costs> {
    let of = |goarch: &str| {
        let is = |costs: &&Costs| costs.basis.platform.split('/').nth(1) == Some(goarch);
        embedded().values().find(is)
    };
    // Instructions of different lengths, as x86 has them, pack differently from those of four bytes.
    let kin = if matches!(platform.goarch, "386" | "amd64") { "amd64" } else { "arm64" };
    of(platform.goarch).or_else(|| of(kin)).or_else(|| embedded().values().next())
}

/// The sizes from which that of any selection is added up, for a platform and its build settings: in bytes as shipped.
#[derive(Debug, Clone)]
pub struct SizeModel<'a> {
    /// The size with the measured features.
    pub bytes: u64,
    /// The measured features.
    pub kept: &'a BTreeSet<FeatureName>,
    /// The size of each feature without its dependencies, if no other feature is added or removed.
    pub own: BTreeMap<&'a FeatureName, i64>,
    /// The additions of each feature if others are added too.
    pub additions: BTreeMap<&'a FeatureName, Addition>,
    /// The size of the code that added features share.
    pub pool: u64,
    /// The platform whose binary was measured.
    pub binary: &'static str,
    /// The costs that the sizes of features are from.
    pub costs: &'a Costs,
    /// Whether the binary of this platform was measured with these settings.
    pub is_measured: bool,
    /// The settings of Go by whose effect the sizes were scaled.
    pub scaled: Vec<String>,
}

impl SizeModel<'static> {
    /// Returns the sizes for a platform, its build settings and the toolchain, as far as it is known; `None` if the program
    /// contains no measurement.
    #[must_use]
    pub fn new(platform: &Platform, build: &Build, go: Option<GoVersion>) -> Option<Self> {
        let (costs, measured) = (nearest(platform)?, binary(platform, build)?);
        let bytes = match build.inlining {
            // Measured for amd64: docs/measurements/sizes.md.
            Inlining::HotPaths => measured.bytes / 1000 * 978,
            Inlining::Full | Inlining::None => measured.bytes,
        };
        let is_packed = build.pack != Pack::None;
        let factors = factors(build, go);
        let scale = |bytes: u64, factor: &&Factor| bytes * if is_packed { factor.packed } else { factor.raw } / 1000;
        let bytes = factors.iter().fold(bytes, scale);
        let reference = if is_packed { costs.whole.packed } else { costs.whole.raw };
        let scaled = |size: OwnSize| {
            let size = if is_packed { size.packed } else { size.raw };
            i64::try_from(i128::from(size) * i128::from(bytes) / i128::from(reference.max(1))).unwrap_or_default()
        };
        let names: BTreeSet<&FeatureName> = costs.features.keys().chain(binaries().features.keys()).collect();
        let own = names.into_iter().filter_map(|name| Some((name, scaled(own_size(costs, name)?)))).collect();
        let pool = bytes * POOL / 100;
        Some(Self {
            bytes,
            kept: &costs.basis.kept,
            additions: additions(costs, &own, pool),
            own,
            pool,
            binary: Platform::find(&measured.platform)?.name,
            costs,
            is_measured: measured.platform == platform.name
                && measured.symbols == build.symbols.word()
                && measured.pack == build.pack.word()
                && build.inlining != Inlining::HotPaths
                && factors.is_empty(),
            scaled: factors
                .iter()
                .map(|factor| factor.experiment.clone().unwrap_or_else(|| format!("Go {}", factor.go)))
                .collect(),
        })
    }
}

impl<'a> SizeModel<'a> {
    /// Returns the sizes that were measured of a policy's own target.
    #[must_use]
    pub fn from_costs(costs: &'a Costs) -> Self {
        let own = costs.features.keys().filter_map(|name| Some((name, own_size(costs, name)?.packed))).collect();
        let pool = costs.whole.packed * POOL / 100;
        Self {
            bytes: costs.whole.packed,
            kept: &costs.basis.kept,
            additions: additions(costs, &own, pool),
            own,
            pool,
            binary: Platform::find(&costs.basis.platform).map_or("another platform", |platform| platform.name),
            costs,
            is_measured: true,
            scaled: Vec::new(),
        }
    }

    /// Estimates the size with these features.
    #[must_use]
    pub fn estimate(&self, kept: &BTreeSet<FeatureName>) -> Estimate {
        let (mut difference, mut changed, mut unpriced) = (0_i64, 0, BTreeSet::new());
        let mut unused = 1.0;
        for name in kept.symmetric_difference(self.kept) {
            let is_added = kept.contains(name);
            match (self.own.get(name), self.additions.get(name)) {
                (Some(_), Some(addition)) if is_added => {
                    difference = difference.saturating_add(addition.alone);
                    unused *= 1.0 - addition.share;
                    changed += 1;
                }
                (Some(size), _) => {
                    difference = difference.saturating_sub(*size);
                    changed += 1;
                }
                (None, _) if is_added && !is_in_every_older_binary(name) => drop(unpriced.insert(name.clone())),
                (None, _) => {}
            }
        }
        difference = difference.saturating_add((self.pool as f64 * (1.0 - unused)).round() as i64);
        let bytes = u64::try_from((i128::from(self.bytes) + i128::from(difference)).max(0)).unwrap_or(u64::MAX);
        let features = self.costs.basis.platform.clone();
        Estimate {
            bytes,
            basis: Basis { binary: self.binary, features, changed, unpriced, scaled: self.scaled.clone() },
        }
    }
}

/// The bytes that a feature adds to a binary to which others are added too.
///
/// A feature needs packages that no other code of the measured binary imports, and more of the packages that are there: methods
/// and functions that the linker had left out. Other features need some of the latter too. The model is that each takes its
/// share of one pool at random, so a pool of size `U` of which features need the shares `s` adds `U(1 − Π(1 − s))`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Addition {
    /// The part that only this feature needs, in bytes as shipped.
    pub alone: i64,
    /// The share of the pool, from 0 to 1.
    pub share: f64,
}

/// The size of the pool, in percent of the measured binary. Fitted, like [`HALF`], to two selections and checked with others:
/// docs/measurements/feature-sizes.md.
const POOL: u64 = 24;

/// The number of packages that only a feature imports with which half of its size is not shared.
const HALF: f64 = 15.0;

/// Returns the additions of features with these own sizes.
fn additions<'a>(
    costs: &'a Costs,
    own: &BTreeMap<&'a FeatureName, i64>,
    pool: u64,
) -> BTreeMap<&'a FeatureName, Addition> {
    let mut found = BTreeMap::new();
    for name in own.keys() {
        add_addition(costs, own, pool, name, &mut found);
    }
    found
}

/// Adds a feature's addition, after those of the features that were measured along with it: all together add the size that was
/// measured.
fn add_addition<'a>(
    costs: &'a Costs,
    own: &BTreeMap<&'a FeatureName, i64>,
    pool: u64,
    name: &'a FeatureName,
    found: &mut BTreeMap<&'a FeatureName, Addition>,
) {
    let Some(size) = own.get(name).filter(|_| !found.contains_key(name)) else { return };
    let (mut unused, mut pooled, mut packages) = (1.0, 0, BTreeSet::new());
    if let Some(Cost::Measured { along, packages: all, .. }) = costs.features.get(name) {
        packages.extend(all);
        for other in along {
            add_addition(costs, own, pool, other, found);
            if let Some((addition, size)) = found.get(other).zip(own.get(other)) {
                unused *= 1.0 - addition.share;
                pooled += size - addition.alone;
            }
            if let Some(Cost::Measured { packages: theirs, .. }) = costs.features.get(other) {
                packages.retain(|package| !theirs.contains(*package));
            }
        }
    }
    let count = packages.len() as f64;
    let alone = if *size > 0 { (*size as f64 * count / (count + HALF)).round() as i64 } else { *size };
    pooled += size - alone;
    let share = (1.0 - (1.0 - pooled as f64 / pool.max(1) as f64) / unused.max(f64::EPSILON)).clamp(0.0, 1.0);
    found.insert(name, Addition { alone, share });
}

/// Estimates the size of the file that ships for a target with these features.
///
/// Returns `None` if the program contains no measurement.
#[must_use]
pub fn estimate(
    platform: &Platform,
    build: &Build,
    go: Option<GoVersion>,
    kept: &BTreeSet<FeatureName>,
) -> Option<Estimate> {
    Some(SizeModel::new(platform, build, go)?.estimate(kept))
}

/// Estimates the size of every target of a policy that the program can estimate.
#[must_use]
pub fn target_sizes(policy: &Policy, registry: &Registry) -> BTreeMap<String, Estimate> {
    let size = |effective: EffectivePolicy<'_>| {
        let selection = Selection::new(effective, registry);
        let size = estimate(effective.target()?.platform, effective.build(), policy.go, &selection.kept)?;
        Some((effective.name()?.to_owned(), size))
    };
    policy.effective().filter_map(size).collect()
}

/// The features of 1.104 whose code every binary of an older release contains, so that they need no size.
pub const IN_EVERY_OLDER_BINARY: &[&str] = &["nattraversal", "udptransport"];

fn is_in_every_older_binary(name: &FeatureName) -> bool {
    IN_EVERY_OLDER_BINARY.contains(&name.as_str())
}

/// The platform and the settings for estimates without a policy: those of the first measurements.
#[must_use]
pub fn usual_target() -> Option<(&'static Platform, Build)> {
    Some((Platform::find("linux/arm64")?, Build { symbols: Symbols::Functions, ..Build::default() }))
}

/// Estimates the size of one feature with the dependencies that it does not share with the kept ones, as shipped.
#[must_use]
pub fn feature(platform: &Platform, build: &Build, name: &FeatureName) -> Option<i64> {
    let costs = nearest(platform)?;
    let Cost::Measured { raw, packed, .. } = costs.features.get(name)? else { return None };
    let (size, reference) =
        if build.pack == Pack::None { (*raw, costs.whole.raw) } else { (*packed, costs.whole.packed) };
    let scaled = i128::from(size) * i128::from(binary(platform, build)?.bytes) / i128::from(reference.max(1));
    i64::try_from(scaled).ok()
}

/// The measured binary nearest to a platform and its build settings: of this platform, of this architecture, of a related
/// one; with these settings, or else with the closest ones.
fn binary(platform: &Platform, build: &Build) -> Option<&'static Binary> {
    let distance = |binary: &Binary| {
        let goarch = binary.platform.split('/').nth(1).unwrap_or_default();
        let kin = |goarch: &str| match goarch {
            "386" | "amd64" => 0,
            goarch if goarch.starts_with("mips") => 1,
            "arm" => 2,
            _ => 3,
        };
        let place = match () {
            () if binary.platform == platform.name => 0,
            () if goarch == platform.goarch => 1,
            () if kin(goarch) == kin(platform.goarch) => 2,
            () if goarch == "arm64" => 3,
            () => 4,
        };
        let packed = |pack: &str| pack != Pack::None.word();
        let settings = match () {
            () if packed(&binary.pack) != packed(build.pack.word()) => 2,
            () if binary.pack != build.pack.word() => 1,
            () => 0,
        };
        let symbols = match (build.symbols, binary.symbols.as_str()) {
            (wanted, symbols) if wanted.word() == symbols => 0,
            (Symbols::None, "functions") => 1,
            _ => 2,
        };
        // The packer and the symbols change the size more than the platform does.
        (settings, symbols, place)
    };
    binaries().binaries.iter().min_by_key(|binary| distance(binary))
}

/// The bytes that one feature adds, without its dependencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
struct OwnSize {
    raw: i64,
    packed: i64,
}

/// The measured size of a feature less the own sizes of those that moved along, or the size that was measured in another way. Moving along is
/// never mutual.
fn own_size(costs: &Costs, name: &FeatureName) -> Option<OwnSize> {
    own_size_within(costs, name, costs.features.len()).or_else(|| binaries().features.get(name).copied())
}

fn own_size_within(costs: &Costs, name: &FeatureName, depth: usize) -> Option<OwnSize> {
    let Cost::Measured { along, raw, packed, .. } = costs.features.get(name)? else { return None };
    let mut size = OwnSize { raw: *raw, packed: *packed };
    for other in along {
        let own = own_size_within(costs, other, depth.checked_sub(1)?)?;
        size.raw -= own.raw;
        size.packed -= own.packed;
    }
    Some(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::PLATFORMS;

    fn build(symbols: Symbols, pack: Pack) -> Build {
        Build { symbols, pack, ..Build::default() }
    }

    fn name(text: &str) -> FeatureName {
        FeatureName::new(text).unwrap()
    }

    fn platform(name: &str) -> &'static Platform {
        Platform::find(name).unwrap()
    }

    #[test]
    fn every_embedded_file_is_read() {
        let files = COSTS.files().filter(|file| file.path().extension().is_some_and(|end| end == "json")).count();
        assert!(files >= 2);
        assert_eq!(embedded().len(), files);
        assert!(binaries().binaries.iter().all(|binary| Platform::find(&binary.platform).is_some()));
        assert!(binaries().binaries.len() > 20);
    }

    #[test]
    fn the_measured_selection_has_the_measured_size() {
        for (target, symbols, pack, bytes) in [
            ("linux/arm64", Symbols::Functions, Pack::Upx, 3_319_236),
            ("linux/amd64", Symbols::Functions, Pack::None, 15_088_386),
            ("linux/mipsle/softfloat", Symbols::Functions, Pack::Upx, 3_297_308),
        ] {
            let kept = &nearest(platform(target)).unwrap().basis.kept;
            let estimate = estimate(platform(target), &build(symbols, pack), None, kept).unwrap();
            assert_eq!((estimate.bytes, estimate.basis.changed), (bytes, 0), "{target}");
            assert_eq!(estimate.basis.binary, target);
        }
    }

    #[test]
    fn a_feature_and_its_dependency_cost_what_was_measured_together() {
        let arm64 = platform("linux/arm64");
        let costs = nearest(arm64).unwrap();
        let build = build(Symbols::Functions, Pack::Upx);
        let mut kept = costs.basis.kept.clone();
        let base = estimate(arm64, &build, None, &kept).unwrap().bytes;
        kept.extend([name("ssh"), name("dbus")]);
        let more = estimate(arm64, &build, None, &kept).unwrap();
        let measured = u64::try_from(costs.packed(&name("ssh")).unwrap()).unwrap();
        let scaled = measured * base / costs.whole.packed;
        assert!((more.bytes - base).abs_diff(scaled) <= 2, "{} against {scaled}", more.bytes - base);
        assert_eq!(feature(arm64, &build, &name("ssh")).unwrap().unsigned_abs().abs_diff(scaled), 0);
        let two = format!("{}", more.basis);
        assert_eq!(two, "estimated from a binary for linux/arm64 and the sizes of 2 features on linux/arm64");
    }

    #[test]
    fn one_inverted_decision_with_what_moves_along_has_its_measured_size() {
        for (target, costs) in embedded() {
            let platform = platform(&costs.basis.platform);
            let build = build(Symbols::Functions, Pack::Upx);
            let model = SizeModel::new(platform, &build, None).unwrap();
            assert!(model.is_measured && model.estimate(model.kept).basis.changed == 0, "{target}");
            for (feature, cost) in &costs.features {
                let Cost::Measured { along, packed, .. } = cost else { continue };
                let mut kept = costs.basis.kept.clone();
                for moved in along.iter().chain([feature]) {
                    if !kept.remove(moved) {
                        kept.insert(moved.clone());
                    }
                }
                let sign = if kept.contains(feature) { 1 } else { -1 };
                let difference = i128::from(*packed) * i128::from(model.bytes) / i128::from(costs.whole.packed);
                let found = i128::from(model.estimate(&kept).bytes) - i128::from(model.bytes);
                let rounding = along.len() as u64 + 2;
                assert!((found - sign * difference).unsigned_abs() <= u128::from(rounding), "{target} {feature}");
            }
        }
    }

    #[test]
    fn a_feature_without_a_measurement_is_named() {
        let arm64 = platform("linux/arm64");
        let mut kept = nearest(arm64).unwrap().basis.kept.clone();
        kept.extend([name("acme"), name("serve")]);
        let estimate = estimate(arm64, &build(Symbols::Functions, Pack::Upx), None, &kept).unwrap();
        assert_eq!(estimate.basis.unpriced, BTreeSet::from([name("acme")]));
        assert!(estimate.basis.to_string().ends_with(", without acme, whose size was not measured"));
    }

    #[test]
    fn another_line_of_go_and_its_experiments_scale_the_size() {
        let amd64 = platform("linux/amd64");
        let kept = &nearest(amd64).unwrap().basis.kept;
        let mut build = build(Symbols::Functions, Pack::Execpack);
        let size = |build: &Build, go: &str| estimate(amd64, build, Some(go.parse().unwrap()), kept).unwrap();
        assert_eq!(size(&build, "1.26.8").bytes, 3_239_021);
        // 1.104.5 with the same features and Go 1.27.3: 3,354,647, and 3,279,665 with the experiment.
        let newer = size(&build, "1.27.3");
        assert!(newer.bytes.abs_diff(3_354_647) < 20_000, "{}", newer.bytes);
        build.go_experiments.insert("nojsonv2".to_owned(), "Smaller.".to_owned());
        let smaller = size(&build, "1.27.3");
        assert!(smaller.bytes.abs_diff(3_279_665) < 20_000, "{}", smaller.bytes);
        assert_eq!(
            smaller.basis.to_string(),
            "estimated from a binary for linux/amd64, scaled to Go 1.27 with nojsonv2"
        );
        assert_eq!(size(&build, "1.26.8").bytes, 3_239_021);
    }

    #[test]
    fn every_platform_has_an_estimate() {
        for platform in PLATFORMS {
            let kept = &nearest(platform).unwrap().basis.kept;
            for pack in [Pack::None, Pack::Upx] {
                let size = estimate(platform, &build(Symbols::All, pack), None, kept).unwrap().bytes;
                let plausible = if pack == Pack::None { 16_000_000..20_000_000 } else { 4_000_000..6_000_000 };
                assert!(plausible.contains(&size), "{platform} {pack}: {size}");
            }
        }
    }
}
