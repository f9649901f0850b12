//! A scripted cluster inside of the process: it speaks Kafka's bytes, and does what a test tells it.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::future::{BoxFuture, FutureExt};
use landfall_kafka::{Dial, Endpoint, Stream};
use landfall_lifecycle::{Clock, Shutdown, TaskSet, Terminate};
use tokio::io::duplex;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use crate::log::Log;
use crate::serve;

/// What a pipe holds between a client and a broker.
const PIPE_BYTES: usize = 64 * 1024;

/// A cluster. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Cluster(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    state: Mutex<State>,
    pub(crate) changed: Notify,
    tasks: TaskSet,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) brokers: BTreeMap<i32, Broker>,
    pub(crate) topics: BTreeMap<String, Vec<Partition>>,
    pub(crate) next_producer: i64,
    /// What was asked, by name.
    pub(crate) asked: BTreeMap<&'static str, usize>,
    pub(crate) dials: usize,
}

#[derive(Debug)]
pub(crate) struct Broker {
    mode: Mode,
    /// Which life of it connections belong to.
    life: watch::Sender<u64>,
}

/// What a broker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Up,
    Down,
    /// Connections are made, and nothing is answered.
    Hangs,
    /// Each connection is lost as soon as something is asked besides what is spoken.
    Flaps,
    /// It speaks what brokers spoke long ago.
    Old,
    /// It is no broker.
    Http,
}

#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) leader: i32,
    pub(crate) log: Log,
    /// What is said of the next batches, in place of writing them.
    pub(crate) refusals: VecDeque<i16>,
    /// Larger batches are refused.
    pub(crate) batch_bytes_max: usize,
    /// The next batch is written, and the connection is lost before that is said.
    pub(crate) loses_answer: bool,
}

impl Partition {
    /// An empty one, led by broker 1.
    pub(crate) fn new() -> Self {
        let (log, refusals) = (Log::default(), VecDeque::new());
        Self { leader: 1, log, refusals, batch_bytes_max: usize::MAX, loses_answer: false }
    }
}

impl Cluster {
    /// One with a topic of one partition, led by broker 1.
    pub(crate) fn new(brokers: i32) -> Self {
        let broker = || Broker { mode: Mode::Up, life: watch::Sender::new(0) };
        let state = State {
            brokers: (1..=brokers).map(|id| (id, broker())).collect(),
            topics: [(crate::harness::TOPIC.to_owned(), vec![Partition::new()])].into(),
            ..State::default()
        };
        Self(Arc::new(Inner { state: Mutex::new(state), changed: Notify::new(), tasks: TaskSet::new("cluster") }))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    pub(crate) fn endpoints(&self) -> Vec<Endpoint> {
        self.state().brokers.keys().map(|id| format!("broker-{id}:9092").parse().unwrap()).collect()
    }

    pub(crate) fn dial(&self) -> Arc<dyn Dial> {
        Arc::new(self.clone())
    }

    /// Ends all connections of a broker, and has it do something else from now on.
    pub(crate) fn set(&self, id: i32, mode: Mode) {
        let mut state = self.state();
        let broker = state.brokers.get_mut(&id).unwrap();
        broker.mode = mode;
        // One that hangs keeps its connections.
        if mode != Mode::Hangs {
            broker.life.send_modify(|life| *life += 1);
        }
        drop(state);
        self.0.changed.notify_waiters();
    }

    pub(crate) fn mode(&self, id: i32) -> Mode {
        self.state().brokers[&id].mode
    }

    pub(crate) fn partition<T>(&self, change: impl FnOnce(&mut Partition) -> T) -> T {
        let mut state = self.state();
        let changed = change(&mut state.topics.get_mut(crate::harness::TOPIC).expect("it is there")[0]);
        drop(state);
        self.0.changed.notify_waiters();
        changed
    }

    /// Waits until what a test looks for is so.
    pub(crate) async fn until(&self, is_so: impl Fn(&State) -> bool) {
        loop {
            let changed = self.0.changed.notified();
            if is_so(&self.state()) {
                return;
            }
            changed.await;
        }
    }

    pub(crate) fn asked(&self, api: &str) -> usize {
        self.state().asked.get(api).copied().unwrap_or_default()
    }

    pub(crate) async fn end(&self) {
        let clock = Clock::tokio(&Handle::current());
        let how = Shutdown::within_on(clock, std::time::Duration::ZERO, crate::harness::secs(1));
        drop(self.0.tasks.terminate(&how).await.unwrap());
    }
}

impl Dial for Cluster {
    fn dial(&self, endpoint: &Endpoint) -> BoxFuture<'static, io::Result<Box<dyn Stream>>> {
        let (cluster, host) = (self.clone(), endpoint.host.clone());
        async move {
            let id: i32 = host.strip_prefix("broker-").unwrap().parse().unwrap();
            let (ours, theirs) = duplex(PIPE_BYTES);
            let mut state = cluster.state();
            state.dials += 1;
            cluster.0.changed.notify_waiters();
            let broker = &state.brokers[&id];
            if broker.mode == Mode::Down {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let mut life = broker.life.subscribe();
            drop(state);
            let serving = cluster.clone();
            let served = async move {
                tokio::select! {
                    _ = life.changed() => {}
                    _ended = serve::connection(&serving, id, theirs) => {}
                }
            };
            cluster.0.tasks.spawn(format!("broker {id}"), served).map_err(io::Error::other)?;
            Ok(Box::new(ours) as Box<dyn Stream>)
        }
        .boxed()
    }
}
