//! Results of a benchmark, as a Markdown table, JSON and annotations.

use featureset::policy::format_size;
use featureset::release::Release;
use serde::{Deserialize, Serialize};

use super::paired_stats::{Ratio, Verdict, middle};
use super::plan::Side;
use crate::cli::{Format, Load};
use crate::render::annotate;
use crate::{outln, output};

/// An event of the process inside, one per line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(super) enum Event {
    /// A pair begins.
    Begins {
        /// Its number.
        pair: u64,
    },
    /// A run has ended.
    Ended(Run),
    /// A run failed.
    Failed {
        /// The reason.
        why: String,
    },
}

/// A run of one binary's daemons.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) pair: u64,
    pub(super) side: Side,
    pub(super) taken: Vec<Taken>,
    pub(super) memory: Memory,
}

/// The result of one load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Taken {
    pub(super) load: Load,
    /// Bytes that arrived.
    pub(super) bytes: f64,
    pub(super) seconds: f64,
    /// Processor time of both daemons, in seconds.
    pub(super) processor: f64,
}

impl Taken {
    /// Adds another run of the same load.
    pub(super) fn add(&mut self, more: Self) {
        self.bytes += more.bytes;
        self.seconds += more.seconds;
        self.processor += more.processor;
    }
}

/// Anonymous memory of one daemon, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// After it found its peer.
    pub(super) idle: u64,
    /// After all traffic.
    pub(super) loaded: u64,
}

/// A quantity of both binaries: medians of all runs, and the comparison by pairs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Compared {
    reference: f64,
    shipped: f64,
    ratio: Ratio,
    verdict: Verdict,
}

/// A kind of traffic.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Figures {
    load: Load,
    cpu_seconds_per_gb: Compared,
    megabytes_per_second: Compared,
}

/// Medians of the anonymous memory of one daemon, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Anonymous {
    binary: Side,
    idle: f64,
    loaded: f64,
}

/// The summary of all runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Summary {
    pairs: usize,
    limit: f64,
    loads: Vec<Figures>,
    memory: Vec<Anonymous>,
}

impl Summary {
    /// Compares the runs; `None` if a load has too few pairs.
    pub(super) fn new(runs: &[Run], limit: f64) -> Option<Self> {
        let of = |side: Side| runs.iter().filter(move |run| run.side == side);
        let loads: Vec<Load> = of(Side::Shipped).next()?.taken.iter().map(|taken| taken.load).collect();
        let figures = loads.into_iter().map(|load| {
            let pairs = |figure: fn(&Taken) -> f64| -> Vec<(f64, f64)> {
                let taken = |run: &Run| run.taken.iter().find(|taken| taken.load == load).map(figure);
                let both = of(Side::Shipped).filter_map(|shipped| {
                    let reference = of(Side::Reference).find(|run| run.pair == shipped.pair)?;
                    Some((taken(reference)?, taken(shipped)?))
                });
                both.collect()
            };
            let cpu = pairs(|taken| taken.processor / (taken.bytes / 1e9));
            let speed = pairs(|taken| taken.bytes / 1e6 / taken.seconds);
            Some(Figures {
                load,
                cpu_seconds_per_gb: Compared::new(&cpu, |ratio| ratio.at_most(limit))?,
                megabytes_per_second: Compared::new(&speed, |ratio| ratio.inverse().at_most(limit))?,
            })
        });
        let memory = Side::ALL.into_iter().filter_map(|binary| {
            let idle = middle(of(binary).map(|run| run.memory.idle as f64))?;
            Some(Anonymous { binary, idle, loaded: middle(of(binary).map(|run| run.memory.loaded as f64))? })
        });
        Some(Self {
            pairs: of(Side::Shipped).count(),
            limit,
            loads: figures.collect::<Option<_>>()?,
            memory: memory.collect(),
        })
    }

    /// Whether every load is within the limit. An unclear result fails only with `require_all`.
    pub(super) fn is_fine(&self, require_all: bool) -> bool {
        let fine = |verdict| verdict == Verdict::Within || (verdict == Verdict::TooNoisy && !require_all);
        self.loads.iter().all(|one| fine(one.cpu_seconds_per_gb.verdict) && fine(one.megabytes_per_second.verdict))
    }

    /// Prints the results.
    pub(super) fn print(&self, runs: &[Run], (release, target): (Release, &str), format: Format) {
        match format {
            Format::Human => outln!("{}", self.markdown(release, target)),
            Format::Json => {
                let mut document = serde_json::json!({ "schema": 1, "release": release, "target": target });
                let own = serde_json::json!(self);
                if let (Some(document), serde_json::Value::Object(own)) = (document.as_object_mut(), own) {
                    document.extend(own);
                }
                document["runs"] = serde_json::json!(runs);
                output::json(&document);
            }
            Format::Github | Format::Sarif => {
                for one in &self.loads {
                    let level = match one.cpu_seconds_per_gb.verdict {
                        Verdict::Within => "notice",
                        Verdict::Beyond => "error",
                        Verdict::TooNoisy => "warning",
                    };
                    let comparison = one.cpu_seconds_per_gb.describe(self.limit);
                    annotate(level, &format!("bench {}", one.load.name()), &format!("CPU per GB {comparison}"));
                }
            }
        }
    }

