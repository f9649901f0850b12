//! Any bytes as what a runtime does to a plugin, and when.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use landfall_lifecycle::{Clock, Shutdown, TaskSet, Terminate};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::request::METHODS;
use crate::adjust::Adjustment;
use crate::life::PLUGIN_SERVICE;
use crate::messages::{Container, PodSandbox};
use crate::resources::Resources;
use crate::stub::Stub;
use crate::testing::TestRuntime;
use crate::update::Update;
use crate::wire::{Code, Connection, Peer};

/// How many bytes a connection holds in each direction.
const PIPE_BYTES: usize = 16 << 10;
/// How many things an input may do.
const STEPS_MAX: usize = 200;
/// How many calls of the stub may be under way.
const CALLS_MAX: usize = 16;
/// Longer than every wait of a stub: on the paused clock it passes only when something hangs.
const LIMIT: Duration = Duration::from_secs(120);
/// How long a handler takes that does not listen.
const HANDLER_TAKES: Duration = Duration::from_millis(50);

/// Plays `data` as a runtime to a plugin, and as its user: requests, answers, raw bytes, silence, cuts, stops, updates and
/// starts. Whatever that is, what the plugin writes is sound, a new connection comes only when the old one is closed and
/// its handlers have gone, and afterwards the plugin starts, serves and ends on a runtime that behaves well, with nothing
/// left.
///
/// Needs a current-thread runtime with a paused clock, and `clock` to be that clock.
///
/// # Panics
///
/// If any of this is not so.
///
/// # Cancel safety
///
/// Dropping it drops the plugin.
pub async fn stub(data: &[u8], clock: &Clock) {
    let mut play = Play::new(clock.clone());
    let mut input = Input(data);
    play.start();
    for _ in 0..STEPS_MAX {
        let Some(step) = input.byte() else { break };
        play.step(step, &mut input).await;
        play.meet().await;
    }
    play.end().await;
}

/// What is left of the input.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// As many bytes as the next one says, or all that are left.
    fn some(&mut self) -> &'a [u8] {
        let bytes = usize::from(self.byte().unwrap_or_default()).min(self.0.len());
        let (some, rest) = self.0.split_at(bytes);
        self.0 = rest;
        some
    }

    /// One of these, as the next byte says.
    fn choose<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::from(self.byte().unwrap_or_default()) % of.len()]
    }
}

struct Play {
    stub: Stub,
    /// The calls of the stub, which go on beside what the runtime does.
    calls: TaskSet,
    /// Cleared when the runtime is to behave well.
    is_scripted: Arc<AtomicBool>,
    connections: mpsc::UnboundedReceiver<DuplexStream>,
    peer: Option<Peer>,
    well_behaved: TestRuntime,
    /// One more reference for each handler that is alive, and one for each of those that are registered.
    alive: Arc<()>,
    registered: usize,
    clock: Clock,
}

