//! The runtime of a test: it accepts plugins, and behaves on each connection as its script says.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use landfall_lifecycle::{Report, SelfJoin, Shutdown, TaskSet, Terminate};
use prost::Message;
use tokio::io::duplex;
use tokio::sync::{Mutex as AsyncMutex, RwLock, mpsc};

use super::fault::{Counted, Direction, FaultyIo};
use super::plugin::{RequestError, Requests, TestPlugin};
use super::script::{ConfigureWhen, Registration, Script};
use crate::handlers::decode;
use crate::messages::{
    ContainerUpdate, Malformed, RegisterPluginRequest, SynchronizeResponse, UpdateContainersRequest,
    UpdateContainersResponse,
};
use crate::wire::{Code, Connection, Limits, Request, Role, Service, Status, WeakWire, Wire};

/// How many bytes a connection holds in each direction.
const PIPE_BYTES: usize = 256 << 10;
/// How many plugins may wait to be asked for by [`TestRuntime::next_plugin`].
const PLUGINS_MAX: usize = 64;

/// A runtime inside of the process.
///
/// Give its [`dialer`](Self::dialer) to the stub that is tested. It accepts, configures and synchronizes plugins by
/// itself, and sends what the test asks for. It makes no unsolicited update while a request is under way, as runtimes.
#[derive(Clone)]
pub struct TestRuntime(Arc<Shared>);

struct Shared {
    tasks: TaskSet,
    connections: AtomicUsize,
    /// One more reference for each connection that is open.
    open: Arc<()>,
    scripts: Mutex<VecDeque<Script>>,
    counted: Mutex<Arc<Counted>>,
    updates: Mutex<Vec<ContainerUpdate>>,
    ready: mpsc::Sender<Result<TestPlugin, RequestError>>,
    plugins: AsyncMutex<mpsc::Receiver<Result<TestPlugin, RequestError>>>,
}

impl TestRuntime {
    /// A runtime that behaves well.
    #[must_use]
    pub fn new() -> Self {
        let (ready, plugins) = mpsc::channel(PLUGINS_MAX);
        Self(Arc::new(Shared {
            tasks: TaskSet::new("test runtime"),
            connections: AtomicUsize::new(0),
            open: Arc::default(),
            scripts: Mutex::default(),
            counted: Mutex::default(),
            updates: Mutex::default(),
            ready,
            plugins: AsyncMutex::new(plugins),
        }))
    }

    /// Behaves on the next connection that has no script yet as `script` says; without one it behaves well.
    pub fn expect(&self, script: Script) {
        lock(&self.0.scripts).push_back(script);
    }

    /// What connects a stub to this runtime: for [`StubBuilder::dialer`](crate::StubBuilder::dialer).
    ///
    /// # Cancel safety
    ///
    /// The future that it gives connects at its first poll or not at all.
    pub fn dialer(&self) -> impl Fn() -> BoxFuture<'static, io::Result<Connection>> + Send + Sync + use<> {
        let runtime = self.clone();
        move || {
            let runtime = runtime.clone();
            async move { runtime.accept() }.boxed()
        }
    }

    /// Waits for the next plugin that has been configured and synchronized.
    ///
    /// # Errors
    ///
    /// The [`RequestError`] of the configuration or synchronization, if that failed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no plugin is lost.
    pub async fn next_plugin(&self) -> Result<TestPlugin, RequestError> {
        let next = self.0.plugins.lock().await.recv().await;
        next.unwrap_or_else(|| Err(RequestError::failed("the runtime has gone")))
    }

    /// How many connections there have been.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.0.connections.load(Ordering::Relaxed)
    }

    /// How many of them are open.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        // One reference is the runtime's own.
        Arc::strong_count(&self.0.open) - 1
    }

    /// How many bytes went this way on the last connection.
    #[must_use]
    pub fn bytes(&self, direction: Direction) -> usize {
        lock(&self.0.counted).bytes(direction)
    }

    /// The unsolicited updates that were made so far.
    #[must_use]
    pub fn updates(&self) -> Vec<ContainerUpdate> {
        lock(&self.0.updates).clone()
    }

    fn accept(&self) -> io::Result<Connection> {
        let shared = &self.0;
        let script = lock(&shared.scripts).pop_front().unwrap_or_default();
        let number = shared.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let counted = Arc::<Counted>::default();
        *lock(&shared.counted) = Arc::clone(&counted);
        let (ours, theirs) = duplex(PIPE_BYTES);
        let ours = Connection::new(FaultyIo::new(ours, script.fault, counted, Arc::clone(&shared.open)));
        let open = || {
            let tasks = shared.tasks.child(format!("connection {number}")).ok()?;
            let end = Arc::new(End {
                runtime: Arc::downgrade(shared),
                limit: script.request_timeout,
                script,
                wire: OnceLock::new(),
                busy: Arc::default(),
                tasks: tasks.clone(),
            });
            let limits = Limits {
                calls_max: 128,
                handlers_max: 128,
                received_bytes_max: 64 << 20,
                decoded_bytes_max: usize::MAX,
                write_timeout: Duration::from_secs(60),
            };
            let service: Arc<dyn Service> = Arc::clone(&end) as _;
            let wire = Wire::open(&tasks, &tasks, ours, Role::Runtime, service, &limits).ok()?;
            end.wire.set(wire.downgrade()).ok()
        };
        // A runtime that has ended does not listen any more.
        open().ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        Ok(Connection::new(theirs))
    }
}

