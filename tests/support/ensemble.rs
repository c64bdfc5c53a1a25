//! Several ZooKeepers that elect a leader, on a network of their own, and what can happen to them.
//!
//! In containers each member has an address of its own, can be paused and can be cut off the network. Without Docker
//! the members are plain processes on this machine: everything works but the cut.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures::future::join_all;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::process::Command;
use zk_client::ServerVersion;
use zk_proto::four_letter::Srvr;

use crate::command::run;
use crate::machine::{DOCKER_DEADLINE, LABEL, Machine, Words, docker, free_address};
use crate::reaper::Reaper;
use crate::release::{Release, Source, java_image};
use crate::wait;
use crate::zookeeper::{srvr, unique_name};

/// Elections take a few ticks: short ones make a test of ten elections bearable.
const TICK: Duration = Duration::from_millis(500);

/// How many ticks a follower may take to join its leader, on a machine where five Java machines start at once.
const INIT_LIMIT_TICKS: u32 = 30;

/// After how many ticks of silence leader and follower leave each other.
const SYNC_LIMIT_TICKS: u32 = 6;

/// The longest that a member waits for another one's answer to a connect during an election.
const ELECTION_CONNECT_MS: u32 = 1000;

/// How long members may take to start, to elect a leader and to serve.
pub const SERVING_DEADLINE: Duration = Duration::from_secs(120);

/// An ensemble of this test's own. It is gone when this value is dropped, or when the test process ends.
///
/// Members are counted from 0. Where a method changes what a member does, it must be in the state that the method
/// needs, such as running for [`kill`](Self::kill).
#[derive(Debug)]
pub struct Ensemble {
    members: Vec<Member>,
    // Dropped after the members: removes containers and network.
    network: Option<Network>,
}

#[derive(Debug)]
struct Member {
    machine: Machine,
    address: SocketAddr,
    state: MemberState,
}

/// What was last done to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberState {
    /// It runs.
    Running,
    /// It has no process.
    Stopped,
    /// Its process is frozen; its connections stay open.
    Paused,
    /// It runs, and no byte reaches it.
    CutOff,
}

#[derive(Debug)]
struct Network {
    name: String,
    _reaper: Reaper,
}

/// How an ensemble is started.
#[derive(Debug, Clone)]
pub struct EnsembleOptions {
    /// `None` is the release of tests that do not mind.
    releases: Vec<Option<Release>>,
    lines: Vec<String>,
    flags: Vec<String>,
}

impl EnsembleOptions {
    /// One member of each of these releases.
    #[must_use]
    pub fn releases(mut self, releases: &[Release]) -> Self {
        self.releases = releases.iter().copied().map(Some).collect();
        self
    }

    /// Members without a quorum serve readers that ask for it.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.flags.push("-Dreadonlymode.enabled=true".to_owned());
        self
    }

    /// A further line of every member's `zoo.cfg`, without blanks, such as `reconfigEnabled=true`.
    #[must_use]
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// Starts the members and waits until all of them serve.
    pub async fn start(self) -> Ensemble {
        let sources: Vec<_> = self
            .releases
            .iter()
            .map(|release| release.map_or_else(Source::any, Release::source))
            .collect();
        let mut words = Words::new(TICK);
        words.lines.extend(self.lines);
        words.flags.extend(self.flags);
        let connect = format!("-Dzookeeper.cnxTimeout={ELECTION_CONNECT_MS}");
        words.flags.push(connect);
        let ensemble = match java_image() {
            Some(_) => start_containers(&sources, &words).await,
            None => start_processes(&sources, &words),
        };
        ensemble.wait_until_serving(SERVING_DEADLINE).await;
        ensemble
    }
}

impl Ensemble {
    /// Three members of the release that tests get which do not mind.
    pub async fn start() -> Self {
        Self::options().start().await
    }

    /// Three members of the release that tests get which do not mind, unless told otherwise.
    #[must_use]
    pub fn options() -> EnsembleOptions {
        EnsembleOptions {
            releases: vec![None; 3],
            lines: Vec::new(),
            flags: Vec::new(),
        }
    }

    /// How many members it has.
    #[must_use]
    pub fn members(&self) -> usize {
        self.members.len()
    }

