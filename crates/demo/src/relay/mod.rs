//! The relay as a whole: what it is made of, and in which order the parts end.

mod start_error;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioTimer;
use landfall_lifecycle::serving::{ServeOptions, Server};
use landfall_lifecycle::{Reason, SpawnError, Stack, TaskSet, TaskSetOptions};
use rustls::ClientConfig;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

pub use start_error::StartError;

use crate::backoff::Backoff;
use crate::chain::Chain;
use crate::client::{Client, tls_config};
use crate::config::Config;
use crate::delivery::Courier;
use crate::dispatch::{Dispatcher, RetryPolicy};
use crate::intake::{Intake, Parts};
use crate::load::Load;
use crate::random::Random;
use crate::sink::Sink;
use crate::status::{self, Tally, say};
use crate::storage::{Database, Limits, Place, Storage, TemporaryFolder};
use crate::target::{AllowList, AllowRule};

/// How long another process may hold the database file before the start fails.
const DATABASE_LOCK_WAIT: Duration = Duration::from_secs(2);

/// Abnormal ends that a report lists beside those of all deliveries.
const OUTCOMES_BESIDES: usize = 64;

/// A relay that is ready to start.
#[derive(Debug)]
pub struct Relay {
    config: Config,
    tls: Arc<ClientConfig>,
}

/// What asks for the end of the whole.
type EndRequest = Arc<dyn Fn(Reason) + Send + Sync>;

impl Relay {
    /// Reads what the start needs. Blocks this thread.
    ///
    /// # Errors
    ///
    /// [`StartError::Tls`] if there is something wrong with the file of `--tls-ca`.
    pub fn new(config: Config) -> Result<Self, StartError> {
        let tls = tls_config(config.delivery.tls_ca.as_deref())?;
        Ok(Self { config, tls })
    }

    /// Starts all parts on the current runtime, pushes them, and gives the address it listens on.
    ///
    /// They end in this order: what asks for the end, the sample load, the listener and the requests in flight, the
    /// dispatcher and its deliveries, what is left of their connections, the sink, the storage. `stop` is cancelled by
    /// the caller when the termination begins, for `/readyz`; `end` is called, if ever, when the relay ought to
    /// terminate.
    ///
    /// # Errors
    ///
    /// [`StartError`]; what was pushed until then is left to the termination of the stack.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves a part of the relay on the stack, which ends in order like a whole one.
    pub async fn start(
        self,
        stack: &Stack,
        stop: CancellationToken,
        end: impl Fn(Reason) + Send + Sync + 'static,
    ) -> Result<SocketAddr, StartError> {
        let tally = Arc::new(Tally::default());
        let storage = self.start_storage(stack).await?;
        let mut allowed = self.config.delivery.allow_targets.clone();
        let sink = if self.config.sample.no_sample { None } else { Some(self.start_sink(stack).await?) };
        allowed.extend(sink.map(AllowRule::address));
        let allowed = AllowList::new(allowed);
        self.start_dispatch(stack, storage.clone(), allowed.clone(), &tally)?;
        let intake = Parts {
            storage: storage.clone(),
            allowed,
            tally: Arc::clone(&tally),
            stop,
            places: Semaphore::new(size(self.config.intake.requests_max)),
            body_bytes_max: size(self.config.intake.body_bytes_max),
            body_timeout: self.config.intake.request_timeout,
        };
        let address = self.start_intake(stack, Intake::new(intake)).await?;
        say(&format!("listening on http://{address}"));
        if let Some(sink) = sink {
            self.start_sample(stack, storage.clone(), tally, address, sink)?;
        }
        self.start_watch(stack, storage, Arc::new(end))?;
        Ok(address)
    }

    async fn start_storage(&self, stack: &Stack) -> Result<Storage, StartError> {
        let config = &self.config.storage;
        // A delivery waits for one settlement at a time, and gives back once; the dispatcher asks for one lease.
        let dispatch_max = self.config.delivery.deliveries_max.saturating_mul(2).saturating_add(1);
        let (storage, worker) = Storage::new(config.queue_max, dispatch_max, config.commit_max);
        let limits = Limits {
            lock_wait: DATABASE_LOCK_WAIT,
            backlog_max: config.backlog_max,
            delivered_max: config.delivered_max,
            dead_max: config.dead_max,
        };
        let mut random = Random::new();
        let instance = format!("{:016x}{:016x}", random.next(), random.next());
        let kept = self.config.database.clone();
        let set = TaskSet::new("storage");
        stack.push(set.clone())?;
        let (opened, ready) = oneshot::channel();
        let thread = set.spawn_thread("storage", move |stop| {
            let place = match kept.map_or_else(temporary, |path| Ok(Place::Kept(path))) {
                Ok(place) => place,
                Err(error) => return drop(opened.send(Err(error))),
            };
            let database = match Database::open(&place.file(), instance, limits) {
                Ok(database) => database,
                Err(error) => return drop(opened.send(Err(error.into()))),
            };
            if opened.send(Ok(())).is_err() {
                tracing::debug!("nobody waits for the database any more");
            }
            if let Err(error) = worker.run(database, stop) {
                tracing::error!(error = %Chain(&error), "database not closed in order, but nothing is lost");
            }
            // The file is closed now, and a temporary one goes with `place`.
            drop(place);
        })?;
        // Nobody waits for the handle: the set owns the thread, and the end of its queue tells that it has ended.
        drop(thread);
        match ready.await {
            Ok(result) => result.map(|()| storage),
            Err(_) => Err(SpawnError::Closed { set: "storage".to_owned() }.into()),
        }
    }

