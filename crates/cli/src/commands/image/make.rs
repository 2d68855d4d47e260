//! Making images: builds the binaries unless they are fresh, assembles the root file system, and lints the archive before
//! it replaces an older one.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use featureset::policy::{Policy, format_size};
use gobinary::BuildInfo;
use image::archive::{self, Archive, Image as Parts};
use image::index::Entry;
use image::lint::{Expected, Verdict, judge};
use image::platform::Platform;
use image::root::Contents;
use image::sbom;
use serde_json::{Value, json};

use super::index::{self, Written};
use super::labels::{labels, licences};
use super::{lint, shell};
use crate::cli::Image;
use crate::commands::build_tailscale::{self, Manifest, PACKED, UNPACKED};
use crate::format::Format;
use crate::outcome::Outcome;
use crate::project::{Pinned, Project};
use crate::{escape, files, outln, output, progress, render};
use diagnostics::{Code, Diagnostic};

/// The name of the image.
const NAME: &str = "tailscale-routeros";

/// Tailscale's own licence.
const LICENCE: &str = "BSD-3-Clause";

/// Runs the command.
///
/// # Errors
/// A [`Diagnostic`] if a tool, a download or a file fails, or a target is not for a router.
pub(super) fn run(policy: Option<&Path>, format: Format, flags: &Image) -> Result<Outcome> {
    let project = Project::open(policy)?;
    let Some(pinned) = project.clean_or_draft(format, flags.draft)? else { return Ok(Outcome::Findings) };
    let targets = planned(pinned, &flags.targets)?;
    if flags.shell_file.is_some() && targets.len() != 1 {
        let why = "a program runs on one kind of processor";
        let next = "Name one target with `--target`.";
        return Err(Diagnostic::failure(Code::SeveralTargets, "`--shell-file` is for one target", why, next).into());
    }
    if let Some(folder) = &flags.index {
        index::check(folder, &targets)?;
    }
    let Some(made) = make(&project, pinned, &targets, flags.shell_file.as_deref(), format)? else {
        return Ok(Outcome::Findings);
    };
    let layout = flags.index.as_deref().map(|folder| index::write(folder, &entries(&made))).transpose()?;
    report(&made, layout.as_ref(), format);
    Ok(Outcome::Clean)
}

/// A target and the platform of its image.
pub(crate) type Planned<'a> = (&'a str, Platform);

/// Returns the named targets, or all, that have an image, and reports the others.
///
/// # Errors
/// A [`Diagnostic`] if a named target does not exist or has no image, none has one, or RouterOS has no containers on a
/// target's platform.
pub(crate) fn planned<'a>(pinned: Pinned<'a>, named: &[String]) -> Result<Vec<Planned<'a>>> {
    let targets = with_image(pinned.policy, &build_tailscale::chosen_targets(pinned.policy, named)?, named)?;
    targets.into_iter().map(|target| platform(pinned, target).map(|platform| (target, platform))).collect()
}

/// Makes the images, and before them the binaries that are not fresh. Prints findings about the policy, and then returns
/// `None`.
///
/// # Errors
/// A [`Diagnostic`] if a tool, a download or a file fails.
pub(crate) fn make(
    project: &Project,
    pinned: Pinned<'_>,
    targets: &[Planned<'_>],
    shell_file: Option<&Path>,
    format: Format,
) -> Result<Option<Vec<Made>>> {
    let names: Vec<&str> = targets.iter().map(|(target, _)| *target).collect();
    let findings = build_tailscale::ensure(project, pinned, &names)?;
    if !findings.is_empty() {
        project.show(&findings, format)?;
        return Ok(None);
    }
    let made = targets.iter().map(|(target, platform)| {
        let job = Job { project, pinned, target, platform: *platform, shell_file };
        job.make()
    });
    made.collect::<Result<_>>().map(Some)
}

/// Returns the targets that have an image, and reports the others.
///
/// # Errors
/// A [`Diagnostic`] if a named target has none, or no target has one.
fn with_image<'a>(policy: &Policy, targets: &[&'a str], named: &[String]) -> Result<Vec<&'a str>> {
    let has_image = |target: &&str| policy.targets.get(*target).is_some_and(|target| target.image.is_some());
    let (with, without): (Vec<&str>, Vec<&str>) = targets.iter().copied().partition(has_image);
    if with.is_empty() || (!without.is_empty() && !named.is_empty()) {
        let (why, next) = match policy.image {
            Some(_) => (
                "the policy has an `image` section, and the target says `image: none`",
                "Name a target that has an image, or delete `image: none`.",
            ),
            None => (
                "neither the policy nor the target has an `image` section",
                "Add `image: { shell: mksh }` to the target, or to the policy for all targets.",
            ),
        };
        let names = without.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return Err(Diagnostic::failure(Code::NoImage, format!("no image is described for {names}"), why, next).into());
    }
    for target in without {
        progress::line("Skipped", &format!("{target}: it has no image"));
    }
    Ok(with)
}

