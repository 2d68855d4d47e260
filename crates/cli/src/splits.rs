//! Compares the source of two releases: is an added feature new, or was it split out of existing code?

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use featureset::name::FeatureName;
use featureset::upgrade::{Added, Evidence, Origin};
use serde::Serialize;

use crate::tools::go::Go;
use crate::upstream::Upstream;
use crate::{files, process, programs};

/// The input of the Go program.
#[derive(Serialize)]
struct Request<'a> {
    old: &'a Path,
    new: &'a Path,
    tags: &'a [String],
    features: BTreeMap<&'a FeatureName, Query<'a>>,
}

#[derive(Serialize)]
struct Query<'a> {
    symbol: &'a str,
    users: Vec<String>,
}

/// Returns where the code of each added feature was in the old release: in the build with these tags, and in a full build.
///
/// # Errors
/// A [`crate::problem::Problem`] if the program does not build or can't read a source tree.
pub fn origins(
    go: &Go,
    old: &Upstream,
    new: &Upstream,
    added: &[Added],
    tags: &[String],
) -> Result<BTreeMap<FeatureName, Origin>> {
    let program = new.build_program(go, &programs::SPLITS)?;
    let (from, to) = (old.source(go)?, new.source(go)?);
    let features = || {
        let users = |one: &Added| one.needed_by.iter().chain(&one.needed_by_kept).map(FeatureName::build_tag).collect();
        added.iter().map(|one| (&one.feature, Query { symbol: &one.symbol, users: users(one) })).collect()
    };
    let ask = |tags: &[String]| -> Result<BTreeMap<FeatureName, Vec<Evidence>>> {
        let request = Request { old: &from, new: &to, tags, features: features() };
        let file = files::private_file()?;
        files::write(file.path(), &serde_json::to_string(&request)?)?;
        let mut command = new.go_program(go, &program);
        command.arg(file.path());
        let printed = process::stdout(
            command,
            "Report this to tailscale-featureset: the layout of upstream's source may have changed.",
        )?;
        serde_json::from_str(&printed).context("reading the output of the comparison")
    };
    let (mut own, whole) = (ask(tags)?, ask(&[])?);
    let origin = |(name, in_a_whole_build): (FeatureName, Vec<Evidence>)| {
        let in_this_build = own.remove(&name).unwrap_or_default();
        (name, Origin { in_this_build, in_a_whole_build })
    };
    Ok(whole.into_iter().map(origin).collect())
}
