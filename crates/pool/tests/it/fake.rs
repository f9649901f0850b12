//! A network of fakes: the test says when a backend accepts, refuses, hangs or panics, and counts what is alive.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::future::BoxFuture;
use landfall_pool::{Backend, BoxError, ConnectCx, Connected, Connector, Fitness, Moment, Spawner};
use tokio::sync::Notify;

/// How a backend, or one of the connector's hooks, behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    #[default]
    Works,
    Fails,
    Hangs,
    Panics,
}

/// The n-th backend.
pub(crate) fn backend(number: u16) -> Backend {
    SocketAddr::from(([127, 0, 0, 1], 10_000 + number)).into()
}

#[derive(Default)]
struct State {
    backends: HashMap<SocketAddr, Mode>,
    hooks: HashMap<&'static str, Mode>,
    calls: HashMap<&'static str, usize>,
    prepares: bool,
    breaks: bool,
    recycles: bool,
    /// Attempts at these are never answered, even if the backend works later.
    swallows: HashSet<SocketAddr>,
    /// What the next connection has for a driver.
    driver: Option<BoxFuture<'static, ()>>,
    alive: HashMap<SocketAddr, usize>,
    alive_max: usize,
    made: usize,
    interrupted: Vec<usize>,
}

/// The test's side.
#[derive(Clone, Default)]
pub(crate) struct Net {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

pub(crate) struct Fake(Net);

/// A connection; it knows whether two hold it at once.
pub(crate) struct Conn {
    net: Net,
    address: SocketAddr,
    pub(crate) number: usize,
    pub(crate) is_broken: bool,
}

impl Net {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn connector(&self) -> Fake {
        Fake(self.clone())
    }

    pub(crate) fn set(&self, number: u16, mode: Mode) {
        let address = backend(number).address;
        let mut state = self.state();
        state.backends.insert(address, mode);
        state.swallows.remove(&address);
        drop(state);
        self.changed.notify_waiters();
    }

    /// Makes a black hole of a backend, until it is set to something.
    pub(crate) fn swallow(&self, number: u16) {
        self.state().swallows.insert(backend(number).address);
    }

    /// Says how `is_valid`, `on_claim`, `on_recycle` or `close` behaves.
    pub(crate) fn set_hook(&self, hook: &'static str, mode: Mode) {
        self.state().hooks.insert(hook, mode);
        self.changed.notify_waiters();
    }

    pub(crate) fn prepare_claims(&self) {
        self.state().prepares = true;
    }

    /// Says whether what is idle is found to be broken when it is claimed.
    pub(crate) fn break_idle(&self, breaks: bool) {
        self.state().breaks = breaks;
    }

    pub(crate) fn recycle_releases(&self, recycles: bool) {
        self.state().recycles = recycles;
    }

    pub(crate) fn drive_with(&self, driver: impl Future<Output = ()> + Send + 'static) {
        self.state().driver = Some(Box::pin(driver));
    }

    pub(crate) fn alive(&self) -> usize {
        self.state().alive.values().sum()
    }

    pub(crate) fn alive_at(&self, number: u16) -> usize {
        self.state().alive.get(&backend(number).address).copied().unwrap_or_default()
    }

    pub(crate) fn alive_max(&self) -> usize {
        self.state().alive_max
    }

    pub(crate) fn made(&self) -> usize {
        self.state().made
    }

    pub(crate) fn calls(&self, hook: &str) -> usize {
        self.state().calls.get(hook).copied().unwrap_or_default()
    }

    pub(crate) fn interrupted(&self) -> Vec<usize> {
        self.state().interrupted.clone()
    }

    async fn hook(&self, hook: &'static str) -> Result<(), BoxError> {
        *self.state().calls.entry(hook).or_default() += 1;
        let mode = || self.state().hooks.get(hook).copied().unwrap_or_default();
        self.act(mode).await
    }

    async fn act(&self, mode: impl Fn() -> Mode) -> Result<(), BoxError> {
        loop {
            let changed = self.changed.notified();
            match mode() {
                Mode::Works => return Ok(()),
                Mode::Fails => return Err("planned".into()),
                Mode::Panics => panic!("planned"),
                Mode::Hangs => changed.await,
            }
        }
    }
}

impl Connector for Fake {
    type Connection = Conn;

    async fn connect(&self, backend: &Backend, cx: &ConnectCx) -> Result<Connected<Conn>, BoxError> {
        let (net, address) = (&self.0, backend.address);
        *net.state().calls.entry("connect").or_default() += 1;
        tokio::task::yield_now().await;
        let is_swallowed = net.state().swallows.contains(&address);
        if is_swallowed {
            std::future::pending::<()>().await;
        }
        net.act(|| net.state().backends.get(&address).copied().unwrap_or_default()).await?;
        let number = {
            let mut state = net.state();
            *state.alive.entry(address).or_default() += 1;
            state.alive_max = state.alive_max.max(state.alive.values().sum());
            state.made += 1;
            state.made
        };
        let driver = net.state().driver.take();
        if let Some(driver) = driver {
            cx.spawner().spawn("driver", driver)?;
        }
        let interrupts = net.clone();
        let interrupt = move |_: &Spawner| interrupts.state().interrupted.push(number);
        Ok(Connected::from(Conn { net: net.clone(), address, number, is_broken: false }).with_interrupt(interrupt))
    }

    fn fitness(&self, connection: &mut Conn, at: Moment) -> Fitness {
        let state = self.0.state();
        match at {
            _ if connection.is_broken => Fitness::Broken,
            Moment::Claim if state.breaks => Fitness::Broken,
            Moment::Claim if state.prepares => Fitness::Prepare,
            Moment::Release if state.recycles => Fitness::Prepare,
            _ => Fitness::Fit,
        }
    }

    async fn is_valid(&self, _: &mut Conn) -> Result<(), BoxError> {
        self.0.hook("is_valid").await
    }

    async fn on_claim(&self, _: &mut Conn) -> Result<(), BoxError> {
        self.0.hook("on_claim").await
    }

    async fn on_recycle(&self, _: &mut Conn) -> Result<(), BoxError> {
        self.0.hook("on_recycle").await
    }

    async fn close(&self, connection: Conn) {
        // What fails here is dropped all the same.
        let _closed = self.0.hook("close").await;
        drop(connection);
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        *self.net.state().alive.get_mut(&self.address).unwrap() -= 1;
    }
}
