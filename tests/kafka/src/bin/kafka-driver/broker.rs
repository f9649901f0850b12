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
    folder: PathBuf,
    jars: PathBuf,
    port: u16,
    running: Option<Running>,
}

struct Running {
    keeper: Child,
    broker: Pid,
}

impl Broker {
    /// Lays one out; it does not run yet.
    pub(crate) fn new(jars: &Path) -> Result<Self, Box<dyn Error>> {
        let folder = std::env::temp_dir().join(format!("landfall-kafka-{}", std::process::id()));
        fs::create_dir(&folder)?;
        let (first, second) = (free_port()?, free_port()?);
        let [port, controller] = [first.local_addr()?.port(), second.local_addr()?.port()];
        drop((first, second));
        let broker = Self { folder, jars: jars.to_owned(), port, running: None };
        fs::write(broker.folder.join("server.properties"), broker.properties(controller))?;
        let formatted =
            broker.java("kafka.tools.StorageTool").args(["format", "-t", CLUSTER, "-c"]).arg(broker.file()).output()?;
        if !formatted.status.success() {
            return Err(format!("cannot format: {}", String::from_utf8_lossy(&formatted.stderr)).into());
        }
        Ok(broker)
    }

    fn properties(&self, controller: u16) -> String {
        let (port, logs) = (self.port, self.folder.join("logs"));
        format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\ncontroller.listener.names=CONTROLLER\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\nlog.dirs={}\n\
             auto.create.topics.enable=false\noffsets.topic.replication.factor=1\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
             share.coordinator.state.topic.replication.factor=1\nshare.coordinator.state.topic.min.isr=1\n\
             group.initial.rebalance.delay.ms=0\n",
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
            match admin::create_topic(self.port, topic) {
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

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The connections that clients have to it, as the system counts them.
    pub(crate) fn connections(&self) -> std::io::Result<usize> {
        const ESTABLISHED: &str = "01";
        let port = format!(":{:04X}", self.port);
        let is_one = |line: &str| {
            let fields: Vec<_> = line.split_whitespace().collect();
            // Towards it: the client's end of each.
            fields.get(2).is_some_and(|remote| remote.ends_with(&port)) && fields.get(3) == Some(&ESTABLISHED)
        };
        let seen = |file| fs::read_to_string(file).unwrap_or_default().lines().filter(|line| is_one(line)).count();
        Ok(seen("/proc/self/net/tcp") + seen("/proc/self/net/tcp6"))
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
