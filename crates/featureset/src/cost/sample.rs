//! Sample selections: selections far from the measured ones, drawn from a seed, whose built sizes show how good estimates are.
//!
//! The record, `crates/featureset/costs/samples.json`, is written by `cargo xtask measure estimates`.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::estimate::SizeModel;
use crate::hazard::Effect;
use crate::name::FeatureName;
use crate::policy::{EffectivePolicy, Policy, read};
use crate::registry::Registry;
use crate::release::{GoVersion, Release};
use crate::rules::selection_hazards;
use crate::selection::Selection;
use crate::upstream_data::UpstreamData;

/// The seeds of the recorded samples.
pub const SEEDS: RangeInclusive<u64> = 1..=12;

/// The platforms of the samples, taken in turn.
const PLATFORMS: &[&str] = &["linux/arm64", "linux/arm/v5", "linux/mipsle/softfloat"];

/// The fewest decisions in which a sample differs from the measured selection.
const FEWEST_DECISIONS: usize = 15;

/// The smallest sum of the sizes of a drawn selection's differing features, in percent: features share code, so the
/// binary differs by less.
const SMALLEST_SUM: i64 = 12;

/// The number of draws from one seed before it counts as unusable.
const DRAWS: usize = 10_000;

/// The name of the only target in the policy of a sample.
pub const TARGET: &str = "sample";

/// A selection and the size of its binary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The seed of the selection.
    pub seed: u64,
    /// The platform.
    pub platform: String,
    /// The size of the binary that ships, in bytes.
    pub bytes: u64,
    /// The features in the binary.
    pub kept: BTreeSet<FeatureName>,
}

/// The built samples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Samples {
    /// The command that writes the record.
    pub generated_by: String,
    /// The release.
    pub release: Release,
    /// The toolchain.
    pub go: GoVersion,
    /// The packer and its version.
    pub packer: String,
    /// The samples by seed.
    pub samples: Vec<Sample>,
}

/// Returns the policy in which a sample is built: the release and the toolchain of the measurements, the settings of a new
/// policy, and one target. It decides nothing. `None` if the program contains no measurement.
#[must_use]
pub fn policy(seed: u64) -> Option<Policy> {
    let platform = PLATFORMS[usize::try_from(seed).ok()? % PLATFORMS.len()];
    let basis = &super::estimate::embedded().get("arm64")?.basis;
    read(&format!(
        "tailscale: {}\ngo: {}\ndevice: {{ profile: container }}\nbuild: {{ symbols: functions, pack: execpack }}\n\
         targets:\n  {TARGET}: {{ platform: {platform} }}\nfeatures: {{}}\n",
        basis.release, basis.go
    ))
    .policy
}

/// Draws the features of a sample from its seed: each kept feature of the measured selection stays, and each other one
/// comes, with two probabilities that are drawn too. The dependencies of a kept feature are kept.
///
/// Selections that are known not to compile or not to start are drawn again, and so are those that are too close to the measured
/// one. The result depends on nothing but the seed, the registry, the hazards and the sizes of single features.
#[must_use]
pub fn draw(seed: u64, policy: &Policy, facts: &UpstreamData) -> Option<BTreeSet<FeatureName>> {
    let target = policy.for_target(TARGET)?;
    let registry = facts.registry(policy.tailscale?)?;
    let model = SizeModel::new(target.target()?.platform, target.build(), policy.go)?;
    let mut numbers = Numbers(seed);
    (0..DRAWS)
        .map(|_| draw_once(&mut numbers, registry, model.kept))
        .find(|kept| is_far(kept, &model) && is_buildable(kept, target, registry, facts))
}

fn draw_once(numbers: &mut Numbers, registry: &Registry, measured: &BTreeSet<FeatureName>) -> BTreeSet<FeatureName> {
    let (come, stay) = (5 + numbers.below(56), 40 + numbers.below(61));
    let mut kept = BTreeSet::new();
    for name in registry.features.keys() {
        if numbers.below(100) < if measured.contains(name) { stay } else { come } {
            kept.extend(registry.requires(name));
        }
    }
    kept
}

