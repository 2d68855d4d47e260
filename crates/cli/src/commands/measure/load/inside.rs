//! The process inside the namespaces: a router in a control group, and a peer that sends traffic to it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use featureset::memory::Observed;
use featureset::platform::Platform;

use super::collector::Collections;
use super::plan::{Event, How, Plan};
use crate::files;
use crate::interrupted::Interrupted;
use crate::netlab::cgroup::Hierarchy;
use crate::netlab::host::PATIENCE;
use crate::netlab::memory::Memory;
use crate::netlab::node::{Node, SILENT};
use crate::netlab::senders::Senders;
use crate::netlab::{FaultInjection, Netlab, Programs, sandbox, wait_until_reachable};
use crate::outcome::Outcome;
use crate::output;
use crate::process::{Server, check_interrupt};
use crate::tools::qemu::runner;

/// The time between two looks at the memory.
const LOOK_EACH: Duration = Duration::from_millis(100);

/// Runs a plan. Events go to stdout, one JSON object per line.
///
/// # Errors
/// If the sandbox can't be set up. The process outside reports an interruption.
pub fn run(plan: &str) -> Result<Outcome> {
    sandbox::ended(run_all(plan), |why| Event::Failed { why })
}

fn run_all(plan: &str) -> Result<()> {
    let plan: Plan = serde_json::from_str(plan).context("reading the plan")?;
    let platform = Platform::find(&plan.platform).context("the plan's platform")?;
    let unpacked = files::read_bytes(&plan.unpacked)?;
    let hierarchy = Hierarchy::find().map_err(anyhow::Error::msg)?;
    let programs = sandbox::prepare(&plan.lab, &plan.packed, runner(platform), FaultInjection::default(), None)?;
    let without_packer = programs.with_daemon(&sandbox::install_daemon("unpacked", &unpacked)?.0);
    let netlab = Netlab::new(&programs)?;
    let mut client = netlab.node("client")?;
    client.join(&[])?;
    let mut routers = [Router::new(&netlab, "packed", programs)?, Router::new(&netlab, "unpacked", without_packer)?];
    client.kill();
    for how in &plan.runs {
        let is_unpacked = matches!(how, How::With(setting) if !setting.packed);
        let router = &mut routers[usize::from(is_unpacked)];
        let observed = router.observe(&mut client, hierarchy, *how, &plan)?;
        router.node.kill();
        client.kill();
        output::event(&Event::Ended { how: *how, observed })?;
    }
    Ok(())
}

/// A node that receives the load and sends it back.
struct Router {
    node: Node,
    /// The address of the echo in the tailnet.
    echo: String,
    _echo: Server,
}

impl Router {
    /// Creates a node, logs it in, and kills its daemon.
    fn new(netlab: &Netlab, name: &str, programs: Programs) -> Result<Self> {
        let mut node = netlab.node_with(name, programs)?;
        node.join(&[])?;
        let echo = format!("{}:7000", node.addresses()?.0);
        let server = node.host.serve("echo", &["echo", "[::]:7000"])?;
        node.kill();
        Ok(Self { node, echo, _echo: server })
    }

    /// Starts the daemon in a new control group and puts it under load. A daemon that does not survive is an observation.
    fn observe(&mut self, client: &mut Node, hierarchy: Hierarchy, how: How, plan: &Plan) -> Result<Observed> {
        let (memory, mut variables) = match how {
            How::With(setting) => {
                let limit = setting.limit().map(|limit| ("GOMEMLIMIT", format!("{limit}MiB")));
                (setting.memory, limit.into_iter().chain([("GOGC", setting.gogc.to_string())]).collect::<Vec<_>>())
            }
            How::Entrypoint { memory, limited: true } => (memory, Vec::new()),
            How::Entrypoint { memory, limited: false } => (memory, vec![("GOMEMLIMIT", "off".to_owned())]),
        };
        variables.push(("GODEBUG", "gctrace=1".to_owned()));
        let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
        let variables: Vec<(&str, &str)> = SILENT.into_iter().chain(variables).collect();
        let group = hierarchy.group(&plan.group, memory << 20)?;
        self.node.set_group(&group);
        if matches!(how, How::Entrypoint { .. }) {
            self.node.start_through(image::root::ENTRYPOINT_SCRIPT)?;
        }
        // Each run has its own log.
        let _ = std::fs::remove_file(self.node.host.log("daemon"));
        let mut observed = Observed::default();
        let ended = self.start(client, &variables).and_then(|()| self.load(client, plan, &mut observed));
        match ended {
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(error) => observed.failed = Some(format!("{error:#}")),
            Ok(()) => {}
        }
        observed.group = group.peak()?;
        let kills = group.kills()?;
        if kills > 0 {
            let killed = if kills == 1 { "a process".to_owned() } else { format!("{kills} processes") };
            observed.failed = Some(format!("the kernel killed {killed}, because the memory was used up"));
        }
        self.node.kill();
        Ok(observed)
    }