/// Returns the platform of a target, if RouterOS runs containers on it.
fn platform(pinned: Pinned<'_>, target: &str) -> Result<Platform> {
    let name = pinned.policy.targets.get(target).map_or("", |target| target.platform.name);
    Platform::find(name).ok_or_else(|| {
        let known: Vec<&str> = Platform::ALL.iter().map(|platform| platform.name()).collect();
        let why = format!("it has them on {}", known.join(", "));
        let next = "Name the targets that are for routers with `--target`.";
        Diagnostic::failure(
            Code::NoRouterosPlatform,
            format!("`{target}` is for {name}, where RouterOS has no containers"),
            why,
            next,
        )
        .into()
    })
}

/// Returns the parts and the lists of components of images, for an index.
pub(crate) fn entries(made: &[Made]) -> Vec<Entry> {
    made.iter().map(|made| made.entry.clone()).collect()
}

/// The inputs of one target's image.
struct Job<'a> {
    project: &'a Project,
    pinned: Pinned<'a>,
    target: &'a str,
    platform: Platform,
    shell_file: Option<&'a Path>,
}

/// A finished image.
pub(crate) struct Made {
    target: String,
    path: PathBuf,
    digest: String,
    verdict: Verdict,
    /// Its parts and its list of components.
    entry: Entry,
}