    /// Where clients reach each member.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.members.iter().map(|member| member.address).collect()
    }

    /// All members as a connect string.
    #[must_use]
    pub fn connect_string(&self) -> String {
        let addresses = self.addresses();
        let texts: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
        texts.join(",")
    }

    /// What was last done to a member.
    #[must_use]
    pub fn state(&self, member: usize) -> MemberState {
        self.members[member].state
    }

    /// The member that says of itself to lead, if there is one. A leader that has just lost its quorum may say so for
    /// a moment.
    pub async fn leader(&self) -> Option<usize> {
        leader_among(&self.addresses()).await
    }

    /// Waits for a leader.
    pub async fn wait_for_leader(&self, deadline: Duration) -> usize {
        match wait::some(deadline, async || self.leader().await).await {
            Some(leader) => leader,
            None => panic!("no leader within {deadline:?}\n{}", self.report().await),
        }
    }

    /// Waits until every running member serves and one of them leads, and returns what each answers to `srvr`; `None` for
    /// the members that do not run.
    pub async fn wait_until_serving(&self, deadline: Duration) -> Vec<Option<Srvr>> {
        let serving = wait::some(deadline, async || {
            let answers = join_all(self.members.iter().map(Member::srvr)).await;
            let all = self.members.iter().zip(&answers).all(|(member, answer)| {
                member.state != MemberState::Running || serves(answer.as_ref())
            });
            // A leader that was away for a while believes for a moment to be one still.
            let leads = |srvr: &&Srvr| srvr.mode.as_deref() == Some("leader");
            let leaders = answers.iter().flatten().filter(leads).count();
            (all && leaders == 1).then_some(answers)
        });
        match serving.await {
            Some(answers) => answers,
            None => panic!(
                "not all members serve within {deadline:?}\n{}",
                self.report().await
            ),
        }
    }

    /// Waits until a member without a quorum serves readers, see [`EnsembleOptions::read_only`].
    pub async fn wait_until_read_only(&self, member: usize, deadline: Duration) {
        let reads = wait::some(deadline, async || {
            let mode = self.members[member].srvr().await?.mode?;
            (mode == "read-only").then_some(())
        });
        if reads.await.is_none() {
            panic!(
                "member {member} is not read-only within {deadline:?}\n{}",
                self.report().await
            );
        }
    }

    /// The version of each running member.
    pub async fn versions(&self) -> Vec<ServerVersion> {
        let answers = self.wait_until_serving(SERVING_DEADLINE).await;
        let versions = answers.into_iter().flatten();
        versions.map(|srvr| srvr.version).collect()
    }

    /// Ends a member at once (SIGKILL).
    pub async fn kill(&mut self, member: usize) {
        self.members[member].end(true).await;
    }

    /// Asks a member to stop, as an operator does.
    pub async fn stop(&mut self, member: usize) {
        self.members[member].end(false).await;
    }

    /// Starts a member that was killed or stopped, with its data; does not wait until it serves.
    pub async fn start_again(&mut self, member: usize) {
        self.members[member].start_again().await;
    }

    /// Freezes a member: connections stay open and nothing is answered.
    pub async fn pause(&mut self, member: usize) {
        let member = &mut self.members[member];
        member.pass(MemberState::Running, MemberState::Paused);
        member.machine.pause().await;
    }

    /// Ends a [`pause`](Self::pause).
    pub async fn unpause(&mut self, member: usize) {
        let member = &mut self.members[member];
        member.pass(MemberState::Paused, MemberState::Running);
        member.machine.unpause().await;
    }

    /// Whether members can be cut off.
    #[must_use]
    pub const fn has_network(&self) -> bool {
        self.network.is_some()
    }

    /// Cuts a member off the network, silently: no connection is closed, no byte passes, neither from clients nor from
    /// other members.
    pub async fn cut_off(&mut self, member: usize) {
        let (network, member) = (self.network.as_ref(), &mut self.members[member]);
        let network = network.expect("only containers can be cut off: this needs Docker");
        member.pass(MemberState::Running, MemberState::CutOff);
        let name = container(&member.machine);
        docker(&["network", "disconnect", &network.name, name]).await;
    }

    /// Ends a [`cut_off`](Self::cut_off), at the same address.
    pub async fn reconnect(&mut self, member: usize) {
        let (network, member) = (self.network.as_ref(), &mut self.members[member]);
        let network = network.expect("only containers can be cut off: this needs Docker");
        member.pass(MemberState::CutOff, MemberState::Running);
        let (name, ip) = (container(&member.machine), member.address.ip().to_string());
        docker(&["network", "connect", "--ip", &ip, &network.name, name]).await;
    }

    /// Ends all members at once (SIGKILL).
    pub async fn kill_all(&mut self) {
        join_all(self.members.iter_mut().map(|member| member.end(true))).await;
    }

    /// Asks all members to stop.
    pub async fn stop_all(&mut self) {
        join_all(self.members.iter_mut().map(|member| member.end(false))).await;
    }

    /// Starts all members after [`kill_all`](Self::kill_all) or [`stop_all`](Self::stop_all) and waits until they
    /// serve.
    pub async fn start_all(&mut self) {
        join_all(self.members.iter_mut().map(Member::start_again)).await;
        self.wait_until_serving(SERVING_DEADLINE).await;
    }

    /// Stops and starts one member after the other, followers first, waiting in between until all serve, as an operator
    /// does for an upgrade.
    pub async fn rolling_restart(&mut self) {
        let leader = self.wait_for_leader(SERVING_DEADLINE).await;
        let mut order: Vec<_> = (0..self.members()).collect();
        order.sort_by_key(|member| *member == leader);
        for member in order {
            self.stop(member).await;
            self.start_again(member).await;
            self.wait_until_serving(SERVING_DEADLINE).await;
        }
    }

    /// Each member's state and the end of its log.
    async fn report(&self) -> String {
        let mut text = String::new();
        for (number, member) in self.members.iter().enumerate() {
            let (srvr, log) = (member.srvr().await, member.machine.log().await);
            text.push_str(&format!(
                "--- member {number}, {:?}, answers {srvr:?}\n{log}\n",
                member.state
            ));
        }
        text
    }
}

