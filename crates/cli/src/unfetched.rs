//! Modules that Go could not download: neither the policy, nor upstream, nor a program of ours is at fault.

use std::collections::BTreeMap;

use diagnostics::{Code, Diagnostic};

/// The most modules that a message lists.
const LISTED: usize = 5;

/// Returns the problem of a Go command that could not download modules, from its output; `None` if it failed for another
/// reason.
#[must_use]
pub fn problem(printed: &str) -> Option<Diagnostic> {
    let mut modules = BTreeMap::new();
    for (module, why) in printed.lines().filter_map(unfetched) {
        modules.entry(module).or_insert(why);
    }
    let (first, others) = (modules.keys().next()?, modules.len() - 1);
    let message = match others {
        0 => format!("the module `{first}` can't be downloaded"),
        1 => format!("the module `{first}` and another one can't be downloaded"),
        _ => format!("the module `{first}` and {others} others can't be downloaded"),
    };
    let why: Vec<String> = modules.iter().take(LISTED).map(|(module, why)| format!("{module}: {why}")).collect();
    let next = "Check the network and run the command again; if GOPROXY is set, check whether that proxy has the module, or unset \
                GOPROXY, so that Go asks its usual proxy and then the origin.";
    Some(Diagnostic::failure(Code::ModuleUnavailable, message, why.join("\n"), next))
}

/// Returns a module and the reason why Go could not download it, if a line of Go's output reports that:
/// `go: MODULE@VERSION: reason` or `FILE.go:LINE:COLUMN: MODULE@VERSION: reason`.
fn unfetched(line: &str) -> Option<(&str, &str)> {
    let mut rest = line;
    // Before the module are the position of an import, or the name and the action of the program.
    while let Some((part, after)) = rest.split_once(": ") {
        if is_module(part) {
            // A module that was downloaded can have other faults.
            let is_other = after.starts_with("verifying ") || after.starts_with("found ");
            return (!is_other).then_some((part, after));
        }
        rest = after;
    }
    None
}

fn is_module(text: &str) -> bool {
    text.split_once('@').is_some_and(|(path, version)| {
        path.contains('.') && !path.contains([':', ' ', '"']) && version.starts_with('v') && !version.contains('/')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_that_a_proxy_lacks_are_named() {
        let printed = "go: downloading example.com/m v1.0.0\n\
            main.go:12:2: gvisor.dev/gvisor@v0.0.0-20260915-a6f: reading https://proxy.test/@v/a6f.zip: 404 Not Found\n\
            go: github.com/x/y@v1.2.3: Get \"https://proxy.test/y\": dial tcp: lookup proxy.test: no such host\n\
            go: download go1.27.3 for linux/amd64: golang.org/toolchain@v0.0.1-go1.27.3: Get \"x\": EOF\n\
            /m/tailscale.com@v1.104.5/net/a.go:3:2: gvisor.dev/gvisor@v0.0.0-20260915-a6f: reading it: 404 Not Found\n";
        let problem = problem(printed).unwrap();
        assert_eq!(problem.message, "the module `github.com/x/y@v1.2.3` and 2 others can't be downloaded");
        assert_eq!(
            problem.why,
            "github.com/x/y@v1.2.3: Get \"https://proxy.test/y\": dial tcp: lookup proxy.test: no such host\n\
             golang.org/toolchain@v0.0.1-go1.27.3: Get \"x\": EOF\n\
             gvisor.dev/gvisor@v0.0.0-20260915-a6f: reading https://proxy.test/@v/a6f.zip: 404 Not Found"
        );
    }

    #[test]
    fn other_failures_are_not_about_modules() {
        for printed in [
            "main.go:3:4: undefined: x",
            "/m/tailscale.com@v1.102.5/feature/a.go:1:2: undefined: y",
            "tailscale.com@v1.102.5/feature/a.go:1:2: x: y",
            "go: errors parsing go.mod:\n/x/go.mod:3: invalid go version",
            "verifying tailscale.com@v1.102.5: checksum mismatch",
            "go: example.com/m@v1.0.0: verifying module: checksum mismatch",
            "x@y: z: mail someone@vendor.example: please",
        ] {
            assert_eq!(problem(printed), None, "{printed}");
        }
    }
}