impl Default for TestRuntime {
    fn default() -> Self {
        Self::new()
    }
}

/// What a runtime serves on one connection.
struct End {
    runtime: std::sync::Weak<Shared>,
    script: Script,
    limit: Duration,
    wire: OnceLock<WeakWire>,
    busy: Arc<RwLock<()>>,
    tasks: TaskSet,
}

impl End {
    async fn answer(self: Arc<Self>, request: Request) -> Result<Vec<u8>, Status> {
        match request.method.as_str() {
            "RegisterPlugin" => self.register(decode(request.payload)?).await,
            "UpdateContainers" => self.update(decode(request.payload)?).await,
            method => Err(Status::new(Code::UNIMPLEMENTED, format!("no method {method:?}"))),
        }
    }

    async fn register(self: Arc<Self>, registered: RegisterPluginRequest) -> Result<Vec<u8>, Status> {
        match &self.script.registration {
            Registration::Accept => {}
            Registration::Refuse(why) => return Err(Status::new(Code::UNKNOWN, why.clone())),
            Registration::Ignore => return std::future::pending().await,
        }
        match self.script.configure {
            ConfigureWhen::Never => {}
            ConfigureWhen::BeforeAnswer => self.set_up(registered).await,
            ConfigureWhen::AfterAnswer => {
                let end = Arc::clone(&self);
                // Refused only when the runtime ends.
                drop(self.tasks.spawn("set-up", async move { end.set_up(registered).await }));
            }
        }
        Ok(Vec::new())
    }

    /// Configures and synchronizes, and hands the plugin to the test.
    async fn set_up(&self, registered: RegisterPluginRequest) {
        let Some(requests) = self.requests() else { return };
        let set_up = async {
            let configured = requests.configure(&self.script.configuration).await?;
            let (pods, containers) = (self.script.pods.clone(), self.script.containers.clone());
            let synchronized: SynchronizeResponse = requests.synchronize(pods, containers).await?;
            Ok(TestPlugin { registered, configured, synchronized, requests: requests.clone() })
        };
        let plugin: Result<TestPlugin, RequestError> = set_up.await;
        if plugin.is_err() {
            // As runtimes do with a plugin that cannot be configured or synchronized.
            requests.wire.close();
        }
        if let Some(runtime) = self.runtime.upgrade() {
            // A test that never asks for its plugins loses some.
            drop(runtime.ready.try_send(plugin));
        }
    }

    fn requests(&self) -> Option<Requests> {
        let wire = self.wire.get()?.upgrade()?;
        Some(Requests { wire, limit: self.limit, busy: Arc::clone(&self.busy) })
    }

    async fn update(&self, request: UpdateContainersRequest) -> Result<Vec<u8>, Status> {
        if !self.script.updates_answered {
            return std::future::pending().await;
        }
        let _idle = self.busy.write().await;
        if let Some(runtime) = self.runtime.upgrade() {
            lock(&runtime.updates).extend(request.update);
        }
        Ok(UpdateContainersResponse::default().encode_to_vec())
    }
}

impl Service for End {
    fn call(self: Arc<Self>, request: Request) -> BoxFuture<'static, Result<Vec<u8>, Status>> {
        self.answer(request).boxed()
    }

    /// The plugin that is tested is no peer to beware of.
    fn weigh(&self, _: &str, argument: &[u8]) -> Result<usize, Malformed> {
        Ok(argument.len())
    }
}

impl Terminate for TestRuntime {
    fn name(&self) -> Cow<'_, str> {
        self.0.tasks.name().into()
    }

    fn begin_terminate(&self, how: &Shutdown) {
        self.0.tasks.begin_terminate(how);
    }

    fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        self.0.tasks.terminate(how)
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        self.0.tasks.ended()
    }

    fn report(&self) -> Option<Report> {
        Some(self.0.tasks.report())
    }

    fn calling_task(&self) -> Option<String> {
        self.0.tasks.calling_task()
    }
}

impl fmt::Debug for TestRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestRuntime").field("connections", &self.connections()).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