/// For a person: `3 ZooKeepers in a container of …, at …`.
impl fmt::Display for Ensemble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, servers) = (self.members(), self.connect_string());
        let machine = &self.members[0].machine;
        write!(f, "{count} ZooKeepers, each {machine}, at {servers}")
    }
}

impl Member {
    async fn srvr(&self) -> Option<Srvr> {
        match self.state {
            MemberState::Running => srvr(self.address).await,
            // Asking would take the whole deadline.
            _ => None,
        }
    }

    async fn end(&mut self, at_once: bool) {
        self.pass(MemberState::Running, MemberState::Stopped);
        if at_once {
            self.machine.kill().await;
        } else {
            self.machine.stop().await;
        }
    }

    async fn start_again(&mut self) {
        self.pass(MemberState::Stopped, MemberState::Running);
        self.machine.start_again().await;
    }

    fn pass(&mut self, from: MemberState, to: MemberState) {
        let address = self.address;
        assert_eq!(self.state, from, "the member at {address} is not {from:?}");
        self.state = to;
    }
}

/// The number of the server that says of itself to lead, as soon as one does.
pub async fn leader_among(addresses: &[SocketAddr]) -> Option<usize> {
    let mut answers: FuturesUnordered<_> = addresses
        .iter()
        .enumerate()
        .map(async |(number, address)| (number, srvr(*address).await))
        .collect();
    while let Some((number, answer)) = answers.next().await {
        if answer.is_some_and(|srvr| srvr.mode.as_deref() == Some("leader")) {
            return Some(number);
        }
    }
    None
}

fn serves(answer: Option<&Srvr>) -> bool {
    let mode = answer.and_then(|srvr| srvr.mode.as_deref());
    mode.is_some_and(|mode| mode != "read-only")
}

fn container(machine: &Machine) -> &str {
    match machine {
        Machine::Container { name, .. } => name,
        Machine::Process { .. } => unreachable!("members with a network are containers"),
    }
}

