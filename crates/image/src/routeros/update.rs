//! The commands that replace a running container by a newer one, with a way back.

use super::container::{Purpose, comment, mount, mount_old, settings};
use super::install::{Script, UNPACK, storage, variable, warnings};
use super::request::{Refusal, Request, Values};
use super::slot::Slot;
use super::steps::{BACK, Back, Step, UPDATE};
use super::text::{RUNNING, STOPPED, missing, present, quoted, refuse_if, wait, wait_until};
use super::version::Version;

/// How long the new node may take until it is connected, in seconds.
const READY: u32 = 300;

/// How long a container may take to stop, in seconds.
const STOP: u32 = 60;

/// Writes the commands of an update for one version.
///
/// # Errors
/// A [`Refusal`] that names the value: an unsupported version, or an invalid value.
pub fn update(version: Version, request: &Request) -> Result<Script, Refusal> {
    let values = request.checked_for_update(version)?;
    let warnings = warnings(version, request);
    let mut text = preface(version, request, &warnings);
    text += "\n{\n:local waited 0\n:local failed \"\"\n:local doing \"\"\n";
    for old in Slot::ALL {
        text += &format!(":local is{} false\n", upper(old));
    }
    text += "# Which of the two places the node runs in: the other one takes the new container.\n";
    for old in Slot::ALL {
        let runs = present("/container", &format!("{} and {RUNNING}", find(&values, old)));
        text += &format!(":if ({runs}) do={{ :set is{} true }}\n", upper(old));
    }
    for slot in Slot::ALL {
        text += &cleanup(&values, slot);
    }
    text += &refuse_if(
        "$isA = $isB",
        &format!(
            "no container with the comment {} or {} runs, or both do: see /container/print",
            comment(&values, Slot::A),
            comment(&values, Slot::B)
        ),
    );
    for slot in Slot::ALL {
        let other = present("/container", &find(&values, slot.other()));
        let message = format!("place {} is not free: see /container/print", slot.other().letter());
        text += &refuse_if(&format!("$is{} and {other}", upper(slot)), &message);
    }
    text += &storage(&values, "true");
    text += "\n:local stamp ([/system/clock/get date] . \"-\" . [/system/clock/get time])\n";
    for old in Slot::ALL {
        text += &format!("\n# From place {} to place {}.\n", old.letter(), old.other().letter());
        text += &format!(":if ($is{}) do={{\n:do {{\n", upper(old));
        UPDATE.iter().for_each(|step| text += &forward(*step, version, &values, old));
        text += "} on-error={ :set failed $doing }\n";
        text += ":if ($failed = \"\") do={\n";
        text += &finish(&values, old);
        text += "} else={\n:log/error (\"tailscale update: failed at: \" . $failed . \"; going back\")\n";
        BACK.iter().for_each(|step| text += &back(*step, &values, old));
        text += "}\n}\n";
    }
    let end = ":if ($failed != \"\") do={ :error (\"the update failed at: \" . $failed . \"; see /log/print\") }\n}\n";
    Ok(Script { text: text + end, warnings })
}

fn preface(version: Version, request: &Request, warnings: &[String]) -> String {
    let source = match &request.remote_image {
        Some(image) => format!("It fetches {} at every run, changed or not: run it by hand.", quoted(image)),
        None => format!(
            "Copy the new archive to the router as {} first. Without it the script ends, so a scheduler may run it.",
            quoted(&request.archive())
        ),
    };
    let mut text = format!(
        "# Update of Tailscale in a container of RouterOS {version}. Made by `tailscale-featureset image script --update`.\n\
         #\n\
         # {source}\n\
         # The new container works on a copy of the state. If the new node is not connected within {} minutes, it is removed\n\
         # and the old one, whose state nothing has written to, runs again. /log/print has what was done.\n",
        READY / 60
    );
    for warning in warnings {
        text += &format!("#\n# NOTE: {warning}.\n");
    }
    text
}

fn upper(slot: Slot) -> &'static str {
    match slot {
        Slot::A => "A",
        Slot::B => "B",
    }
}

/// The condition that finds the container of a slot.
fn find(values: &Values<'_>, slot: Slot) -> String {
    format!("comment={}", quoted(&comment(values, slot)))
}

/// The condition that finds the file with which the entrypoint reports a connected node.
fn ready(values: &Values<'_>, slot: Slot) -> String {
    format!("name={}", quoted(&format!("{}/ready", values.request.state_in(slot))))
}

/// Removes what an interrupted update left: a container that neither runs nor starts on boot, next to one that runs.
fn cleanup(values: &Values<'_>, slot: Slot) -> String {
    let own = find(values, slot);
    let left_over = present("/container", &format!("{own} and start-on-boot=no and {STOPPED}"));
    let runs = format!("$is{}", upper(slot.other()));
    format!(
        ":if ({runs} and {left_over}) do={{ :log/warning {}; /container/remove [/container/find where {own}]; :delay 5s }}\n",
        quoted(&format!("tailscale update: removing what was left in place {}", slot.letter()))
    )
}

