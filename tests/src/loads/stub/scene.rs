//! A runtime that listens on a socket, a plugin that connects to it, and what becomes of one connection.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use landfall_lifecycle::{Report, Stack, TaskSet};
use landfall_stub::messages::{Container, Event, PodSandbox};
use landfall_stub::testing::{Direction, Fault, FaultKind, Script, TestPlugin, TestRuntime};
use landfall_stub::{Adjustment, BoxError, HandlerCx, Stub, StubBuilder};
use tokio::net::UnixListener;

use super::journal::{Alive, Journal};
use crate::observed::{BodyError, Course};
use crate::random::Random;

/// The handler that waits until its generation ends.
pub(super) const WAITING: &str = "RunPodSandbox";

type Waits = (fn(StubBuilder, Journal) -> StubBuilder, &'static str);

/// On one line with its place.
pub(super) const WAITS: Waits =
    (|it, j| it.on_run_pod_sandbox(move |cx, _| wait(cx, j.begin())), concat!(file!(), ":", line!()));

/// A connection that is cut is cut within so many bytes: in its handshake, or in the requests after it.
const CUT_WITHIN: u64 = 700;
const LOOK_EVERY: Duration = Duration::from_micros(200);

async fn wait(cx: HandlerCx, _alive: Alive) -> Result<(), BoxError> {
    cx.token().cancelled().await;
    Ok(())
}

pub(super) struct Scene {
    stub: Stub,
    runtime: TestRuntime,
    listener: TaskSet,
    /// Requests whose answers nobody waits for.
    requests: TaskSet,
    journal: Journal,
    socket: PathBuf,
}

impl Scene {
    pub(super) fn new(course: &Course) -> Result<Self, BodyError> {
        let socket = std::env::temp_dir().join("nri.sock");
        let (runtime, journal) = (TestRuntime::new(), Journal::default());
        let listener = course.told(TaskSet::new("listener"));
        let (accepts, serves) = (UnixListener::bind(&socket)?, runtime.clone());
        listener.spawn("heedless accept", async move {
            while let Ok((plugin, _)) = accepts.accept().await {
                if serves.serve(plugin).is_err() {
                    return;
                }
            }
        })?;
        let builder = Stub::builder("logger", 10)
            .on_create_container(async |_, _, _| Ok(Adjustment::new().env("SEEN", "1")))
            .socket_path(&socket);
        let stub = WAITS.0(builder, journal.clone()).build()?;
        let requests = course.told(TaskSet::new("requests"));
        Ok(Self { stub, runtime, listener, requests, journal, socket })
    }

    pub(super) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// A generation, from its start until nothing of it is left.
    pub(super) async fn generation(&self, random: &mut Random) -> Result<(), BodyError> {
        let end = random.within(0..3);
        let is_cut = end == 0;
        if is_cut {
            self.runtime.expect(cut(random));
        }
        match self.stub.start().await {
            Ok(_) => {}
            // The cut came in the midst of the handshake.
            Err(_) if is_cut => {
                self.journal.gone(WAITING, WAITS.1);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        let served = tokio::select! {
            biased;
            plugin = self.serve(random) => Some(plugin?),
            _ = self.stub.wait() => None,
        };
        match served {
            Some(plugin) if end == 1 => plugin.close(),
            _ => drop(self.stub.stop().await?),
        }
        self.stub.wait().await;
        self.journal.gone(WAITING, WAITS.1);
        Ok(())
    }

    /// One that is left to serve, with handlers under way.
    pub(super) async fn last_generation(&self, random: &mut Random) -> Result<(), BodyError> {
        self.stub.start().await?;
        self.serve(random).await?;
        Ok(())
    }

    /// Has requests answered, and others begun.
    async fn serve(&self, random: &mut Random) -> Result<TestPlugin, BodyError> {
        let plugin = loop {
            // What has become of a connection that was cut before may be told only now.
            let Ok(plugin) = self.runtime.next_plugin().await else { continue };
            if plugin.create_container(PodSandbox::default(), Container::default()).await.is_ok() {
                break plugin;
            }
        };
        let before = self.journal.alive();
        let waiting = usize::try_from(random.within(0..4))?;
        for _ in 0..waiting {
            let plugin = plugin.clone();
            self.requests.spawn("request", async move {
                drop(plugin.pod_event(Event::RunPodSandbox, PodSandbox::default()).await);
            })?;
        }
        while self.journal.alive() < before + waiting {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(plugin)
    }

    /// Terminates the plugin, then what it was connected to.
    pub(super) async fn end(self, course: &Course) -> Result<Report, BodyError> {
        let stack = Stack::new("stack");
        stack.push(self.listener)?;
        stack.push(self.runtime)?;
        stack.push(self.requests)?;
        stack.push(self.stub)?;
        let report = course.end(&stack).await;
        fs::remove_file(&self.socket)?;
        report
    }
}

fn cut(random: &mut Random) -> Script {
    let direction = if random.within(0..2) == 0 { Direction::ToPlugin } else { Direction::ToRuntime };
    let after_bytes = random.within(0..CUT_WITHIN) as usize;
    let mut script = Script::default();
    script.fault = Some(Fault { kind: FaultKind::Cut, direction, after_bytes });
    script
}
