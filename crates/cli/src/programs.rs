//! Our small Go programs. Each is compiled with the release that it works on, so a change of upstream's packages can break
//! one of them; `cargo xtask programs` checks them against any release without linking.

use crate::process::Output;

/// A program: the name of its folder and its files.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// The name.
    pub name: &'static str,
    /// The name and text of each file.
    pub sources: &'static [(&'static str, &'static str)],
}

/// Prints a release's registry.
pub const REGISTRY: Program =
    Program { name: "registry", sources: &[("main.go", include_str!("../go/registry/main.go"))] };

/// Compares the source trees of two releases.
pub const SPLITS: Program = Program { name: "splits", sources: &[("main.go", include_str!("../go/splits/main.go"))] };

/// Type-checks selections, and these programs.
pub const TYPECHECK: Program =
    Program { name: "typecheck", sources: &[("main.go", include_str!("../go/typecheck/main.go"))] };

/// The control server and the tools of the test network.
pub const CONTROL: Program = Program {
    name: "control",
    sources: &[
        ("cgroup.go", include_str!("../go/control/cgroup.go")),
        ("dns.go", include_str!("../go/control/dns.go")),
        ("egress_proxy.go", include_str!("../go/control/egress_proxy.go")),
        ("firewall_program.go", include_str!("../go/control/firewall_program.go")),
        ("https.go", include_str!("../go/control/https.go")),
        ("load.go", include_str!("../go/control/load.go")),
        ("local.go", include_str!("../go/control/local.go")),
        ("main.go", include_str!("../go/control/main.go")),
        ("nat.go", include_str!("../go/control/nat.go")),
        ("network.go", include_str!("../go/control/network.go")),
        ("server.go", include_str!("../go/control/server.go")),
        ("ssh.go", include_str!("../go/control/ssh.go")),
        ("tpm.go", include_str!("../go/control/tpm.go")),
        ("traffic.go", include_str!("../go/control/traffic.go")),
    ],
};

/// A program that joins the test network as a library, without a daemon.
pub const TSNET: Program = Program { name: "tsnet", sources: &[("main.go", include_str!("../go/tsnet/main.go"))] };

/// Every program.
pub const ALL: [Program; 5] = [REGISTRY, SPLITS, TYPECHECK, CONTROL, TSNET];

impl Program {
    /// The compiler's complaints about this program's own files in the output of a failed `go build`; empty if it failed for
    /// another reason, such as the network.
    #[must_use]
    pub fn complaints<'a>(&self, output: &'a Output) -> Vec<&'a str> {
        let is_own = |line: &&str| {
            let (file, rest) = line.trim_start_matches("./").split_once(':').unwrap_or_default();
            self.sources.iter().any(|(name, _)| *name == file) && rest.starts_with(|c: char| c.is_ascii_digit())
        };
        output.stderr.lines().filter(is_own).collect()
    }
}
