//! The questions of `init` on a terminal.

use std::collections::BTreeSet;
use std::io::IsTerminal;

use anyhow::Result;
use dialoguer::theme::ColorfulTheme;
use dialoguer::{MultiSelect, Select};
use featureset::cost::estimate::{estimate, feature};
use featureset::cost::format_difference;
use featureset::init::{Request, init, reasons};
use featureset::name::FeatureName;
use featureset::platform::{PLATFORMS, Platform};
use featureset::policy::{format_size, read};
use featureset::upstream_data::UpstreamData;

use crate::cli;
use crate::interrupted::Interrupted;
use crate::{progress, render};

/// A feature that protects, and the question whether it is needed.
const PROTECTIONS: &[(&str, &str)] = &[
    ("tailnetlock", "Does your tailnet use Tailnet Lock?"),
    ("syspolicy", "Does an administrator install a policy file (/etc/tailscale/syspolicy.json)?"),
];

/// The columns of the mark before an item, and of the ellipsis after one that is cut.
const MARK: usize = 4;

/// Returns whether somebody can be asked.
pub(super) fn is_possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Completes the flags with answers. A flag that was given is not asked for.
///
/// # Errors
/// [`Interrupted`] if the user ends the questions.
pub(super) fn complete(flags: &cli::Init, start: Request, facts: &UpstreamData) -> Result<Request> {
    let mut request = start;
    let asks_platforms = flags.platforms.is_empty();
    if flags.device.is_none() {
        let devices: Vec<_> = reasons::devices().iter().collect();
        let items: Vec<String> =
            devices.iter().map(|(name, device)| fitted(&format!("{name}: {}", device.description))).collect();
        let chosen =
            answer(Select::with_theme(&theme()).with_prompt("Device").items(&items).default(0).interact_opt())?;
        request.device.clone_from(devices[chosen].0);
    }
    if asks_platforms {
        request.platforms = reasons::usual_platforms(&request.device);
    }
    if flags.roles.is_empty() {
        request.roles = roles(&request, facts)?;
    }
    if asks_platforms {
        request.platforms = platforms(&request)?;
    }
    for (name, question) in PROTECTIONS {
        protect(&mut request, name, question, facts)?;
    }
    Ok(request)
}

fn roles(request: &Request, facts: &UpstreamData) -> Result<BTreeSet<String>> {
    let minimal = init(&Request { roles: BTreeSet::from(["minimal".to_owned()]), ..request.clone() }, facts).ok();
    let least = minimal.map(|made| made.kept).unwrap_or_default();
    let item = |role: &reasons::Role| {
        let alone = Request { roles: BTreeSet::from([role.name.clone()]), ..request.clone() };
        let made = init(&alone, facts).ok();
        let size = made.as_ref().and_then(|made| size(&alone, &made.text, &made.kept));
        let added = made.map(|made| made.kept.difference(&least).count()).filter(|added| *added > 0);
        let known = [added.map(|added| format!("+{added} features")), size];
        let known = known.into_iter().flatten().collect::<Vec<_>>().join(", ");
        fitted(&format!("{} ({known}): {}", role.name, role.description))
    };
    let roles = reasons::roles();
    let items: Vec<String> = roles.iter().map(item).collect();
    loop {
        let first = request.platforms.first().map(|(platform, _)| format!("; sizes for {platform}"));
        let prompt = format!("Roles of the node (space selects, enter ends{})", first.unwrap_or_default());
        let theme = theme();
        // The chosen items can be longer than a line together.
        let question = MultiSelect::with_theme(&theme).with_prompt(&prompt).items(&items).report(false);
        let chosen = answer(question.interact_opt())?;
        if !chosen.is_empty() {
            let names: Vec<&str> = chosen.iter().map(|index| roles[*index].name.as_str()).collect();
            progress::line("Chose", &names.join(", "));
            return Ok(chosen.into_iter().map(|index| roles[index].name.clone()).collect());
        }
    }
}

/// Returns the estimated size of a request's first target: `3.18 MB`.
fn size(request: &Request, text: &str, kept: &BTreeSet<FeatureName>) -> Option<String> {
    let (platform, _) = request.platforms.first()?;
    let policy = read(text).policy?;
    let build = &policy.targets.values().next()?.build;
    let bytes = estimate(platform, build, policy.go, kept)?.bytes;
    Some(format_size(bytes))
}

fn platforms(request: &Request) -> Result<Vec<(&'static Platform, Option<u64>)>> {
    let items: Vec<&str> = PLATFORMS.iter().map(|platform| platform.name).collect();
    let usual: Vec<bool> =
        PLATFORMS.iter().map(|platform| request.platforms.iter().any(|(usual, _)| *usual == platform)).collect();
    loop {
        let theme = theme();
        let question = MultiSelect::with_theme(&theme).with_prompt("Platforms").items(&items).defaults(&usual);
        let chosen = answer(question.interact_opt())?;
        if !chosen.is_empty() {
            return Ok(chosen.into_iter().map(|index| (&PLATFORMS[index], None)).collect());
        }
    }
}

/// Asks whether a feature that protects is needed, if it would be kept.
fn protect(request: &mut Request, name: &str, question: &str, facts: &UpstreamData) -> Result<()> {
    let Ok(name) = FeatureName::new(name) else { return Ok(()) };
    let Ok(made) = init(request, facts) else { return Ok(()) };
    if !made.kept.contains(&name) {
        return Ok(());
    }
    let build =
        read(&made.text).policy.and_then(|policy| policy.targets.into_values().next()).map(|target| target.build);
    let first = request.platforms.first();
    let price = first.zip(build).and_then(|((platform, _), build)| feature(platform, &build, &name));
    let price = price.map(|bytes| format!(" ({})", format_difference(bytes))).unwrap_or_default();
    let items =
        [format!("yes, or not known: keep {name}{price}"), format!("no: omit {name}, and accept what that means")];
    let theme = theme();
    let question = Select::with_theme(&theme).with_prompt(question).items(&items).default(0);
    if answer(question.interact_opt())? == 1 {
        request.without.insert(name);
    }
    Ok(())
}

/// Returns an item, cut to one line of the terminal: the question counts lines when it draws itself again.
fn fitted(item: &str) -> String {
    let room = render::width() - MARK;
    match item.char_indices().nth(room) {
        Some((cut, _)) => format!("{}…", item[..cut].trim_end_matches(|c: char| c != ' ').trim_end()),
        None => item.to_owned(),
    }
}

fn theme() -> ColorfulTheme {
    ColorfulTheme::default()
}

/// The answer; a user who leaves the question ends the command.
fn answer<T>(answer: dialoguer::Result<Option<T>>) -> Result<T> {
    Ok(answer.ok().flatten().ok_or(Interrupted)?)
}
