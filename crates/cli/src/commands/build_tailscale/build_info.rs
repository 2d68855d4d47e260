//! Compares the binary's build information with the recipe; they must be equal.

use anyhow::Result;
use featureset::recipe::{MODULE, PACKAGE, Recipe};
use featureset::release::GoVersion;
use gobinary::{BuildInfo, build_info, identify};

use crate::upstream::Upstream;
use diagnostics::{Code, Diagnostic, NextStep};

/// Fails if the binary does not match the recipe.
pub(super) fn check(bytes: &[u8], recipe: &Recipe, upstream: &Upstream) -> Result<()> {
    let unreadable = |error: gobinary::Unreadable| mismatch(vec![error.to_string()]);
    let info = build_info(bytes).map_err(unreadable)?;
    let identity = identify(bytes).map_err(unreadable)?;
    let mut differences = differences(&info, recipe, &upstream.sum, upstream.needs);
    if identity.goarch != Some(recipe.platform.goarch) {
        differences.push(format!(
            "the ELF file is for {}, not {}",
            identity.goarch.unwrap_or("an unknown machine"),
            recipe.platform.goarch
        ));
    }
    if !identity.is_static {
        differences.push("the binary needs a dynamic linker".to_owned());
    }
    if differences.is_empty() { Ok(()) } else { Err(mismatch(differences).into()) }
}

fn mismatch(differences: Vec<String>) -> Diagnostic {
    let next = NextStep::new("Nothing was replaced. Run ")
        .command("build-tailscale --dry-run")
        .text(" and compare; if the recipe is right, report this.");
    Diagnostic::failure(Code::BuildMismatch, "the binary does not match the recipe", differences.join("\n"), next)
}

fn differences(info: &BuildInfo, recipe: &Recipe, sum: &str, needs: GoVersion) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, is: &str, should: &str| {
        if is != should {
            found.push(format!("{what} is `{is}`, not `{should}`"));
        }
    };
    compare("the toolchain", &info.go, &recipe.toolchain());
    compare("the package", &info.path, PACKAGE);
    let main = info.main.as_ref();
    let field = |get: fn(&gobinary::Module) -> &String| main.map(get).cloned().unwrap_or_default();
    compare("the module", &field(|module| &module.path), MODULE);
    compare("the module's version", &field(|module| &module.version), &recipe.release.module_version());
    compare("the module's checksum", &field(|module| &module.sum), sum);
    let settings = recipe.build_settings();
    for (key, should) in &settings {
        compare(key, info.settings.get(key).map_or("", String::as_str), should);
    }
    // A newer line of Go keeps the behaviour of the line that upstream's go.mod names, and records how.
    let is_older = needs.line() != recipe.go.line();
    let is_expected = |key: &str| settings.contains_key(key) || (is_older && key == "DefaultGODEBUG");
    for (key, is) in info.settings.iter().filter(|(key, _)| !is_expected(key)) {
        compare(key, is, "");
    }
    let replaced = info.dependencies.iter().chain(main).filter(|module| module.replaced);
    found.extend(replaced.map(|module| format!("another module replaces {}", module.path)));
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::recipe;
    use super::*;

    fn info(recipe: &Recipe) -> BuildInfo {
        let module = |path: &str, version: &str, sum: &str| gobinary::Module {
            path: path.into(),
            version: version.into(),
            sum: sum.into(),
            replaced: false,
        };
        BuildInfo {
            go: "go1.26.8".to_owned(),
            path: PACKAGE.to_owned(),
            main: Some(module(MODULE, "v1.102.5", "h1:sum=")),
            dependencies: vec![module("go4.org/mem", "v0.1.0", "h1:x=")],
            settings: recipe.build_settings(),
        }
    }

    fn needed(version: &str) -> GoVersion {
        version.parse().unwrap()
    }

    #[test]
    fn go_of_a_newer_line_records_the_behaviour_that_it_keeps() {
        let recipe = recipe();
        let mut binary = info(&recipe);
        binary.settings.insert("DefaultGODEBUG".to_owned(), "urlstrictcolons=0".to_owned());
        assert_eq!(differences(&binary, &recipe, "h1:sum=", needed("1.25.5")), Vec::<String>::new());
        let found = differences(&binary, &recipe, "h1:sum=", needed("1.26.6"));
        assert_eq!(found, ["DefaultGODEBUG is `urlstrictcolons=0`, not ``"]);
    }

    #[test]
    fn binary_of_the_recipe_has_no_differences() {
        let recipe = recipe();
        assert_eq!(differences(&info(&recipe), &recipe, "h1:sum=", needed("1.26.6")), Vec::<String>::new());
    }

    #[test]
    fn experiments_are_part_of_the_recipe() {
        let mut recipe = recipe();
        recipe.go = "1.27.3".parse().unwrap();
        recipe.build.go_experiments = [("nojsonv2".to_owned(), "Smaller.".to_owned())].into();
        let mut binary = BuildInfo { go: "go1.27.3-X:nojsonv2".to_owned(), ..info(&recipe) };
        assert_eq!(differences(&binary, &recipe, "h1:sum=", needed("1.27.3")), Vec::<String>::new());
        recipe.build.go_experiments.clear();
        assert_eq!(differences(&binary, &recipe, "h1:sum=", needed("1.27.3")).len(), 2);
        binary.go = "go1.27.3".to_owned();
        binary.settings.remove("GOEXPERIMENT");
        assert_eq!(differences(&binary, &recipe, "h1:sum=", needed("1.27.3")), Vec::<String>::new());
    }

    #[test]
    fn every_difference_is_reported() {
        let recipe = recipe();
        let mut other = info(&recipe);
        other.go = "go1.26.7".to_owned();
        other.settings.insert("vcs.revision".to_owned(), "abc".to_owned());
        other.settings.insert("GOARM".to_owned(), "7".to_owned());
        other.settings.remove("-gcflags");
        other.dependencies[0].replaced = true;
        insta::assert_snapshot!(differences(&other, &recipe, "h1:other=", needed("1.26.6")).join("\n"));
    }
}