/// Returns the commands of a step, and the name of the step for the log.
fn forward(step: Step, version: Version, values: &Values<'_>, old: Slot) -> String {
    let new = old.other();
    let (old_find, new_find) = (find(values, old), find(values, new));
    let list = quoted(&values.request.name);
    let (doing, commands) = match step {
        Step::Prepare => {
            let adopt = format!("{}={list} and key=\"ADOPT\"", version.envs_key());
            let remove = format!("/container/envs/remove [/container/envs/find where {adopt}]\n");
            let value = format!("(\"{} \" . $stamp)", old.letter());
            // The entrypoint removes it too, but the router may look before that.
            let report = format!("/file/remove [/file/find where {}]\n", ready(values, new));
            let commands = mount(version, values, new)
                + &mount_old(version, values, old)
                + &report
                + &remove
                + &variable(version, &list, "ADOPT", &value);
            ("preparing", commands)
        }
        Step::AddNew => (
            "adding the new container",
            format!("/container/add {}\n", settings(version, values, new, Purpose::Update)),
        ),
        Step::AwaitUnpacked => {
            ("unpacking the image", wait(&format!("{new_find} and {STOPPED}"), UNPACK, "not unpacked"))
        }
        Step::StopOld => {
            ("stopping the old container", format!("/container/stop [/container/find where {old_find}]\n"))
        }
        Step::AwaitOldStopped => {
            ("waiting for the old container", wait(&format!("{old_find} and {STOPPED}"), STOP, "not stopped"))
        }
        Step::StartNew => {
            ("starting the new container", format!("/container/start [/container/find where {new_find}]\n"))
        }
        Step::AwaitReady => {
            let ready = ready(values, new);
            let runs = present("/container", &format!("{new_find} and {RUNNING}"));
            let condition = format!("{runs} and {}", present("/file", &ready));
            ("waiting for the new node", wait_until(&condition, READY, "not connected"))
        }
        Step::UnbootOld => {
            ("handing over", format!("/container/set [/container/find where {old_find}] start-on-boot=no\n"))
        }
        Step::BootNew => {
            ("handing over", format!("/container/set [/container/find where {new_find}] start-on-boot=yes\n"))
        }
    };
    let doing = quoted(doing);
    format!(":set doing {doing}\n:log/info (\"tailscale update: \" . $doing)\n{commands}")
}

/// Returns the commands after the last step. Their failure does not undo the update.
fn finish(values: &Values<'_>, old: Slot) -> String {
    let mut text = format!(
        ":do {{ /container/remove [/container/find where {}] }} on-error={{ :log/warning {} }}\n",
        find(values, old),
        quoted("tailscale update: the old container was not removed")
    );
    if values.request.remote_image.is_none() {
        let archive = format!("name={}", quoted(&values.request.archive()));
        text += &format!(":do {{ /file/remove [/file/find where {archive}] }} on-error={{}}\n");
    }
    text + &format!(":log/info {}\n", quoted("tailscale update: done"))
}

/// Returns the commands of a step of the way back. A step that fails is logged; the next one follows, except that the
/// old container never starts while the new one runs.
fn back(step: Back, values: &Values<'_>, old: Slot) -> String {
    let (old_find, new_find) = (find(values, old), find(values, old.other()));
    let new_runs = present("/container", &format!("{new_find} and {RUNNING}"));
    let guarded = |commands: &str, failure: &str| {
        let failure = quoted(&format!("tailscale update: {failure}"));
        format!(":do {{\n{commands}}} on-error={{ :log/error {failure} }}\n")
    };
    match step {
        Back::StopNew => {
            let stop = format!(":if ({new_runs}) do={{ /container/stop [/container/find where {new_find}] }}\n");
            let wait = wait_until(&missing("/container", &format!("{new_find} and {RUNNING}")), STOP, "not stopped");
            guarded(&(stop + &wait), "the new container does not stop")
        }
        Back::RemoveNew => guarded(
            &format!("/container/remove [/container/find where {new_find}]\n"),
            "the new container was not removed",
        ),
        Back::BootOld => guarded(
            &format!("/container/set [/container/find where {old_find}] start-on-boot=yes\n"),
            "the old container will not start on boot",
        ),
        Back::StartOld => {
            let stopped = present("/container", &format!("{old_find} and {STOPPED}"));
            // Its stop may have been requested and not yet have happened; or the command may not have reached it.
            let settle = format!(
                ":set waited 0\n:while ($waited < {STOP} and !({stopped})) do={{ :delay 2s; :set waited ($waited + 2) }}\n"
            );
            let start = format!(
                ":if ({stopped} and {}) do={{ /container/start [/container/find where {old_find}] }}\n",
                missing("/container", &format!("{new_find} and {RUNNING}"))
            );
            guarded(&(settle + &start), "the old container was not started")
        }
    }
}
