//! The process inside the namespaces: two nodes for each binary, which carry traffic alternately.

use std::time::Duration;

use anyhow::{Context, Result};
use featureset::platform::Platform;

use super::plan::{Plan, Side};
use super::report::{Event, Memory, Run, Taken};
use crate::cli::Load;
use crate::files;
use crate::netlab::node::Node;
use crate::netlab::{FaultInjection, Netlab, Programs, memory, sandbox};
use crate::outcome::Outcome;
use crate::output;
use crate::process::{Server, check_interrupt};
use crate::tools::qemu::runner;

/// The amount of each load, which runs twice in a pair: enough for a second of processor time, which the kernel counts in
/// hundredths.
const STREAMED: &str = "120000000";
const CONNECTIONS: &str = "16";
const PACKETS: &str = "15000";
const PACKET: &str = "100";
const WINDOW: &str = "64";

/// Bytes that are sent before the measurement.
const WARMING: &str = "20000000";

/// The time limit of one load.
const LONGEST: Duration = Duration::from_secs(120);

/// The time between the start of a daemon and the reading of its idle memory, so that garbage of the start may have been
/// collected, as on a device.
const SETTLING: Duration = Duration::from_secs(2);

/// Runs a plan. Events go to stdout, one JSON object per line.
///
/// # Errors
/// If the sandbox can't be set up. The process outside reports an interruption.
pub fn run(plan: &str) -> Result<Outcome> {
    sandbox::ended(run_pairs(plan), |why| Event::Failed { why })
}

fn run_pairs(plan: &str) -> Result<()> {
    let plan: Plan = serde_json::from_str(plan).context("reading the plan")?;
    let platform = Platform::find(&plan.platform).context("the plan's platform")?;
    // Binaries are read before the machine's folders are hidden.
    let bytes = |(side, path): &(Side, std::path::PathBuf)| Ok((*side, files::read_bytes(path)?));
    let binaries: Vec<(Side, Vec<u8>)> = plan.binaries.iter().map(bytes).collect::<Result<_>>()?;
    let shipped = plan.binaries.iter().find(|(side, _)| *side == Side::Shipped).context("what ships")?;
    let programs = sandbox::prepare(&plan.lab, &shipped.1, runner(platform), FaultInjection::default(), None)?;
    let netlab = Netlab::new(&programs)?;
    let mut node_pairs = Vec::new();
    for (number, (side, bytes)) in binaries.into_iter().enumerate() {
        node_pairs.push(NodePair::new(&netlab, &programs, side, number, &bytes)?);
    }
    for pair in 0..plan.pairs {
        output::event(&Event::Begins { pair })?;
        // The order is reversed with each pair.
        node_pairs.reverse();
        for run in run_pair(pair, &mut node_pairs, &plan.loads)? {
            output::event(&Event::Ended(run))?;
        }
    }
    Ok(())
}

/// Restarts every daemon and runs each load twice per pair of nodes in ABBA order, so that linear drift affects all binaries
/// equally. A pair of nodes without a load takes almost no time.
fn run_pair(pair: u64, node_pairs: &mut [NodePair], loads: &[Load]) -> Result<Vec<Run>> {
    for node_pair in &mut *node_pairs {
        node_pair.start()?;
    }
    std::thread::sleep(SETTLING);
    let mut runs = Vec::new();
    for node_pair in &*node_pairs {
        let idle = memory::Memory::current(&node_pair.server)?.anonymous;
        runs.push(Run { pair, side: node_pair.side, taken: Vec::new(), memory: Memory { idle, loaded: idle } });
    }
    // Only memory is compared for `PackedAsLinked`.
    let carrying: Vec<usize> = (0..node_pairs.len()).filter(|i| node_pairs[*i].side != Side::PackedAsLinked).collect();
    for index in &carrying {
        node_pairs[*index].stream(WARMING, "1")?;
    }
    for load in loads {
        for index in carrying.iter().chain(carrying.iter().rev()) {
            check_interrupt()?;
            let taken = node_pairs[*index].carry(*load)?;
            match runs[*index].taken.iter_mut().find(|one| one.load == *load) {
                Some(known) => known.add(taken),
                None => runs[*index].taken.push(taken),
            }
        }
    }
    for (node_pair, run) in node_pairs.iter_mut().zip(&mut runs) {
        run.memory.loaded = memory::Memory::current(&node_pair.server)?.anonymous;
        node_pair.end()?;
    }
    Ok(runs)
}

/// Two nodes that run the daemon of one binary.
struct NodePair {
    side: Side,
    server: Node,
    client: Node,
    /// The address of the server in the tailnet.
    address: String,
    _tcp_sink: Server,
    _udp_echo: Server,
}

impl NodePair {
    /// Creates two nodes, logs both in, and kills the daemons.
    fn new(netlab: &Netlab, programs: &Programs, side: Side, number: usize, bytes: &[u8]) -> Result<Self> {
        let programs = programs.with_daemon(&sandbox::install_daemon(&format!("binary{number}"), bytes)?.0);
        let node = |name: &str| netlab.node_with(&format!("{name}{number}"), programs.clone());
        let (mut server, mut client) = (node("server")?, node("client")?);
        server.join(&[])?;
        client.join(&[])?;
        let address = server.addresses()?.0;
        let tcp_sink = server.host.serve("tcp-sink", &["tcp-sink", "[::]:7001"])?;
        let udp_echo = server.host.serve("udp-echo", &["udp-echo", "[::]:7002"])?;
        server.kill();
        client.kill();
        Ok(Self { side, server, client, address, _tcp_sink: tcp_sink, _udp_echo: udp_echo })
    }

    /// Starts both daemons and waits for a direct path.
    fn start(&mut self) -> Result<()> {
        for node in [&mut self.server, &mut self.client] {
            node.start()?;
            node.wait_until_running()?;
        }
        self.find_path()
    }

    /// Kills both daemons, which must be running.
    fn end(&mut self) -> Result<()> {
        for node in [&mut self.server, &mut self.client] {
            node.alive()?;
            node.kill();
        }
        Ok(())
    }

    /// Waits for the direct path, because the relay uses other code.
    fn find_path(&self) -> Result<()> {
        self.client.wait_for_direct_path(&self.address).map(drop)
    }

    fn stream(&self, bytes: &str, connections: &str) -> Result<String> {
        let at = format!("{}:7001", self.address);
        self.client.host.lab_within(&["stream", &at, bytes, connections], LONGEST)
    }

    fn carry(&self, load: Load) -> Result<Taken> {
        let before = self.processor_time()?;
        let printed = match load {
            Load::OneStream => self.stream(STREAMED, "1"),
            Load::ManyStreams => self.stream(STREAMED, CONNECTIONS),
            Load::SmallPackets => {
                let at = format!("{}:7002", self.address);
                self.client.host.lab_within(&["udp-flood", &at, PACKETS, PACKET, WINDOW], LONGEST)
            }
        };
        let printed = printed.with_context(|| format!("{}, {}", self.side.description(), load.name()))?;
        let processor = self.processor_time()? - before;
        let mut numbers = printed.split_whitespace().map(str::parse::<f64>);
        let mut next = || numbers.next().context("the output of the load")?.context("the output of the load");
        Ok(Taken { load, bytes: next()?, seconds: next()?, processor })
    }

    /// Returns the processor time of both daemons in seconds, including their system time.
    fn processor_time(&self) -> Result<f64> {
        Ok(self.server.processor_time()? + self.client.processor_time()?)
    }
}
