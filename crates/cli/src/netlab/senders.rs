//! Bursts of traffic through the tunnel.

use anyhow::Result;

use super::host::Host;
use crate::files;
use crate::process::{self, Server};

/// The number of connections that send at the same time.
pub const CONNECTIONS: usize = 4;

/// The bytes of one connection, which an echo sends back.
pub const BYTES: u64 = 20_000_000;

/// Connections without a pause: one that ends is replaced by the next. Dropping them ends them.
pub struct Senders<'a> {
    host: &'a Host,
    to: String,
    running: Vec<Server>,
    /// The number of connections that broke off or stalled.
    pub broken: u64,
}

impl<'a> Senders<'a> {
    /// Begins to send from a host to an echo.
    ///
    /// # Errors
    /// If a sender can't be started.
    pub fn start(host: &'a Host, to: &str) -> Result<Self> {
        let mut senders = Self { host, to: to.to_owned(), running: Vec::new(), broken: 0 };
        for _ in 0..CONNECTIONS {
            senders.running.push(senders.sender()?);
        }
        Ok(senders)
    }

    fn sender(&self) -> Result<Server> {
        let size = BYTES.to_string();
        process::start(self.host.lab_command(&["send", &self.to, &size]), &self.host.log("send"))
    }

    /// Replaces the connections that have ended.
    ///
    /// # Errors
    /// If a sender can't be started.
    pub fn refill(&mut self) -> Result<()> {
        for at in 0..self.running.len() {
            if let Some(status) = self.running[at].ended() {
                self.broken += u64::from(!status.success());
                self.running[at] = self.sender()?;
            }
        }
        Ok(())
    }

    /// Returns the last message of a connection that broke off.
    #[must_use]
    pub fn last_failure(&self) -> String {
        let log = files::read(&self.host.log("send")).unwrap_or_default();
        log.lines().last().unwrap_or_default().to_owned()
    }
}
