//! Memory under load: figures of daemons in control groups, and what they predict of a device.

use std::sync::OnceLock;

use include_dir::{Dir, include_dir};
use serde::{Deserialize, Serialize};

use crate::policy::{EffectivePolicy, Pack, parse_size};
use crate::release::{GoVersion, Release};

static FIGURES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../docs/memory");

/// The share of the memory to which the entrypoint of the image limits the heap, in eighths. The script has the same number.
pub const ENTRYPOINT_EIGHTHS: u64 = 6;

/// The memory in MiB below which the entrypoint sets no limit. The script has the same number.
pub const ENTRYPOINT_FLOOR: u64 = 48;

/// The figures of one target, as `docs/memory/TARGET-RELEASE.json` holds them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryFigures {
    /// The command that writes the file.
    pub generated_by: String,
    /// The measured binary.
    pub basis: Basis,
    /// The runs, in the order of their settings.
    pub runs: Vec<Run>,
}

/// The circumstances of the runs: a change of any of them changes the figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// The release.
    pub release: Release,
    /// The toolchain.
    pub go: GoVersion,
    /// The platform, such as `linux/amd64`.
    pub platform: String,
    /// The digest of the measured binary.
    pub sha256: String,
    /// How it is packed: `execpack`, `upx` or `none`.
    pub pack: String,
    /// The number of processors of the machine.
    pub processors: usize,
    /// The duration of the load in each run, in seconds.
    pub seconds: u64,
}

/// The settings of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Whether the binary was packed.
    pub packed: bool,
    /// The limit of the control group, in MiB.
    pub memory: u64,
    /// The value of `GOGC`: the growth of the heap in percent after which the collector runs.
    pub gogc: u32,
    /// The value of `GOMEMLIMIT` as eighths of the control group's limit; 0 if it is not set.
    pub eighths: u64,
}

/// A run: its settings and the observations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The settings.
    pub setting: Setting,
    /// The observations.
    pub observed: Observed,
}

/// The observations of a daemon under load.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// The milliseconds that the daemon carried traffic: shorter than planned if it was killed.
    pub milliseconds: u64,
    /// The bytes that passed through its TUN device, in both directions.
    pub bytes: u64,
    /// Its processor time in milliseconds.
    pub processor: u64,
    /// The part of it that the garbage collector took.
    pub collector: u64,
    /// The number of garbage collections.
    pub collections: u64,
    /// The largest anonymous memory (`RssAnon`) of the daemon, in bytes.
    pub anonymous: u64,
    /// The largest memory use of the control group, in bytes.
    pub group: u64,
    /// The number of requests of the status.
    pub asked: u64,
    /// The number of those that were answered before the end.
    pub answered: u64,
    /// The number of connections that broke off or stalled.
    pub broken: u64,
    /// Why the run counts as failed, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

impl Setting {
    /// Returns the settings of the image's entrypoint in a control group of this many MiB.
    #[must_use]
    pub fn of_entrypoint(packed: bool, memory: u64) -> Self {
        let eighths = if memory < ENTRYPOINT_FLOOR { 0 } else { ENTRYPOINT_EIGHTHS };
        Self { packed, memory, gogc: 100, eighths }
    }

    /// Returns the value of `GOMEMLIMIT` in MiB, if it is set.
    #[must_use]
    pub fn limit(self) -> Option<u64> {
        (self.eighths > 0).then_some(self.memory * self.eighths / 8)
    }
}

/// The memory that a daemon needs under load, by the measured runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need<'a> {
    /// The runs and the measured binary.
    pub figures: &'a MemoryFigures,
    /// The smallest measured size that sufficed, in MiB; `None` if none did.
    pub enough: Option<u64>,
    /// The largest measured size below that, which did not suffice.
    pub too_little: Option<u64>,
}

impl Run {
    /// Returns whether the memory was enough: no process was killed, no connection broke off, every request of the
    /// status was answered, and a tenth of the memory was never used, because load differs from run to run.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        self.observed.failed.is_none() && self.observed.group <= (self.setting.memory << 20) / 10 * 9
    }
}

impl MemoryFigures {
    /// Returns the figures that the program carries. A test reads every file; one that can't be read is left out here.
    pub fn embedded() -> &'static [Self] {
        static EMBEDDED: OnceLock<Vec<MemoryFigures>> = OnceLock::new();
        EMBEDDED.get_or_init(|| {
            let texts = FIGURES.files().filter_map(|file| file.contents_utf8());
            texts.filter_map(|text| serde_json::from_str(text).ok()).collect()
        })
    }

    /// Returns the embedded figures for a release: those of the newest measured line up to its own, else of the oldest.
    #[must_use]
    pub fn of(release: Release) -> Option<&'static Self> {
        let by_line = |figures: &&Self| figures.basis.release.line();
        let earlier = Self::embedded().iter().filter(|figures| figures.basis.release.line() <= release.line());
        earlier.max_by_key(by_line).or_else(|| Self::embedded().iter().min_by_key(by_line))
    }

    /// Returns the memory that the daemon needs with the settings of the image's entrypoint.
    #[must_use]
    pub fn need(&self, is_packed: bool) -> Need<'_> {
        let of_entrypoint = |run: &&Run| run.setting == Setting::of_entrypoint(is_packed, run.setting.memory);
        let mut runs: Vec<&Run> = self.runs.iter().filter(of_entrypoint).collect();
        runs.sort_by_key(|run| std::cmp::Reverse(run.setting.memory));
        let mut need = Need { figures: self, enough: None, too_little: None };
        for run in runs {
            if !run.is_enough() {
                need.too_little = Some(run.setting.memory);
                break;
            }
            need.enough = Some(run.setting.memory);
        }
        need
    }
}

