//! Inside the world's namespaces: two nodes for each binary, which carry traffic in turn.

use std::time::Duration;

use anyhow::{Context, Result};
use featureset::platform::Platform;

use super::report::{Event, Memory, Run, Taken};
use super::{Load, Plan, Side};
use crate::commands;
use crate::files;
use crate::interrupted::Interrupted;
use crate::output;
use crate::process::{Server, check_interrupt};
use crate::tools::qemu::runner;
use crate::world::host::PATIENCE;
use crate::world::node::Node;
use crate::world::{Programs, Sabotage, World, entrance, memory, until, until_told};

/// What each kind of traffic carries at a time, twice in a pair: enough for a second of processor time, which the kernel counts
/// in hundredths.
const STREAMED: &str = "120000000";
const CONNECTIONS: &str = "16";
const PACKETS: &str = "15000";
const PACKET: &str = "100";
const WINDOW: &str = "64";

/// What is sent before anything is counted.
const WARMING: &str = "20000000";

/// How long one kind of traffic may take.
const LONGEST: Duration = Duration::from_secs(120);

/// How long a daemon is left alone before its idle memory is read: what starting took has been collected or not by then, as on a
/// device.
const SETTLING: Duration = Duration::from_secs(2);

/// Runs a plan. Events go to stdout, a JSON object a line.
///
/// # Errors
/// Where the world can't be made. Of an interruption the process outside tells.
pub fn run(plan: &str) -> Result<commands::Outcome> {
    match run_pairs(plan) {
        Ok(()) => Ok(commands::Outcome::Clean),
        Err(error) if error.is::<Interrupted>() => Ok(commands::Outcome::Findings),
        Err(error) => {
            say(&Event::Failed { why: format!("{error:#}") })?;
            Ok(commands::Outcome::Findings)
        }
    }
}

fn say(event: &Event) -> Result<()> {
    Ok(output::event(&serde_json::to_string(event)?)?)
}

fn run_pairs(plan: &str) -> Result<()> {
    let plan: Plan = serde_json::from_str(plan).context("reading the plan")?;
    let platform = Platform::find(&plan.platform).context("the plan's platform")?;
    // Read before the machine's folders are hidden.
    let bytes = |(side, path): &(Side, std::path::PathBuf)| Ok((*side, files::read_bytes(path)?));
    let binaries: Vec<(Side, Vec<u8>)> = plan.binaries.iter().map(bytes).collect::<Result<_>>()?;
    let shipped = plan.binaries.iter().find(|(side, _)| *side == Side::Shipped).context("what ships")?;
    let programs = entrance::prepare(&plan.lab, &shipped.1, runner(platform), Sabotage::default(), None)?;
    let world = World::new(&programs)?;
    let mut couples = Vec::new();
    for (number, (side, bytes)) in binaries.into_iter().enumerate() {
        couples.push(Couple::new(&world, &programs, side, number, &bytes)?);
    }
    for pair in 0..plan.pairs {
        say(&Event::Begins { pair })?;
        // Whoever was first is last in the next pair.
        couples.reverse();
        for run in run_pair(pair, &mut couples, &plan.loads)? {
            say(&Event::Ended(run))?;
        }
    }
    Ok(())
}

/// Starts every daemon anew, and has each couple carry each kind of traffic twice, in the order A B B A: what changes on the
/// machine at a steady pace then falls on both alike. A couple that has nothing to carry costs next to no time.
fn run_pair(pair: u64, couples: &mut [Couple], loads: &[Load]) -> Result<Vec<Run>> {
    for couple in &mut *couples {
        couple.start()?;
    }
    std::thread::sleep(SETTLING);
    let mut runs = Vec::new();
    for couple in &*couples {
        let idle = memory::Memory::of(&couple.server)?.anonymous;
        runs.push(Run { pair, side: couple.side, taken: Vec::new(), memory: Memory { idle, loaded: idle } });
    }
    // Of what is packed as linked only the memory is looked at.
    let carrying: Vec<usize> = (0..couples.len()).filter(|i| couples[*i].side != Side::PackedAsLinked).collect();
    for index in &carrying {
        couples[*index].stream(WARMING, "1")?;
    }
    for load in loads {
        for index in carrying.iter().chain(carrying.iter().rev()) {
            check_interrupt()?;
            let taken = couples[*index].carry(*load)?;
            match runs[*index].taken.iter_mut().find(|one| one.load == *load) {
                Some(known) => known.add(taken),
                None => runs[*index].taken.push(taken),
            }
        }
    }
    for (couple, run) in couples.iter_mut().zip(&mut runs) {
        run.memory.loaded = memory::Memory::of(&couple.server)?.anonymous;
        couple.end()?;
    }
    Ok(runs)
}

