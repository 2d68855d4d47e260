//! The commands that add a container, shared by the installation and the update.

use super::request::Values;
use super::slot::Slot;
use super::text::{guarded, quoted};
use super::version::Version;
use crate::root::STATE;

/// The reason why a container is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The installation: it starts with the router.
    Install,
    /// An update: it reads the old state, and starts with the router only after it has proved itself.
    Update,
}

/// Returns the parameters of `/container/add` for a slot.
pub(super) fn settings(version: Version, values: &Values<'_>, slot: Slot, purpose: Purpose) -> String {
    let request = values.request;
    let source = match &request.remote_image {
        Some(image) => format!("remote-image={}", quoted(image)),
        None => format!("file={}", quoted(&request.archive())),
    };
    let mut mounts = quoted(&request.mounts_in(slot));
    if purpose == Purpose::Update {
        mounts = quoted(&format!("{},{}", request.mounts_in(slot), old_state(values, slot.other())));
    }
    let boot = match purpose {
        Purpose::Install => "yes",
        Purpose::Update => "no",
    };
    let mut settings = format!(
        "{source} interface={} root-dir={} {}={mounts} hostname={} logging=yes start-on-boot={boot} comment={}",
        quoted(&request.interface),
        quoted(&request.root_in(slot)),
        version.mounts_parameter(),
        quoted(&request.hostname),
        quoted(&comment(values, slot)),
    );
    if version.has_names() {
        settings += &format!(" name={}", quoted(&request.mounts_in(slot)));
    }
    let has_variables = !request.environment_of(version).is_empty() || request.auth_key_file.is_some();
    if has_variables || purpose == Purpose::Update {
        settings += &format!(" {}={}", version.envs_parameter(), quoted(&request.name));
    }
    if let Some(dns) = &request.dns {
        settings += &format!(" dns={dns}");
    }
    settings += version.restart_parameters();
    if version.has_memory_limit() && request.memory > 0 {
        settings += &format!(" memory-high={}M", request.memory);
    }
    if version.has_health_checks() && request.has_entrypoint {
        settings += &format!(
            " healthcheck-cmd={} healthcheck-interval=1m healthcheck-timeout=15s healthcheck-retries=3 \
             healthcheck-start-period=1m",
            quoted(&format!("/{} health", crate::root::HELPER))
        );
        if version.stops_unhealthy() {
            settings += " stop-on-unhealthy=yes";
        }
    }
    if version.needs_command() {
        let (first, argument) = crate::archive::command(request.has_entrypoint);
        settings += &format!(" entrypoint={} cmd={}", quoted(&first), quoted(&argument));
    }
    settings
}

/// Returns the comment that identifies the container of a slot.
pub(super) fn comment(values: &Values<'_>, slot: Slot) -> String {
    format!("{} {}", values.request.name, slot.letter())
}

/// Returns the name of the list that mounts the state of a slot into the container of the other slot.
pub(super) fn old_state(values: &Values<'_>, slot: Slot) -> String {
    format!("{}-old-{}", values.request.name, slot.letter())
}

/// Returns the command that adds the mount of a slot's state.
pub(super) fn mount(version: Version, values: &Values<'_>, slot: Slot) -> String {
    let (key, list) = (version.mounts_key(), quoted(&values.request.mounts_in(slot)));
    let mount = format!("{key}={list} src={} dst=\"/{STATE}\"", quoted(&values.request.state_in(slot)));
    guarded("/container/mounts", &format!("{key}={list}"), &mount)
}

/// Returns the command that adds the mount of the old state of a slot.
pub(super) fn mount_old(version: Version, values: &Values<'_>, slot: Slot) -> String {
    let (key, list) = (version.mounts_key(), quoted(&old_state(values, slot)));
    let source = quoted(&values.request.state_in(slot));
    let mount = format!("{key}={list} src={source} dst=\"/{STATE}-{}\"", slot.letter());
    guarded("/container/mounts", &format!("{key}={list}"), &mount)
}