async fn start_containers(sources: &[Source], words: &Words) -> Ensemble {
    let name = unique_name("hs2-tests-ensemble");
    let names: Vec<_> = (0..sources.len())
        .map(|number| format!("{name}-{number}"))
        .collect();
    // A network cannot be removed as long as something is in it.
    let cleanup = format!(
        "docker rm --force --volumes {}; docker network rm {name}",
        names.join(" ")
    );
    let reaper = Reaper::new(&cleanup);
    let subnet = create_network(&name).await;
    let [a, b, c, _] = subnet.octets();
    // The first address is this machine's.
    let addresses: Vec<_> = (11..)
        .take(sources.len())
        .map(|last| Ipv4Addr::new(a, b, c, last))
        .collect();
    let starting = sources.iter().enumerate().map(|(number, source)| {
        let (name, container, address) = (&name, &names[number], addresses[number]);
        // The official image wants the client's port behind a semicolon, which old releases do not know.
        let client_port = match source {
            Source::Image(_) => ";2181",
            Source::Jars(_) => "",
        };
        let servers = (1..).zip(&addresses);
        let servers =
            servers.map(|(id, address)| format!("server.{id}={address}:2888:3888{client_port}"));
        let words = member_words(words, number, &servers.collect::<Vec<_>>().join(" "));
        async move {
            let ip = address.to_string();
            let arguments = ["--network", name, "--ip", &ip];
            let started = Machine::container(source, container, &arguments, &words, None).await;
            Member {
                machine: started.unwrap_or_else(|output| {
                    panic!("cannot start a container for {source:?}\n{output}")
                }),
                address: SocketAddr::from((address, 2181)),
                state: MemberState::Running,
            }
        }
    });
    Ensemble {
        members: join_all(starting).await,
        network: Some(Network {
            name: name.clone(),
            _reaper: reaper,
        }),
    }
}

/// A network of 254 addresses out of 198.18.0.0/15, which is set aside for tests of networks and in use nowhere.
async fn create_network(name: &str) -> Ipv4Addr {
    use std::hash::{BuildHasher, RandomState};
    for _ in 0..20 {
        let random = RandomState::new()
            .hash_one(std::process::id())
            .to_be_bytes();
        let subnet = Ipv4Addr::new(198, 18 + random[0] % 2, random[1], 0);
        let mut command = Command::new("docker");
        command.args(["network", "create", "--label", LABEL]);
        command.args(["--subnet", &format!("{subnet}/24"), name]);
        let output = run(&mut command, DOCKER_DEADLINE).await;
        if output.code == Some(0) {
            return subnet;
        }
        let taken = output.stderr.contains("overlaps");
        assert!(taken, "cannot create a network for an ensemble\n{output}");
    }
    panic!("no free subnet below 198.18.0.0/15 in twenty attempts");
}

fn start_processes(sources: &[Source], words: &Words) -> Ensemble {
    let ports: Vec<_> = sources
        .iter()
        .map(|_| [free_address(), free_address(), free_address()])
        .collect();
    let servers: Vec<_> = (1..)
        .zip(&ports)
        .map(|(id, [_, peer, election])| {
            format!("server.{id}=127.0.0.1:{}:{}", peer.port(), election.port())
        })
        .collect();
    let servers = servers.join(" ");
    let members = sources.iter().zip(&ports).enumerate();
    let members = members.map(|(number, (source, [address, ..]))| {
        let Source::Jars(classpath) = source else {
            panic!("{source:?} needs Docker")
        };
        let words = member_words(words, number, &servers);
        Member {
            machine: Machine::process(classpath, *address, &words),
            address: *address,
            state: MemberState::Running,
        }
    });
    Ensemble {
        members: members.collect(),
        network: None,
    }
}

fn member_words(words: &Words, number: usize, servers: &str) -> Words {
    let mut words = words.clone();
    words.variables.extend([
        ("ZOO_MY_ID", (number + 1).to_string()),
        ("ZOO_SERVERS", servers.to_owned()),
        ("ZOO_INIT_LIMIT", INIT_LIMIT_TICKS.to_string()),
        ("ZOO_SYNC_LIMIT", SYNC_LIMIT_TICKS.to_string()),
    ]);
    words
}
