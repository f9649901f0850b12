//! The whole tree: clients, producers, consumers, started in this order and ended in reverse.

use std::borrow::Cow;
use std::sync::Arc;

use futures_util::future::{BoxFuture, join};
use landfall_lifecycle::{Report, SelfJoin, Shutdown, Terminate};
use landfall_supervise::backlog::BuildError;
use landfall_supervise::{ChildSpec, StartChildError, StartError, Supervisor, Tree};

use crate::client::{self, Directory, TopicError, supervisor_of};
use crate::consumer::{self, Consumer};
use crate::producer::{self, FlushBegin, Producer};
use crate::settings::{ConsumerSettings, ProducerSettings, Settings, SettingsError};

const CLIENTS: &str = "clients";
const PRODUCERS: &str = "producers";
const CONSUMERS: &str = "consumers";

/// A Kafka client as one tree.
///
/// ```text
/// kafka                          one-for-one
/// ├─ clients                     one-for-one
/// │  └─ client                   one-for-one: its connections and `metadata`
/// ├─ producers                   one-for-one
/// │  ├─ records topic-0          the backlog of a partition
/// │  └─ producer topic-0
/// └─ consumers                   one-for-one
///    └─ consumer topic-0
/// ```
///
/// It is [`Terminate`]: consumers end first, then producers, which send what they hold for at most
/// [`flush_max`](ProducerSettings::flush_max), then the connections. What was not sent is told to whoever waits for it.
#[derive(Clone, Debug)]
pub struct Kafka {
    root: Supervisor,
    directory: Arc<Directory>,
    settings: Arc<Settings>,
    flush_begin: Arc<FlushBegin>,
}

/// A client was not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KafkaError {
    /// A setting cannot be.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The tree did not start.
    #[error("the tree did not start")]
    Start(#[from] StartError),
}

/// A producer or a consumer was not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartitionError {
    /// A setting cannot be.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The backlog cannot be as it is set up.
    #[error(transparent)]
    Backlog(#[from] BuildError),
    /// The child was refused: there is one for that partition, or the client terminates.
    #[error("{topic}-{partition} cannot be worked on")]
    Child {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Why.
        source: StartChildError,
    },
    /// The client terminates.
    #[error("the client is terminating")]
    Terminating,
}

impl Kafka {
    /// Starts a client. It is up at once, brokers or not; connections are made from then on until there is one.
    ///
    /// # Errors
    ///
    /// [`KafkaError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it ends what has started.
    pub async fn start(settings: Settings) -> Result<Self, KafkaError> {
        settings.check()?;
        let (settings, directory) = (Arc::new(settings), Arc::new(Directory::default()));
        let clients = {
            let (directory, settings) = (Arc::clone(&directory), Arc::clone(&settings));
            move || {
                let (directory, of_client) = (Arc::clone(&directory), Arc::clone(&settings));
                let client = ChildSpec::supervisor("client", move || client::supervisor(&directory, &of_client));
                supervisor_of(CLIENTS, &settings).child(client)
            }
        };
        let empty = |name| {
            let settings = Arc::clone(&settings);
            ChildSpec::supervisor(name, move || supervisor_of(name, &settings))
        };
        let root = Supervisor::builder("kafka").clock(settings.clock.clone());
        let root = root.child(ChildSpec::supervisor(CLIENTS, clients)).child(empty(PRODUCERS)).child(empty(CONSUMERS));
        let root = root.start().await?;
        Ok(Self { root, directory, settings, flush_begin: Arc::default() })
    }

    /// Waits until the partitions of a topic are known.
    ///
    /// # Errors
    ///
    /// [`TopicError`]: the cluster says that there are none.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping it forgets the question.
    pub async fn partitions(&self, topic: &str) -> Result<Vec<i32>, TopicError> {
        self.directory.partitions(&topic.into()).await
    }

    /// Starts the producer of a partition, whether there is a broker or not.
    ///
    /// # Errors
    ///
    /// [`PartitionError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it may leave the producer in the tree, with nobody who sends; it ends with the tree.
    pub async fn producer(
        &self,
        topic: &str,
        partition: i32,
        settings: ProducerSettings,
    ) -> Result<Producer, PartitionError> {
        settings.check()?;
        let producers = self.root.supervisor(PRODUCERS).ok_or(PartitionError::Terminating)?;
        let topic: Arc<str> = topic.into();
        let of = (&self.settings, &self.directory, &self.flush_begin);
        let (producer, [records, worker]) = producer::made(&topic, partition, of, settings)?;
        // Both are asked for at once, and started in this order: whoever drops this leaves both or none.
        let (records, worker) = join(producers.start_child(records), producers.start_child(worker)).await;
        let failed = |source| PartitionError::Child { topic: topic.to_string(), partition, source };
        records.and(worker).map_err(failed)?;
        Ok(producer)
    }

    /// Starts the consumer of a partition, whether there is a broker or not.
    ///
    /// # Errors
    ///
    /// [`PartitionError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it ends the consumer.
    pub async fn consumer(
        &self,
        topic: &str,
        partition: i32,
        settings: ConsumerSettings,
    ) -> Result<Consumer, PartitionError> {
        settings.check(&self.settings)?;
        let consumers = self.root.supervisor(CONSUMERS).ok_or(PartitionError::Terminating)?;
        let topic: Arc<str> = topic.into();
        let (consumer, child) = consumer::made(&topic, partition, (&self.settings, &self.directory), settings);
        // One that is over, or whose reader has gone, makes room; one that runs is not deleted.
        drop(consumers.delete_child(child.info().id.clone()).await);
        let started = consumers.start_child(child).await;
        started.map_err(|source| PartitionError::Child { topic: topic.to_string(), partition, source })?;
        Ok(consumer)
    }

    /// The whole tree as it stands, with every worker and every connection.
    #[must_use]
    pub fn tree(&self) -> Tree {
        self.root.tree()
    }
}

impl Terminate for Kafka {
    fn name(&self) -> Cow<'_, str> {
        self.root.name()
    }

    fn begin_terminate(&self, how: &Shutdown) {
        self.root.begin_terminate(how);
    }

    fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        self.root.terminate(how)
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        self.root.ended()
    }

    fn report(&self) -> Option<Report> {
        self.root.report()
    }

    fn calling_task(&self) -> Option<String> {
        self.root.calling_task()
    }
}
