//! The release and the Go of the tests' policies. The tests of crates/featureset include this file too.

/// The release of Tailscale that the tests pin.
pub(crate) const RELEASE: &str = "1.102.5";

/// The toolchain that builds the release.
pub(crate) const TOOLCHAIN: &str = "go1.26.8";

/// The version of the toolchain, as a policy pins it.
pub(crate) const GO: &str = TOOLCHAIN.split_at("go".len()).1;

/// The hazards that a clean policy of this release accepts if it keeps little.
pub(crate) const ACCEPTED: &[&str] = &[
    "allowedips-leak",
    "clientupdate-disabled",
    "debug-idtoken",
    "load-unbounded-memory",
    "nc-dial",
    "ssh-port22",
    "tailnetlock-unsigned-peers",
];