impl Play {
    fn new(clock: Clock) -> Self {
        let (give, connections) = mpsc::unbounded_channel();
        let (well_behaved, is_scripted, alive) = (TestRuntime::new(), Arc::new(AtomicBool::new(true)), Arc::new(()));
        let (dials_well, scripted) = (well_behaved.dialer(), Arc::clone(&is_scripted));
        let (waits, works) = (Arc::clone(&alive), Arc::clone(&alive));
        let builder = Stub::builder("fuzzed", 0)
            .clock(clock.clone())
            .on_create_container(async |_, _, container| Ok(Adjustment::new().env("ID", container.id)))
            .on_stop_container(async |_, _, it| Ok(vec![Update::new(it.id, Resources::new().cpu_shares(2))]))
            .on_run_pod_sandbox(move |cx, _| {
                let alive = Arc::clone(&waits);
                async move {
                    cx.token().cancelled().await;
                    drop(alive);
                    Ok(())
                }
            })
            .on_start_container(move |_, _, _| {
                let alive = Arc::clone(&works);
                async move {
                    sleep(HANDLER_TAKES).await;
                    drop(alive);
                    Ok(())
                }
            })
            .dialer(move || {
                if !scripted.load(Ordering::Relaxed) {
                    return dials_well();
                }
                let (ours, theirs) = duplex(PIPE_BYTES);
                let given = give.send(theirs).map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused));
                std::future::ready(given.map(|()| Connection::new(ours))).boxed()
            });
        let stub = builder.build().expect("it is sound");
        let (calls, registered) = (TaskSet::new("calls"), Arc::strong_count(&alive));
        Self { stub, calls, is_scripted, connections, peer: None, well_behaved, alive, registered, clock }
    }

    async fn step(&mut self, step: u8, input: &mut Input<'_>) {
        match step % 12 {
            0 => self.start(),
            1 => self.spawn(|stub| async move { drop(stub.stop().await) }.boxed()),
            2 => self.spawn(|stub| {
                let updates = [Update::new("c", Resources::new().pids_limit(7))];
                async move { drop(stub.update(updates).await) }.boxed()
            }),
            3 => {
                let times = [1, 60, 2_500, 11_000].map(Duration::from_millis);
                sleep(input.choose(&times)).await;
            }
            4 => self.peer = None,
            _ => {
                if let Some(mut peer) = self.peer.take() {
                    from_runtime(&mut peer, step, input).await;
                    self.peer = Some(peer);
                }
            }
        }
    }

    fn start(&self) {
        self.spawn(|stub| async move { drop(stub.start().await) }.boxed());
    }

    fn spawn(&self, call: impl FnOnce(Stub) -> futures_util::future::BoxFuture<'static, ()>) {
        if self.calls.len() < CALLS_MAX {
            self.calls.spawn("call", call(self.stub.clone())).expect("it is open");
        }
    }

    /// Lets the plugin do what it can, and takes over a new connection if it has opened one.
    async fn meet(&mut self) {
        sleep(Duration::from_micros(100)).await;
        while let Ok(connection) = self.connections.try_recv() {
            if let Some(mut old) = self.peer.replace(Peer::new(connection)) {
                assert!(!old.read().await, "the old connection is open beside the new one");
            }
            assert_eq!(Arc::strong_count(&self.alive), self.registered, "a handler outlived its connection");
        }
    }

    async fn end(mut self) {
        self.meet().await;
        self.is_scripted.store(false, Ordering::Relaxed);
        drop(self.peer);
        let now = Shutdown::within_on(self.clock.clone(), Duration::ZERO, Duration::ZERO);
        assert_eq!(soon("the calls", self.calls.terminate(&now)).await.expect("not of them").stragglers().count(), 0);
        soon("the end of the last generation", self.stub.wait()).await;
        assert_eq!(Arc::strong_count(&self.alive), self.registered, "a handler outlived its generation");
        soon("a start", self.stub.start()).await.expect("the runtime behaves well now");
        let plugin = soon("a synchronization", self.well_behaved.next_plugin()).await.expect("it behaves well");
        let asked = plugin.create_container(PodSandbox::default(), Container::default());
        assert!(soon("an answer", asked).await.is_ok(), "the plugin does not serve");
        let how = Shutdown::within_on(self.clock, Duration::from_secs(5), Duration::from_secs(6));
        let report = soon("the end", self.stub.terminate(&how)).await.expect("not its own task");
        assert!(report.is_clean(), "{report}");
        let report = soon("the end of the runtime", self.well_behaved.terminate(&now)).await.expect("not its own task");
        assert_eq!(report.stragglers().count(), 0, "{report}");
    }
}

/// What a runtime may do on a connection.
async fn from_runtime(peer: &mut Peer, step: u8, input: &mut Input<'_>) {
    match step % 12 {
        5 => peer.send(input.some()).await,
        6 => {
            let connection = u32::from(input.byte().unwrap_or_default() % 4);
            let announced = input.choose(&[0, 1, 10, 11, 255, 4_096, 4_194_314]);
            peer.send_frame(connection, announced, input.some()).await;
        }
        7 | 8 => {
            let (method, ..) = input.choose(METHODS);
            let limit = input.choose(&[0, 1, 40, 2_000].map(Duration::from_millis));
            peer.call(PLUGIN_SERVICE, method, input.some(), limit).await;
        }
        9 => peer.answer(Ok(input.some().to_vec())).await,
        10 => peer.answer(Err(Code(i32::from(input.byte().unwrap_or(2))))).await,
        _ => drop(peer.read().await),
    }
}

/// Fails instead of hanging.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(LIMIT, future).await.unwrap_or_else(|_| panic!("{what} hangs"))
}