/// Returns the stated memory of a target's device in bytes, and the memory that its daemon needs under load; `None` if
/// the policy does not state the memory, or nothing was measured.
#[must_use]
pub fn need_of(target: EffectivePolicy<'_>) -> Option<(u64, Need<'static>)> {
    let memory = parse_size(target.device().facts.get("memory")?)?;
    let figures = MemoryFigures::of(target.policy().tailscale?)?;
    Some((memory, figures.need(target.build().pack != Pack::None)))
}

impl Need<'_> {
    /// Returns whether a size in bytes suffices. Devices are described in powers of ten, control groups in powers of
    /// two: 64 MB are taken as 64 MiB.
    #[must_use]
    pub fn suffices(self, bytes: u64) -> bool {
        self.enough.is_some_and(|enough| bytes >= enough * 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(packed: bool, memory: u64, is_enough: bool) -> Run {
        let failed = (!is_enough).then(|| "the kernel killed a process".to_owned());
        let observed = Observed { failed, group: memory * 900_000, ..Observed::default() };
        Run { setting: Setting::of_entrypoint(packed, memory), observed }
    }

    fn figures(runs: Vec<Run>) -> MemoryFigures {
        let basis = serde_json::json!({
            "release": "1.102.5", "go": "1.26.8", "platform": "linux/amd64", "sha256": "00", "pack": "execpack",
            "processors": 2, "seconds": 20,
        });
        MemoryFigures { generated_by: String::new(), basis: serde_json::from_value(basis).unwrap(), runs }
    }

    #[test]
    fn need_is_the_smallest_size_from_which_every_run_sufficed() {
        let need = |runs: Vec<Run>| {
            let figures = figures(runs);
            let need = figures.need(true);
            (need.enough, need.too_little)
        };
        let [small, middle, large] = [48, 64, 96].map(|memory| move |is_enough| run(true, memory, is_enough));
        assert_eq!(need(vec![small(false), middle(true), large(true)]), (Some(64), Some(48)));
        assert_eq!(need(vec![large(true), small(true), middle(false)]), (Some(96), Some(64)), "a gap does not count");
        assert_eq!(need(vec![small(true)]), (Some(48), None));
        assert_eq!(need(vec![large(false)]), (None, Some(96)));
        assert_eq!(need(vec![run(false, 64, true)]), (None, None), "another packer");
        let other = Setting { gogc: 50, ..Setting::of_entrypoint(true, 64) };
        assert_eq!(need(vec![Run { setting: other, ..run(true, 64, true) }]), (None, None), "other settings");
    }

    #[test]
    fn memory_that_was_almost_used_up_is_not_enough() {
        let mut run = run(true, 100, true);
        assert!(run.is_enough());
        run.observed.group = 95 << 20;
        assert!(!run.is_enough());
    }

    #[test]
    fn need_is_compared_in_megabytes() {
        let figures = figures(vec![run(true, 64, true)]);
        let suffices = |bytes| figures.need(true).suffices(bytes);
        assert_eq!((suffices(63_900_000), suffices(64_000_000)), (false, true));
        assert!(!figures.need(false).suffices(u64::MAX), "not measured");
    }

    #[test]
    fn limit_is_a_share_of_the_memory() {
        let limit = |memory| Setting::of_entrypoint(true, memory).limit();
        assert_eq!((limit(47), limit(48), limit(128)), (None, Some(36), Some(96)));
    }

    #[test]
    fn every_embedded_file_is_read_and_has_every_size() {
        assert_eq!(MemoryFigures::embedded().len(), FIGURES.files().count());
        for figures in MemoryFigures::embedded() {
            for packed in [true, false] {
                assert!(figures.need(packed).enough.is_some(), "{} {packed}", figures.basis.release);
            }
        }
        let of = |release: &str| MemoryFigures::of(release.parse().unwrap()).unwrap().basis.release.to_string();
        assert_eq!(
            ["1.90.1", "1.102.1", "1.103.0", "1.104.0", "1.200.0"].map(of),
            ["1.102.5", "1.102.5", "1.102.5", "1.104.5", "1.104.5"]
        );
    }
}
