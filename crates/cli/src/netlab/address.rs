//! Addresses and names in the test network.

/// The address of the control server, the relay and the resolver.
pub const CONTROL: &str = "10.90.0.1";

/// The port of the control server.
pub(super) const CONTROL_PORT: &str = "9911";

/// The domain of the tailnet's names.
pub const DOMAIN: &str = "tailnet.example";

/// A name outside the tailnet, and its address.
pub const OUTSIDE: (&str, &str) = ("outside.example", "192.0.2.7");

/// The folder with all files of the test network: a tmpfs that is mounted only in its own namespaces.
pub(super) const FOLDER: &str = "/run/netlab";

/// Returns the URL of our own login server.
#[must_use]
pub fn login_server() -> String {
    format!("http://{CONTROL}:{CONTROL_PORT}")
}