    pub(super) fn markdown(&self, release: Release, target: &str) -> String {
        let mut text = format!(
            "## Tailscale {release} on {target}: what ships beside what Go links\n\n{} pairs. Both daemons' processor time; \
             medians, and the ratio within pairs with its interval of 95 %.\n\n| traffic | | reference | shipped | ratio | at most {} |\n|---|---|---|---|---|---|\n",
            self.pairs, self.limit
        );
        for one in &self.loads {
            for (unit, compared) in [("CPU s per GB", one.cpu_seconds_per_gb), ("MB per s", one.megabytes_per_second)] {
                text += &format!(
                    "| {} | {unit} | {:.2} | {:.2} | {} | {} |\n",
                    one.load.name(),
                    compared.reference,
                    compared.shipped,
                    compared.interval(),
                    compared.verdict.text()
                );
            }
        }
        text += "\n| RssAnon of one daemon | idle | after the traffic |\n|---|---|---|\n";
        for one in &self.memory {
            let size = |bytes: f64| format_size(bytes as u64);
            // `PackedAsLinked` carries no load.
            let loaded = if one.binary == Side::PackedAsLinked { "–".to_owned() } else { size(one.loaded) };
            text += &format!("| {} | {} | {loaded} |\n", one.binary.description(), size(one.idle));
        }
        text.trim_end().to_owned()
    }
}

impl Compared {
    fn new(pairs: &[(f64, f64)], verdict: impl Fn(Ratio) -> Verdict) -> Option<Self> {
        let ratio = Ratio::from_pairs(pairs)?;
        let reference = middle(pairs.iter().map(|(reference, _)| *reference))?;
        let shipped = middle(pairs.iter().map(|(_, shipped)| *shipped))?;
        Some(Self { reference, shipped, ratio, verdict: verdict(ratio) })
    }

    fn interval(&self) -> String {
        let Ratio { estimate, low, high } = self.ratio;
        format!("{estimate:.3} ({low:.3} to {high:.3})")
    }

    fn describe(&self, limit: f64) -> String {
        format!("{} of the reference's, at most {limit}: {}", self.interval(), self.verdict.text())
    }
}

impl Verdict {
    fn text(self) -> &'static str {
        match self {
            Self::Within => "yes",
            Self::Beyond => "NO",
            Self::TooNoisy => "too noisy to tell",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs in which the shipped binary takes `ratio` times as much on one stream, and small packets are too noisy.
    fn runs(slower: f64) -> Vec<Run> {
        let sides = (0..20).flat_map(|pair| Side::ALL.map(|side| (pair, side)));
        let run = |(pair, side): (u64, Side)| {
            let drift = 1.0 + pair as f64 / 10.0;
            let factor = if side == Side::Shipped { slower } else { 1.0 };
            let wild = if side == Side::Shipped && pair % 2 == 0 { 1.5 } else { 1.0 };
            let taken = |load, factor: f64| Taken { load, bytes: 3e8, seconds: factor, processor: 1.5 * factor };
            let both = vec![taken(Load::OneStream, drift * factor), taken(Load::SmallPackets, drift * wild)];
            let size = match side {
                Side::Reference => 7_000_000,
                Side::PackedAsLinked => 24_800_000,
                Side::Shipped => 21_800_000,
            };
            let taken = if side == Side::PackedAsLinked { Vec::new() } else { both };
            Run { pair, side, taken, memory: Memory { idle: size, loaded: size + 30_000_000 } }
        };
        sides.map(run).collect()
    }

    #[test]
    fn a_bench_as_markdown() {
        let shown = |slower| Summary::new(&runs(slower), 1.05).unwrap().markdown("1.102.5".parse().unwrap(), "amd64");
        insta::assert_snapshot!(format!("{}\n\n{}", shown(1.02), shown(1.22)));
    }

    #[test]
    fn slower_is_a_failure_and_noise_is_one_where_everything_must_be_known() {
        let fine = |slower, noisy: bool, all| {
            let mut runs = runs(slower);
            for run in runs.iter_mut().filter(|_| !noisy) {
                run.taken.retain(|taken| taken.load == Load::OneStream);
            }
            Summary::new(&runs, 1.05).unwrap().is_fine(all)
        };
        assert!(fine(1.02, false, true) && fine(0.9, false, true) && fine(1.02, true, false));
        assert!(!fine(1.22, false, false) && !fine(1.02, true, true));
    }

    #[test]
    fn events_survive_the_way_out() {
        // The first pair's numbers are round: a float may come out in its last digit otherwise.
        for run in runs(1.0).into_iter().take(3) {
            let event = Event::Ended(run);
            let text = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
        }
    }

    #[test]
    fn too_few_pairs_give_nothing() {
        let few: Vec<Run> = runs(1.0).into_iter().filter(|run| run.pair < 5).collect();
        assert_eq!(Summary::new(&few, 1.05), None);
    }
}
