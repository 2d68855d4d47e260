//! `measure estimates`: builds selections that were drawn from seeds, and compares their sizes with the estimates.

use std::path::Path;

use anyhow::{Context, Result};
use diagnostics::{Code, Diagnostic, NextStep};
use featureset::cost::estimate::SizeModel;
use featureset::cost::sample::{self, SEEDS, Sample, Samples, TARGET};
use featureset::policy::Policy;
use featureset::recipe::Recipe;
use featureset::selection::Selection;
use featureset::upstream_data::UpstreamData;
use tailscale_featureset::commands::build_tailscale::{BuildOutcome, Builder, PACKED};
use tailscale_featureset::commands::{Outcome, registry};
use tailscale_featureset::format::FindingsFormat;
use tailscale_featureset::pinned::Pinned;
use tailscale_featureset::project::Project;
use tailscale_featureset::render::{self, Found};
use tailscale_featureset::{files, outln, process, progress};

use crate::args::Estimates;

/// The record in this repository.
const RECORD: &str = "crates/featureset/costs/samples.json";

/// Runs the command: the samples of the recorded seeds are written to the record, each when it is built, or compared with it;
/// those of other seeds are only printed.
///
/// # Errors
/// A [`Diagnostic`] outside this repository, or if a tool, a download or a build fails.
pub(crate) fn run(policy: Option<&Path>, flags: &Estimates) -> Result<Outcome> {
    let path = registry::repository(policy)?.join(RECORD);
    let project = Project::open_or_newest(policy)?;
    let folder = project.target().join("tailscale/.samples");
    let seeds: Vec<u64> = if flags.seeds.is_empty() { SEEDS.collect() } else { flags.seeds.clone() };
    let facts = UpstreamData::embedded();
    // The samples differ in nothing that the tools and the module depend on.
    let first = sample::policy(1).context("the program contains no measurement")?;
    let builder = Builder::gather(&project, pinned(&first, facts)?, &[TARGET])?;
    let mut record = Samples {
        generated_by: "cargo xtask measure estimates".to_owned(),
        release: builder.upstream.release,
        go: first.go.context("no toolchain")?,
        packer: format!("execpack {}", execpack::REVISION),
        samples: Vec::new(),
    };
    outln!("| seed | platform | kept | other decisions | estimated difference | built difference | error |");
    outln!("|---|---|---|---|---|---|---|");
    for seed in seeds {
        process::check_interrupt()?;
        let policy = sample::policy(seed).context("the program contains no measurement")?;
        let sample = build(&builder, pinned(&policy, facts)?, seed, &folder)?;
        outln!("{}", row(&sample, &policy).context("the sample has no estimate")?);
        record.samples.push(sample);
        if flags.seeds.is_empty() && !flags.check {
            files::write(&path, &(serde_json::to_string_pretty(&record)? + "\n"))?;
        }
    }
    if !flags.check || serde_json::from_str::<Samples>(&files::read(&path)?).ok().as_ref() == Some(&record) {
        return Ok(Outcome::Clean);
    }
    let message = format!("{RECORD} is out of date");
    let findings = [Diagnostic::new(Code::StaleCosts, message, NextStep::run("measure estimates"))];
    render::found_in(&[Found::about(RECORD, &findings)], FindingsFormat::Human);
    Ok(Outcome::Findings)
}

fn pinned<'a>(policy: &'a Policy, facts: &'a UpstreamData) -> Result<Pinned<'a>> {
    let release = policy.tailscale.context("no release")?;
    let registry = facts.registry(release).context("the release is not known")?;
    Ok(Pinned { policy, release, registry, facts })
}

/// Builds a sample, unless an earlier run did.
fn build(builder: &Builder, pinned: Pinned<'_>, seed: u64, folder: &Path) -> Result<Sample> {
    let kept = sample::draw(seed, pinned.policy, pinned.facts);
    let kept = kept.with_context(|| format!("no usable selection from seed {seed}"))?;
    let target = pinned.for_target(TARGET)?;
    let selection = Selection::keeping(&kept, pinned.registry);
    let recipe = Recipe::new(target, &selection, builder.upstream.commit.as_deref()).context("no toolchain")?;
    let step = progress::step("Building", format!("sample {seed} for {}", recipe.platform));
    let folder = folder.join(seed.to_string());
    if let BuildOutcome::Failed(failure) = builder.build_once(&recipe, &folder)? {
        let next = "If a hazard is missing that describes it, add the hazard.";
        let message = format!("the sample {seed} can't be built");
        return Err(Diagnostic::failure(Code::NotMeasurable, message, failure.output(), next).into());
    }
    let bytes = std::fs::metadata(folder.join(PACKED))?.len();
    step.done("Built", &format!("sample {seed}: {bytes} bytes"));
    Ok(Sample { seed, platform: recipe.platform.name.to_owned(), bytes, kept })
}

/// Returns a row of the table of docs/measurements/feature-sizes.md.
fn row(sample: &Sample, policy: &Policy) -> Option<String> {
    let target = policy.for_target(TARGET)?;
    let model = SizeModel::new(target.target()?.platform, target.build(), policy.go)?;
    let difference = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX) - i64::try_from(model.bytes).unwrap_or(0);
    let (estimated, built) = (difference(model.estimate(&sample.kept).bytes), difference(sample.bytes));
    let decisions = sample.kept.symmetric_difference(model.kept).count();
    let error = (estimated - built) as f64 / built.abs() as f64 * 100.0;
    Some(format!(
        "| {} | {} | {} | {decisions} | {estimated:+} | {built:+} | {error:+.1} % |",
        sample.seed,
        sample.platform,
        sample.kept.len()
    ))
}
