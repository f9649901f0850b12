//! Consumers: one for each partition, with a bounded store in front of its reader.
//!
//! | what happens                          | the consumer                                                              |
//! |---------------------------------------|---------------------------------------------------------------------------|
//! | the connection is lost                | goes on at its offset, with whoever leads                                 |
//! | the broker refuses for now            | the same, after a pause that grows                                        |
//! | its reader is slow                    | asks for nothing more once the store is full                              |
//! | its offset is out of range            | fails, or begins anew, as [`OutOfRange`](crate::OutOfRange) says          |
//! | a batch is corrupt, or refused for good | gives what is before it, tells its reader, and ends                     |
//! | its reader goes                       | ends                                                                      |
//! | the worker panics                     | goes on at its offset, which the store keeps                              |

mod fetch;
mod store;
mod worker;

use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use landfall_supervise::{ChildSpec, RestartType};

use self::store::Store;
use self::worker::Worker;
use crate::batch::BatchError;
use crate::client::Directory;
use crate::message::Fetched;
use crate::settings::{ConsumerSettings, Settings};

/// Why a consumer ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumeError {
    /// The broker does not have that offset any more, or not yet.
    #[error("offset {offset} of {topic}-{partition} is out of range (out_of_range)")]
    OutOfRange {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset.
        offset: i64,
    },
    /// What the broker has there cannot be read.
    #[error("the batch at offset {offset} of {topic}-{partition} cannot be read")]
    Corrupt {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The first offset of the batch.
        offset: i64,
        /// Why.
        source: BatchError,
    },
    /// The broker refuses for good.
    #[error("the broker refuses to give {topic}-{partition}: {error}")]
    Refused {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Why.
        error: ResponseError,
    },
}

/// Reads one partition. Dropping it ends its worker. Made by [`Kafka::consumer`](crate::Kafka::consumer).
#[derive(Debug)]
pub struct Consumer(Arc<Store>);

impl Consumer {
    /// Waits for the next record; none once the consumer has ended and all that it had is given.
    ///
    /// What it had when the tree ended is given too; whoever does not ask for it any more reads it again next time.
    ///
    /// # Errors
    ///
    /// [`ConsumeError`], once; nothing comes after it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped wait takes nothing.
    pub async fn next(&mut self) -> Option<Result<Fetched, ConsumeError>> {
        self.0.next().await
    }

    /// How many records wait for the reader.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.waiting()
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// A consumer with its child.
pub(crate) fn made(
    topic: &Arc<str>,
    partition: i32,
    (settings, directory): (&Arc<Settings>, &Arc<Directory>),
    consumer: ConsumerSettings,
) -> (Consumer, ChildSpec) {
    let store = Arc::new(Store::new(&consumer));
    let worker = Worker {
        topic: Arc::clone(topic),
        partition,
        store: Arc::clone(&store),
        directory: Arc::clone(directory),
        settings: Arc::clone(settings),
        consumer,
    };
    // Its reader is told when it is over, also if it ends while it waits to be started again.
    let ended = store::EndOnDrop(Arc::clone(&store));
    let run = move |cx| {
        let _held = &ended;
        worker.clone().run(cx)
    };
    let restart = RestartType::Transient.delayed(settings.reconnect);
    (Consumer(store), ChildSpec::worker(format!("consumer {topic}-{partition}"), run).restart(restart))
}