    fn start(&mut self, client: &mut Node, variables: &[(&str, &str)]) -> Result<()> {
        client.start()?;
        self.node.start_with(variables)?;
        for node in [&self.node, client] {
            node.wait_until_running()?;
        }
        wait_until_reachable(&client.host, &self.echo)
    }

    /// Puts the daemon under load until the time is over or it ends.
    fn load(&mut self, client: &Node, plan: &Plan, observed: &mut Observed) -> Result<()> {
        let log_begins = self.node.log_text()?.len();
        let ended = self.watch(client, plan, observed);
        let log = self.node.log_text()?;
        let collections = Collections::read(log.get(log_begins..).unwrap_or_default());
        (observed.collections, observed.collector) = (collections.count, collections.milliseconds as u64);
        ended
    }

    fn watch(&mut self, client: &Node, plan: &Plan, observed: &mut Observed) -> Result<()> {
        let (bytes, processor) = (self.bytes_through_tunnel()?, self.node.processor_time()?);
        let mut senders = Senders::start(&client.host, &self.echo)?;
        let (begun, mut status) = (Instant::now(), StatusRequests::new(plan.status_each));
        while begun.elapsed() < Duration::from_secs(plan.seconds) {
            check_interrupt()?;
            self.node.alive()?;
            let memory = Memory::current(&self.node)?;
            observed.anonymous = observed.anonymous.max(memory.anonymous);
            observed.bytes = self.bytes_through_tunnel()? - bytes;
            observed.processor = ((self.node.processor_time()? - processor) * 1000.0) as u64;
            observed.milliseconds = u64::try_from(begun.elapsed().as_millis())?;
            senders.refill()?;
            status.ask(&self.node)?;
            (observed.asked, observed.answered) = (status.asked, status.answered);
            observed.broken = senders.broken;
            std::thread::sleep(LOOK_EACH.min(Duration::from_millis(plan.status_each / 2)));
        }
        anyhow::ensure!(senders.broken == 0, "{} connections broke off: {}", senders.broken, senders.last_failure());
        anyhow::ensure!(status.failed.is_none(), "`tailscale status`: {}", status.failed.unwrap_or_default());
        Ok(())
    }

    /// Returns the bytes that passed through the TUN device in both directions.
    fn bytes_through_tunnel(&self) -> Result<u64> {
        let text = files::read(Path::new(&format!("/proc/{}/net/dev", self.node.process()?)))?;
        let line = text.lines().find_map(|line| line.trim().strip_prefix("tailscale0:")).context("no TUN device")?;
        // Received bytes are the first field, sent bytes the ninth: proc_pid_net(5).
        let field = |at: usize| line.split_whitespace().nth(at).and_then(|field| field.parse::<u64>().ok());
        field(0).zip(field(8)).map(|(received, sent)| received + sent).context("the counters of the TUN device")
    }
}

/// The most requests of the status that run at the same time.
const REQUESTS: usize = 8;

/// Requests of the status at regular times.
struct StatusRequests {
    each: Duration,
    running: Vec<(Server, Instant)>,
    next: Instant,
    asked: u64,
    answered: u64,
    /// The first failure.
    failed: Option<String>,
}

impl StatusRequests {
    fn new(each: u64) -> Self {
        let each = Duration::from_millis(each);
        Self { each, running: Vec::new(), next: Instant::now(), asked: 0, answered: 0, failed: None }
    }

    /// Takes the requests that have ended, and begins one if the time has come.
    fn ask(&mut self, node: &Node) -> Result<()> {
        for (mut request, begun) in std::mem::take(&mut self.running) {
            match request.ended() {
                Some(status) if status.success() => self.answered += 1,
                Some(status) => _ = self.failed.get_or_insert_with(|| status.to_string()),
                None if begun.elapsed() > PATIENCE => {
                    _ = self.failed.get_or_insert_with(|| format!("no answer in {} s", PATIENCE.as_secs()));
                }
                None => self.running.push((request, begun)),
            }
        }
        if Instant::now() >= self.next && self.running.len() < REQUESTS {
            self.asked += 1;
            self.running.push((node.start_cli(&["status"], "status")?, Instant::now()));
            self.next = (self.next + self.each).max(Instant::now() - self.each);
        }
        Ok(())
    }
}