/// Two nodes with the daemon of one binary.
struct Couple {
    side: Side,
    server: Node,
    client: Node,
    /// The address of the server in the tailnet.
    address: String,
    _tcp_sink: Server,
    _udp_echo: Server,
}

impl Couple {
    /// Logs both in, and stops them.
    fn new(world: &World, programs: &Programs, side: Side, number: usize, bytes: &[u8]) -> Result<Self> {
        let (tailscaled, tailscale) = entrance::place_daemon(&format!("binary{number}"), bytes)?;
        let programs = Programs { tailscaled, tailscale, ..programs.clone() };
        let node = |name: &str| world.node_of(&format!("{name}{number}"), programs.clone());
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

    /// Starts both daemons, and waits until they talk directly.
    fn start(&mut self) -> Result<()> {
        for node in [&mut self.server, &mut self.client] {
            node.start()?;
            until(PATIENCE, "the state Running", || Ok((node.backend_state()? == "Running").then_some(())))?;
        }
        self.find_path()
    }

    /// Ends both daemons, which must run.
    fn end(&mut self) -> Result<()> {
        for node in [&mut self.server, &mut self.client] {
            node.alive()?;
            node.kill();
        }
        Ok(())
    }

    /// Waits for the direct path: through the relay other code runs.
    fn find_path(&self) -> Result<()> {
        until_told(PATIENCE, "a direct path", || {
            let ping = ["ping", "--c=1", "--timeout=3s", "--until-direct=false", &self.address];
            let said = self.client.cli(&ping)?.stdout;
            let direct = said.lines().any(|line| line.starts_with("pong") && !line.contains("via DERP"));
            Ok(if direct { Ok(()) } else { Err(said) })
        })
    }

    fn stream(&self, bytes: &str, connections: &str) -> Result<String> {
        let at = format!("{}:7001", self.address);
        self.client.host.lab_within(&["stream", &at, bytes, connections], LONGEST)
    }

    fn carry(&self, load: Load) -> Result<Taken> {
        let before = self.processor_time()?;
        let told = match load {
            Load::OneStream => self.stream(STREAMED, "1"),
            Load::ManyStreams => self.stream(STREAMED, CONNECTIONS),
            Load::SmallPackets => {
                let at = format!("{}:7002", self.address);
                self.client.host.lab_within(&["udp-flood", &at, PACKETS, PACKET, WINDOW], LONGEST)
            }
        };
        let told = told.with_context(|| format!("{}, {}", self.side.words(), load.name()))?;
        let processor = self.processor_time()? - before;
        let mut numbers = told.split_whitespace().map(str::parse::<f64>);
        let mut next = || numbers.next().context("what was carried")?.context("what was carried");
        Ok(Taken { load, bytes: next()?, seconds: next()?, processor })
    }

    /// The processor time of both daemons so far, in seconds, the kernel's on their behalf included.
    fn processor_time(&self) -> Result<f64> {
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        let mut total = 0.0;
        for node in [&self.server, &self.client] {
            let text = files::read(format!("/proc/{}/stat", node.process()?).as_ref())?;
            // Behind the name, which may hold anything, `utime` and `stime` are the twelfth and thirteenth: proc_pid_stat(5).
            let fields = text.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default().split_whitespace();
            total += fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>();
        }
        Ok(total / ticks)
    }
}