    async fn start_sink(&self, stack: &Stack) -> Result<SocketAddr, StartError> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = Sink::listen().await.map_err(|source| StartError::Listen { address: any, source })?;
        let server = Server::start("sink", listener, Sink::default(), self.serve_options())?;
        let address = server.local_addr();
        stack.push(server)?;
        Ok(address)
    }

    fn start_dispatch(
        &self,
        stack: &Stack,
        storage: Storage,
        allowed: AllowList,
        tally: &Arc<Tally>,
    ) -> Result<(), StartError> {
        let config = &self.config.delivery;
        let mut options = TaskSetOptions::default();
        // If all deliveries hang, the report names all of them.
        options.outcomes_max = size(config.deliveries_max).saturating_add(OUTCOMES_BESIDES);
        let set = TaskSet::with_options("dispatch", options);
        // Not a child of the dispatcher's set: its connections would be aborted together with the deliveries then, and
        // a delivery that sees its connection break counts that as the target's failure.
        let connections = TaskSet::new("connections");
        stack.push(connections.clone())?;
        stack.push(set.clone())?;
        let client = Client::new(Arc::clone(&self.tls), connections.clone());
        let courier = Courier::new(client, allowed, config.attempt_timeout, connections);
        let backoff = Backoff { min: config.retry_min, max: config.retry_max };
        let policy = RetryPolicy { attempts_max: config.attempts_max, backoff };
        Dispatcher::start(&set, storage, courier, policy, config.deliveries_max, Arc::clone(tally))?;
        Ok(())
    }

    async fn start_intake(&self, stack: &Stack, intake: Intake) -> Result<SocketAddr, StartError> {
        let address = self.config.listen;
        let listener = TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
        let server = Server::start("http", listener, intake, self.serve_options())?;
        let address = server.local_addr();
        stack.push(server)?;
        Ok(address)
    }

    fn serve_options(&self) -> ServeOptions {
        let mut options = ServeOptions::with_timer(TokioTimer::new());
        options.connections_max = size(self.config.intake.connections_max);
        options.header_read_timeout = Some(self.config.intake.request_timeout);
        options
    }

    fn start_sample(
        &self,
        stack: &Stack,
        storage: Storage,
        tally: Arc<Tally>,
        relay: SocketAddr,
        sink: SocketAddr,
    ) -> Result<(), StartError> {
        let rate = self.config.sample.sample_rate;
        let set = TaskSet::new("sample");
        stack.push(set.clone())?;
        let connections = set.child("connections")?;
        let client = Client::new(Arc::clone(&self.tls), connections.clone());
        say(&format!("sample load: {rate} events a second for http://{sink}/sample (--no-sample starts without)"));
        Load { client, relay, sink, rate }.start(&set)?;
        status::start(&set, storage, tally)?;
        Ok(())
    }

    /// Starts what may ask for the end, and what holds the end up while load balancers look.
    fn start_watch(&self, stack: &Stack, storage: Storage, end: EndRequest) -> Result<(), StartError> {
        let set = TaskSet::new("watch");
        stack.push(set.clone())?;
        let (stop, failed) = (set.token(), Arc::clone(&end));
        let watch = async move {
            tokio::select! {
                // Stop first: then the storage ends because it was asked to.
                biased;
                () = stop.cancelled() => {}
                () = storage.closed() => failed(Reason::Failed("the storage has ended".into())),
            }
        };
        set.spawn("storage watch", watch)?;
        if let Some(after) = self.config.until {
            let stop = set.token();
            let until = async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(after) => end(Reason::Requested),
                }
            };
            set.spawn("until", until)?;
        }
        let unready_for = self.config.termination.unready_for;
        if !unready_for.is_zero() {
            let stop = set.token();
            let unready = async move {
                stop.cancelled().await;
                tokio::time::sleep(unready_for).await;
            };
            set.spawn("unready", unready)?;
        }
        Ok(())
    }
}

fn temporary() -> Result<Place, StartError> {
    let made = TemporaryFolder::new();
    made.map(Place::Temporary).map_err(|source| StartError::Temporary { folder: std::env::temp_dir(), source })
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