impl Job<'_> {
    fn make(&self) -> Result<Made> {
        let (manifest, program, info) = self.binary()?;
        let policy = self.pinned.policy;
        let target = policy.targets.get(self.target).ok_or_else(|| anyhow::anyhow!("the target is gone"))?;
        let choice = target.image.unwrap_or_default().shell;
        let cache = &self.project.cache;
        let shell = shell::provide(cache, choice, self.shell_file, target, self.platform)?;
        let step = progress::step("Assembling", format!("{} ({})", self.target, self.platform));
        let version = version(&manifest, self.target);
        let shell_digest = shell.as_ref().map(|provided| files::sha256(&provided.shell.bytes));
        let pin = shell.as_ref().and_then(|provided| provided.pin.clone());
        let list = sbom::list(&sbom::Components {
            image: (NAME, &version),
            main: module(info.main.as_ref()),
            modules: info.dependencies.iter().map(|found| module(Some(found))).collect(),
            go: info.go_version(),
            binary: &manifest.binary.sha256,
            shell: shell_digest.as_deref().map(|digest| (pin.as_ref(), digest)),
            helper: shell.as_ref().map(|provided| provided.shell.helper),
        });
        let licence = match (&pin, &shell) {
            (Some(pin), _) => licences([LICENCE, &pin.licence, image::helper::LICENCE]),
            (None, Some(_)) => licences([LICENCE, "LicenseRef-shell", image::helper::LICENCE]),
            (None, None) => LICENCE.to_owned(),
        };
        let parts = Parts {
            platform: self.platform,
            tag: format!("{NAME}:{version}"),
            contents: Contents { program, shell: shell.map(|provided| provided.shell) },
            labels: labels(&manifest, &licence),
        };
        let archive = archive::write(&parts)?;
        let verdict = self.judged(&archive, &manifest, parts.contents.shell.is_some())?;
        let digest = files::sha256(&archive.bytes);
        let path = self.write(&archive, &digest, &list, &manifest)?;
        step.done("Assembled", &format!("{} on flash", format_size(verdict.on_flash())));
        Ok(Made {
            target: self.target.to_owned(),
            path,
            digest,
            verdict,
            entry: Entry { image: parts, components: list },
        })
    }

    /// The shipped binary, and the build information of the unpacked one, because packing removes it.
    fn binary(&self) -> Result<(Manifest, Vec<u8>, BuildInfo)> {
        let folder = build_tailscale::folder(self.project, self.target);
        let manifest = Manifest::read(&folder, &self.project.cache)?;
        let (program, unpacked) =
            (files::read_bytes(&folder.join(PACKED))?, files::read_bytes(&folder.join(UNPACKED))?);
        // The build has just compared them.
        for (bytes, artifact) in [(&program, &manifest.binary), (&unpacked, &manifest.unpacked)] {
            let is_same = files::sha256(bytes) == artifact.sha256;
            anyhow::ensure!(is_same, "the artifacts in {} changed during this run", folder.display());
        }
        let info = gobinary::build_info(&unpacked)?;
        Ok((manifest, program, info))
    }

    /// Lints our own archive. Only a missing shell is accepted, because the policy can choose it.
    fn judged(&self, archive: &Archive, manifest: &Manifest, has_shell: bool) -> Result<Verdict> {
        let expected = Expected { platform: Some(self.platform), binary: Some(manifest.binary.sha256.clone()) };
        let mut verdict = judge(&archive.bytes, &expected, &lint::identify);
        if !has_shell {
            verdict.findings.retain(|finding| finding.code != Code::NoShell);
            progress::warn("without a shell nothing turns forwarding on, and `/container/shell` has nothing to run");
        }
        if let Some(finding) = verdict.findings.first() {
            let target = self.target;
            bail!("the image of `{target}` has a lint and was not written: {}: {}", finding.code, finding.message);
        }
        Ok(verdict)
    }

    /// Writes the archive, its list of components and, last, its digest.
    fn write(&self, archive: &Archive, digest: &str, list: &Value, manifest: &Manifest) -> Result<PathBuf> {
        let folder = self.project.target().join("image").join(self.target);
        let name = format!("tailscale-{}", version(manifest, self.target));
        let path = folder.join(format!("{name}.tar"));
        files::write_bytes(&path, &archive.bytes)?;
        files::write(&folder.join(format!("{name}.cdx.json")), &format!("{list:#}\n"))?;
        let line = format!("{digest}  {name}.tar\n");
        files::write(&folder.join(format!("{name}.tar.sha256")), &line)?;
        Ok(path)
    }
}

fn module(found: Option<&gobinary::Module>) -> sbom::Module {
    let field = |get: fn(&gobinary::Module) -> &String| found.map(get).cloned().unwrap_or_default();
    sbom::Module {
        path: field(|module| &module.path),
        version: field(|module| &module.version),
        sum: field(|module| &module.sum),
    }
}

/// Returns the version of the image: the release, the target, and whether it is a draft.
fn version(manifest: &Manifest, target: &str) -> String {
    let draft = if manifest.draft { "-draft" } else { "" };
    format!("{}-{target}{draft}", manifest.release)
}

/// Prints the finished images: for people the size of each part, for programs one document.
fn report(made: &[Made], layout: Option<&Written>, format: Format) {
    if format == Format::Json {
        let one = |made: &Made| {
            let mut document = render::verdict_document(&made.path.to_string_lossy(), &made.verdict);
            document["sha256"] = made.digest.clone().into();
            (made.target.clone(), document)
        };
        let images: serde_json::Map<_, _> = made.iter().map(one).collect();
        let mut document = json!({ "schema": crate::output::SCHEMA, "images": images });
        if let Some(layout) = layout {
            document["index"] = json!({ "folder": layout.folder, "digest": layout.digest });
        }
        output::json(&document);
        return;
    }
    for made in made {
        outln!("{}", escape::line(&made.path.to_string_lossy()));
        for part in &made.verdict.parts {
            outln!("  {:>9} on flash  {}", format_size(part.disk), part.name);
        }
        outln!("  {:>9} on flash  in all", format_size(made.verdict.on_flash()));
    }
    if let Some(layout) = layout {
        outln!("{}", escape::line(&layout.folder.to_string_lossy()));
        outln!("  {}  {} images", layout.digest, made.len());
    }
}
