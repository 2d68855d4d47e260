//! The commands that install an image on a router, and those that update it.
//!
//! The syntax of `/container` differs between versions of RouterOS. Sources are the command trees of the versions
//! (crates/image/data/routeros.json), the data of Ansible's collection community.routeros, and reports of users; nothing
//! was tested on a device. Versions before the first known one are refused; later versions than the last known one get
//! its commands. The commands are one block in braces: RouterOS reads it whole before it runs any of it, and an error
//! ends it.

mod container;
mod install;
mod request;
mod slot;
mod steps;
mod text;
mod update;
mod version;

pub use install::{Script, script};
pub use request::{Refusal, Remedy, Request, RouterAccess};
pub use update::update;
pub use version::{FIRST, LAST, Version};

#[cfg(test)]
mod tests;
