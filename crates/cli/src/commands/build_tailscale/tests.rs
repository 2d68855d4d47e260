//! Steps of the pipeline on files that no recipe yields.

use std::os::unix::fs::PermissionsExt;

use diagnostics::{Code, Diagnostic};
use featureset::platform::Platform;
use featureset::policy::{Symbols, read};
use featureset::recipe::Recipe;
use featureset::selection::Selection;
use featureset::upstream_data::UpstreamData;

use super::artifacts::PACKED;
use super::steps::Steps;
use super::{execute, shrink};

/// Returns the recipe of a small policy for `linux/arm/v5`.
pub(super) fn recipe() -> Recipe {
    let text = "tailscale: 1.102.5\ngo: 1.26.8\nbuild: { inlining: none }\ntargets: { a: { platform: linux/arm/v5 } }\nfeatures: { cli: { keep: x } }";
    let policy = read(text).policy.unwrap();
    let registry = UpstreamData::embedded().registry(policy.tailscale.unwrap()).unwrap();
    let target = policy.for_target("a").unwrap();
    Recipe::new(target, &Selection::new(target, registry), None).unwrap()
}

/// Returns the code of a failure.
fn code<T>(result: anyhow::Result<T>) -> Code {
    result.err().unwrap().downcast::<Diagnostic>().unwrap().code
}

#[test]
fn shrink_of_a_file_with_an_unknown_layout_is_refused() {
    let mut recipe = recipe();
    recipe.build.symbols = Symbols::None;
    assert_eq!(code(shrink::shrunk(b"not an executable", &recipe)), Code::RewriteFailed);
}

#[test]
fn binary_that_reports_another_version_does_not_run() {
    let native = match std::env::consts::ARCH {
        "x86_64" => "linux/amd64",
        "aarch64" => "linux/arm64",
        _ => return,
    };
    let recipe = Recipe { platform: Platform::find(native).unwrap(), ..recipe() };
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join(PACKED);
    std::fs::write(&program, "#!/bin/sh\necho 1.0.0\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(code(execute::both_names(folder.path(), &recipe, Steps::Silent)), Code::BinaryDoesNotRun);
}
