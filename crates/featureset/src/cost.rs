//! Costs: the measured size of each decision in real builds, and estimates from them.
//!
//! A cost is the difference between two binaries: the policy's own and the one with a single decision flipped, together
//! with what must move along. Costs don't add up: what two features share goes only when both do.

pub mod estimate;
pub mod frontier;
pub mod sample;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::name::FeatureName;
use crate::policy::{Build, EffectivePolicy, Pack, Symbols};
use crate::release::{GoVersion, Release};
use crate::selection::Selection;

/// The largest size that costs may state: what is added up and drawn stays far from where numbers end.
const LARGEST: u64 = 1 << 40;

/// The costs of one target, as `docs/costs/TARGET.json` holds them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    /// The command that writes the file.
    pub generated_by: String,
    /// The measured target.
    pub basis: Basis,
    /// The policy's own binary.
    pub whole: BinarySize,
    /// The memory of its daemon, if measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// The cost of each feature's decision.
    pub features: BTreeMap<FeatureName, Cost>,
}

/// The circumstances of a result: a change of any of them changes the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// The release.
    pub release: Release,
    /// The toolchain.
    pub go: GoVersion,
    /// How the binary is packed: `execpack`, `upx` or `none`.
    pub pack: String,
    /// The packer's version; `None` if nothing is packed.
    pub packer: Option<String>,
    /// The platform, such as `linux/arm/v7`.
    pub platform: String,
    /// How much the compiler inlined.
    pub inlining: String,
    /// The symbols that a traceback can name.
    pub symbols: String,
    /// The revision of the rewrite of the function table; `None` if it stays as linked.
    pub rewrite: Option<u32>,
    /// Build tags other than those of the features.
    pub extra_tags: BTreeSet<String>,
    /// Experiments of the Go toolchain.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub go_experiments: BTreeSet<String>,
    /// The features that the policy kept.
    pub kept: BTreeSet<FeatureName>,
}

/// The size of a binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BinarySize {
    /// As linked, in bytes.
    pub raw: u64,
    /// As shipped, in bytes.
    pub packed: u64,
}

/// The memory of an idle daemon after login: anonymous bytes, which the kernel can't reclaim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// The median of several starts, in bytes; of a difference, what the feature adds.
    pub bytes: i64,
    /// How far the starts were apart. A difference that is not larger shows nothing.
    pub spread: u64,
}

impl Memory {
    /// From what was seen in several starts; nothing from none.
    #[must_use]
    pub fn from_samples(mut seen: Vec<u64>) -> Option<Self> {
        seen.sort_unstable();
        let (first, last) = (seen.first()?, seen.last()?);
        Some(Self { bytes: i64::try_from(*seen.get(seen.len() / 2)?).ok()?, spread: last - first })
    }

    /// How much more this is than another, with the larger spread of the two.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self { bytes: self.bytes - other.bytes, spread: self.spread.max(other.spread) }
    }

    /// Whether a difference is larger than chance.
    #[must_use]
    pub fn tells(self) -> bool {
        self.bytes.unsigned_abs() > self.spread
    }
}

/// The effect of inverting a feature's decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Cost {
    /// Both binaries were built.
    Measured {
        /// The other features whose decision moved along.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        along: BTreeSet<FeatureName>,
        /// Bytes, as linked, of the binary that has the feature less the one that has it not.
        raw: i64,
        /// The same as shipped.
        packed: i64,
        /// The same of the daemon's memory, where that was measured and both could log in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        memory: Option<Memory>,
        /// Why the memory of the daemon with the opposite decision could not be measured, for example because nobody can log in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        without_memory: Option<String>,
        /// Packages that only the binary with the feature has.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        packages: BTreeSet<String>,
        /// Modules that only the binary with the feature has.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        modules: BTreeSet<String>,
    },
    /// The flipped selection does not compile.
    DoesNotCompile {
        /// The first complaint.
        said: String,
        /// The hazard that describes it, if any.
        hazard: Option<String>,
    },
    /// The flipped binary was built and did not start.
    DoesNotStart {
        /// Its message.
        said: String,
    },
}

impl Basis {
    /// Returns the basis of a measurement of a target; `None` for the common policy, or without a release or
    /// toolchain. The packer is known once it was found; `rewrite` is the revision that would rewrite a function table.
    #[must_use]
    pub fn new(
        policy: EffectivePolicy<'_>,
        selection: &Selection<'_>,
        rewrite: u32,
        packer: Option<String>,
    ) -> Option<Self> {
        let target = policy.target()?;
        let Build { inlining, symbols, pack, extra_tags, go_experiments } = &target.build;
        Some(Self {
            release: policy.policy().tailscale?,
            go: policy.policy().go?,
            pack: pack.word().to_owned(),
            packer,
            platform: target.platform.name.to_owned(),
            inlining: inlining.word().to_owned(),
            symbols: symbols.word().to_owned(),
            rewrite: (*symbols != Symbols::All).then_some(rewrite),
            extra_tags: extra_tags.keys().cloned().collect(),
            go_experiments: go_experiments.keys().cloned().collect(),
            kept: selection.kept.clone(),
        })
    }

