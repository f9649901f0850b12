//! A broker in a process of its own, in a temporary folder, on loopback: started, killed, stopped, and gone at the end.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use crate::admin;

const CLUSTER: &str = "bGFuZGZhbGwta2Fma2EtMQ";
const START_MAX: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(100);

/// Runs a command for as long as its standard input is open, whoever holds it, and says first which process that is: so
/// nothing is left even if the program that asked for it is killed.
const KEEPER: &str = r#""$@" >>"$LOG" 2>&1 </dev/null & echo $!; read -r _; kill -9 $! 2>/dev/null; wait"#;

pub(crate) struct Broker {
    id: usize,
    folder: PathBuf,
    jars: PathBuf,
    port: u16,
    /// How many copies its topics have.
    copies: i16,
    running: Option<Running>,
}

struct Running {
    keeper: Child,
    broker: Pid,
}

impl Broker {
    /// Lays one out that is a cluster by itself; it does not run yet.
    pub(crate) fn new(jars: &Path) -> Result<Self, Box<dyn Error>> {
        Self::cluster(jars, 1)?.pop().ok_or_else(|| "no broker".into())
    }

    /// Lays out a cluster of so many, whose topics have a copy on each.
    pub(crate) fn cluster(jars: &Path, count: usize) -> Result<Vec<Self>, Box<dyn Error>> {
        // All are held until each is chosen, so that none comes twice.
        let listeners = (0..2 * count).map(|_| free_port()).collect::<Result<Vec<_>, _>>()?;
        let ports = listeners.iter().map(|listener| Ok(listener.local_addr()?.port()));
        let ports = ports.collect::<std::io::Result<Vec<_>>>()?;
        drop(listeners);
        let (ports, controllers) = ports.split_at(count);
        let voters = (1..).zip(controllers).map(|(id, port)| format!("{id}@127.0.0.1:{port}"));
        let voters = voters.collect::<Vec<_>>().join(",");
        let copies = i16::try_from(count)?;
        let laid_out = |(id, (port, controller)): (usize, (&u16, &u16))| {
            let folder = std::env::temp_dir().join(format!("landfall-kafka-{}-{count}-{id}", std::process::id()));
            fs::create_dir(&folder)?;
            let broker = Self { id, folder, jars: jars.to_owned(), port: *port, copies, running: None };
            fs::write(broker.file(), broker.properties(*controller, &voters))?;
            let mut format = broker.java("kafka.tools.StorageTool");
            let formatted = format.args(["format", "-t", CLUSTER, "-c"]).arg(broker.file()).output()?;
            if !formatted.status.success() {
                return Err(format!("cannot format: {}", String::from_utf8_lossy(&formatted.stderr)).into());
            }
            Ok(broker)
        };
        (1..).zip(ports.iter().zip(controllers)).map(laid_out).collect()
    }

    fn properties(&self, controller: u16, voters: &str) -> String {
        let (id, port, logs) = (self.id, self.port, self.folder.join("logs"));
        format!(
            "process.roles=broker,controller\nnode.id={id}\ncontroller.quorum.voters={voters}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\ncontroller.listener.names=CONTROLLER\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\nlog.dirs={}\n\
             auto.create.topics.enable=false\noffsets.topic.replication.factor=1\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
             share.coordinator.state.topic.replication.factor=1\nshare.coordinator.state.topic.min.isr=1\n\
             group.initial.rebalance.delay.ms=0\nbroker.session.timeout.ms=3000\nbroker.heartbeat.interval.ms=500\n",
            logs.display()
        )
    }

    fn file(&self) -> PathBuf {
        self.folder.join("server.properties")
    }

    fn java(&self, class: &str) -> Command {
        let mut command = Command::new("java");
        command.args(["-Xmx256m", "-Xms256m", "-XX:TieredStopAtLevel=1", "-cp"]);
        command.arg(self.jars.join("*")).arg(class);
        command
    }

    /// Starts it; it does not answer yet.
    pub(crate) fn spawn(&mut self) -> Result<(), Box<dyn Error>> {
        let java = self.java("kafka.Kafka");
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(java.get_program()).args(java.get_args()).arg(self.file());
        keeper.env("LOG", self.folder.join("log")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = keeper.spawn()?;
        let mut pid = String::new();
        BufReader::new(keeper.stdout.take().ok_or("no output")?).read_line(&mut pid)?;
        let broker = Pid::from_raw(pid.trim().parse()?).ok_or("no process")?;
        self.running = Some(Running { keeper, broker });
        Ok(())
    }

    /// Starts it unless it runs, and waits until it answers, with the topic there.
    pub(crate) async fn up(&mut self, topic: &str) -> Result<(), Box<dyn Error>> {
        if self.running.is_none() {
            self.spawn()?;
        }
        let start = Instant::now();
        loop {
            match admin::create_topic(self.port, topic, self.copies) {
                Ok(()) => return Ok(()),
                Err(error) if start.elapsed() > START_MAX => {
                    let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                    let tail = log.len().saturating_sub(2_000);
                    return Err(format!("the broker does not answer: {error}: {}", &log[tail..]).into());
                }
                Err(_) => sleep(POLL).await,
            }
        }
    }

    pub(crate) fn kill(&mut self) -> Result<(), Box<dyn Error>> {
        if let Some(mut running) = self.running.take() {
            kill_process(running.broker, Signal::KILL)?;
            drop(running.keeper.stdin.take());
            running.keeper.wait()?;
        }
        Ok(())
    }

    /// Stops it, and waits until none of its threads runs: the signal alone lets them go on for a moment.
    pub(crate) async fn stop(&self) -> Result<(), Box<dyn Error>> {
        let running = self.running.as_ref().ok_or("it does not run")?;
        kill_process(running.broker, Signal::STOP)?;
        let threads = format!("/proc/{}/task", running.broker.as_raw_nonzero());
        loop {
            let mut is_running = false;
            for thread in fs::read_dir(&threads)? {
                // One that has gone meanwhile does not run.
                let stat = fs::read_to_string(thread?.path().join("stat")).unwrap_or_default();
                is_running |= stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('T'));
            }
            if !is_running {
                return Ok(());
            }
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) -> Result<(), Box<dyn Error>> {
        let running = self.running.as_ref().ok_or("it does not run")?;
        Ok(kill_process(running.broker, Signal::CONT)?)
    }

    pub(crate) fn id(&self) -> usize {
        self.id
    }

    pub(crate) fn jars(&self) -> &Path {
        &self.jars
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The connections that this process has to it, as the system counts them; brokers have others to each other.
    pub(crate) fn connections(&self) -> std::io::Result<usize> {
        const ESTABLISHED: &str = "01";
        let port = format!(":{:04X}", self.port);
        let mut ours = Vec::new();
        for descriptor in fs::read_dir("/proc/self/fd")? {
            // The one that lists them has gone by now.
            let Ok(to) = fs::read_link(descriptor?.path()) else { continue };
            let inode = to.to_str().and_then(|to| to.strip_prefix("socket:[")?.strip_suffix(']'));
            ours.extend(inode.map(str::to_owned));
        }
        let is_one = |line: &&str| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let [_, _, remote, ESTABLISHED, _, _, _, _, _, inode, ..] = fields[..] else { return false };
            remote.ends_with(&port) && ours.iter().any(|our| our == inode)
        };
        Ok(fs::read_to_string("/proc/self/net/tcp")?.lines().filter(is_one).count())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("the broker may be left: {error}");
        }
        drop(fs::remove_dir_all(&self.folder));
    }
}

fn free_port() -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
}

/// A connection for what the client does not do.
pub(crate) fn connect(port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(stream)
}