/// Returns whether a selection differs enough from the measured one, and every difference has a size.
fn is_far(kept: &BTreeSet<FeatureName>, model: &SizeModel<'_>) -> bool {
    let other: Vec<&FeatureName> = kept.symmetric_difference(model.kept).collect();
    let sizes = other.iter().map(|name| Some(model.own.get(*name)? * if kept.contains(*name) { 1 } else { -1 }));
    let Some(sizes) = sizes.collect::<Option<Vec<i64>>>() else { return false };
    let least = i64::try_from(model.bytes).unwrap_or(i64::MAX) / 100 * SMALLEST_SUM;
    other.len() >= FEWEST_DECISIONS && sizes.iter().sum::<i64>().abs() >= least
}

fn is_buildable(
    kept: &BTreeSet<FeatureName>,
    target: EffectivePolicy<'_>,
    registry: &Registry,
    facts: &UpstreamData,
) -> bool {
    let hazards = selection_hazards(target, &Selection::keeping(kept, registry), facts);
    let effects = [Effect::DoesNotCompile, Effect::DoesNotStart];
    // A hazard that depends on the device says nothing about the build.
    hazards.iter().all(|hazard| !hazard.is_certain() || !effects.contains(&hazard.hazard.record.effect))
}

/// A sequence of numbers that depends on the seed only: `SplitMix64`.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest difference of a sample's size from that of the measured binary, in percent of the latter.
    const SMALLEST_DIFFERENCE: u64 = 8;

    /// The largest median of the errors of the estimated difference from the measured binary, in percent.
    const MEDIAN: f64 = 15.0;

    /// An error that only so many samples may exceed, in percent: docs/measurements/feature-sizes.md has the reasons.
    const LARGE: f64 = 35.0;
    const EXCEPTIONS: usize = 2;

    fn recorded() -> Vec<Sample> {
        serde_json::from_str::<Samples>(include_str!("../../costs/samples.json")).unwrap().samples
    }

    fn model(sample: &Sample) -> SizeModel<'static> {
        let policy = policy(sample.seed).unwrap();
        let target = policy.for_target(TARGET).unwrap().target().unwrap().clone();
        assert_eq!(target.platform.name, sample.platform);
        SizeModel::new(target.platform, &target.build, policy.go).unwrap()
    }

    #[test]
    fn estimates_of_recorded_samples_have_small_errors() {
        let error = |sample: &Sample| {
            let model = model(sample);
            let estimated = model.estimate(&sample.kept).bytes;
            100.0 * estimated.abs_diff(sample.bytes) as f64 / sample.bytes.abs_diff(model.bytes) as f64
        };
        let mut errors: Vec<f64> = recorded().iter().map(error).collect();
        errors.sort_by(f64::total_cmp);
        assert_eq!(errors.len(), SEEDS.count());
        assert!(errors[errors.len() / 2] <= MEDIAN, "{errors:?}");
        assert!(errors[errors.len() - 1 - EXCEPTIONS] <= LARGE, "{errors:?}");
    }

    #[test]
    fn recorded_samples_are_far_from_the_measured_selection() {
        for sample in &recorded() {
            let model = model(sample);
            assert!(sample.kept.symmetric_difference(model.kept).count() >= FEWEST_DECISIONS, "{}", sample.seed);
            let difference = sample.bytes.abs_diff(model.bytes) * 100 / model.bytes;
            assert!(difference >= SMALLEST_DIFFERENCE, "{}: {difference} %", sample.seed);
        }
    }

    #[test]
    fn every_seed_has_a_sample() {
        for seed in SEEDS {
            let policy = policy(seed).unwrap();
            let kept = draw(seed, &policy, UpstreamData::embedded());
            assert!(kept.is_some(), "{seed}");
            assert_eq!(draw(seed, &policy, UpstreamData::embedded()), kept, "{seed}");
        }
    }
}