    /// Returns why a result that was measured on this basis is stale on another one: each difference in a few
    /// words. Other keeps don't; see [`Basis::drift`]. The packer's version counts only where both are known.
    #[must_use]
    pub fn stale(&self, now: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, then: String, now: String| {
            if then != now {
                found.push(format!("{what} {then}, now {now}"));
            }
        };
        compare("Tailscale", self.release.to_string(), now.release.to_string());
        compare("Go", self.go.to_string(), now.go.to_string());
        compare("platform", self.platform.clone(), now.platform.clone());
        compare("inlining", self.inlining.clone(), now.inlining.clone());
        // The sizes of another packer are shown with its name, and estimates scale them.
        if self.other_packer(now).is_none() {
            compare("pack", self.pack.clone(), now.pack.clone());
        }
        compare("symbols", self.symbols.clone(), now.symbols.clone());
        if let (Some(then), Some(now)) = (self.rewrite, now.rewrite) {
            compare("the rewrite's revision", then.to_string(), now.to_string());
        }
        let listed = |names: &BTreeSet<String>| format!("`{}`", names.iter().cloned().collect::<Vec<_>>().join(","));
        compare("extra tags", listed(&self.extra_tags), listed(&now.extra_tags));
        compare("Go experiments", listed(&self.go_experiments), listed(&now.go_experiments));
        if self.pack == now.pack
            && let (Some(then), Some(now)) = (&self.packer, &now.packer)
        {
            compare("packer's version", then.clone(), now.clone());
        }
        found
    }

    /// Returns the packer of the measurement if the binary is packed by another one now.
    #[must_use]
    pub fn other_packer(&self, now: &Self) -> Option<&str> {
        let none = Pack::None.word();
        (self.pack != now.pack && self.pack != none && now.pack != none).then_some(&*self.pack)
    }

    /// The features whose decision is another one than when it was measured.
    #[must_use]
    pub fn drift(&self, now: &Self) -> BTreeSet<FeatureName> {
        self.kept.symmetric_difference(&now.kept).cloned().collect()
    }
}

impl Costs {
    /// Reads costs from the JSON that [`Costs::to_json`] writes.
    ///
    /// # Errors
    /// The parser's message.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let costs: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if costs.sizes().into_iter().any(|bytes| bytes > LARGEST) {
            return Err(format!("it states a size of more than {LARGEST} bytes"));
        }
        Ok(costs)
    }

    /// Every size in it, without its sign.
    fn sizes(&self) -> Vec<u64> {
        let (mut sizes, mut memories) = (vec![self.whole.raw, self.whole.packed], vec![self.memory]);
        for cost in self.features.values() {
            if let Cost::Measured { raw, packed, memory, .. } = cost {
                sizes.extend([raw.unsigned_abs(), packed.unsigned_abs()]);
                memories.push(*memory);
            }
        }
        let memories = memories.into_iter().flatten();
        sizes.extend(memories.flat_map(|memory| [memory.bytes.unsigned_abs(), memory.spread]));
        sizes
    }

    /// The costs as pretty JSON with a final newline, always the same bytes for the same costs.
    ///
    /// # Errors
    /// Never in practice: every key is a string.
    pub fn to_json(&self) -> Result<String, String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n").map_err(|error| error.to_string())
    }

    /// Returns a feature's size as shipped, in bytes, including forced decisions; `None` if it was not measured.
    #[must_use]
    pub fn packed(&self, name: &FeatureName) -> Option<i64> {
        match self.features.get(name)? {
            Cost::Measured { packed, .. } => Some(*packed),
            Cost::DoesNotCompile { .. } | Cost::DoesNotStart { .. } => None,
        }
    }
}

impl Cost {
    /// Whether it is the price of more than the one decision.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Measured { along, .. } if !along.is_empty())
    }
}

/// A difference of bytes as people read it: `+12 kB`, `−3 kB`, in kilobytes of a thousand bytes, with one decimal below ten.
#[must_use]
pub fn format_difference(bytes: i64) -> String {
    let sign = if bytes < 0 { "−" } else { "+" };
    let tenths = (bytes.unsigned_abs() + 50) / 100;
    if tenths < 100 {
        format!("{sign}{}.{} kB", tenths / 10, tenths % 10)
    } else {
        format!("{sign}{} kB", (bytes.unsigned_abs() + 500) / 1000)
    }
}
