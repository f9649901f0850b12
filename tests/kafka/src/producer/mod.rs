//! Producers: one for each partition, with a backlog in front.
//!
//! The backlog is the stable address; the worker takes from it, batches, sends to the partition's leader, and answers.
//!
//! | what happens                                    | the batches that are with the broker                           |
//! |-------------------------------------------------|----------------------------------------------------------------|
//! | acknowledged                                    | its records are answered with their offsets                    |
//! | the connection is lost                          | sent again in order to whoever leads; the broker knows them    |
//! | refused for now (no leader, too few replicas)   | the same, after a pause that grows                             |
//! | refused for good (too large, not allowed)       | its records are answered so; those behind it are sent again    |
//! | the broker does not know the sequence any more  | all are given up: `Unknown`; what comes later goes on          |
//! | the deadline of all of their records            | all are given up, and nothing of them is sent again            |
//! | the worker panics                               | put back in the backlog, and sent once more: may be there twice|
//!
//! What is sent again keeps its numbers, so that the broker writes it once (Kafka: the idempotent producer). That is
//! why a batch stays with the worker until its fate is known, and why at most five are with the broker.

mod request;
mod window;
mod worker;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use landfall_supervise::backlog::{Address, Backlog, BacklogStats, BuildError, Limits, PutError, Reply};
use landfall_supervise::{ChildSpec, RestartType};
use tokio::time::Instant;

use self::worker::Worker;
use crate::client::Directory;
use crate::message::Message;
use crate::settings::{ProducerSettings, Settings};

/// How much longer than its flush a producer gets to stop before it is aborted.
const STOP_MARGIN: Duration = Duration::from_secs(1);

/// What comes of a record that was not lost: its offset, or why the broker refused it.
pub type Sent = Result<i64, Refused>;

/// The broker refused a record for good. It was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the broker refused it for {topic}-{partition}: {error}")]
#[non_exhaustive]
pub struct Refused {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Why.
    pub error: ResponseError,
}

/// A message was not taken in; it is in here, or in the source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// It is larger than a batch may be.
    #[error("the message has {bytes} bytes, and {bytes_max} (batch_bytes_max) may be sent at once")]
    TooLarge {
        /// The message.
        message: Message,
        /// Its bytes, with what the protocol adds.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// The backlog did not take it in.
    #[error(transparent)]
    NotTaken(Box<PutError<Message>>),
}

/// Sends to one partition. Clones send to the same one. Made by [`Kafka::producer`](crate::Kafka::producer).
#[derive(Clone, Debug)]
pub struct Producer {
    address: Address<Message, Sent>,
    backlog: Backlog<Message, Sent>,
    batch_bytes_max: usize,
}

impl Producer {
    /// Takes a message in, for at most the backlog's
    /// [`request_timeout`](landfall_supervise::backlog::Limits::request_timeout). It never waits, and what is taken in
    /// first is sent first.
    ///
    /// The reply tells what came of it: an offset, a refusal, or why there is no answer
    /// ([`Unanswered`](landfall_supervise::backlog::Unanswered)); of these `Unknown` alone may have been written.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the message.
    pub fn send(&self, message: Message) -> Result<Reply<Message, Sent>, SendError> {
        self.check(message).and_then(|message| self.address.put(message).map_err(not_taken))
    }

    /// As [`send`](Self::send), for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the message.
    pub fn send_within(&self, message: Message, timeout: Duration) -> Result<Reply<Message, Sent>, SendError> {
        self.check(message).and_then(|message| self.address.put_within(message, timeout).map_err(not_taken))
    }

    fn check(&self, message: Message) -> Result<Message, SendError> {
        let (bytes, bytes_max) = (message.bytes(), self.batch_bytes_max);
        if bytes > bytes_max { Err(SendError::TooLarge { message, bytes, bytes_max }) } else { Ok(message) }
    }

    /// What it holds, and what has come of all messages so far.
    #[must_use]
    pub fn stats(&self) -> BacklogStats {
        self.backlog.stats()
    }
}

fn not_taken(error: PutError<Message>) -> SendError {
    SendError::NotTaken(Box::new(error))
}

/// When the first producer was ended: the times of all count from then, so that they do not add up.
#[derive(Debug, Default)]
pub(crate) struct FlushBegin(OnceLock<Instant>);

impl FlushBegin {
    /// Until when a producer that is ended now may go on sending.
    fn end(&self, flush_max: Duration) -> Instant {
        *self.0.get_or_init(Instant::now) + flush_max
    }
}

/// A producer with its two children: the backlog, and the worker that is ended before it.
pub(crate) fn made(
    topic: &Arc<str>,
    partition: i32,
    (settings, directory, flush_begin): (&Arc<Settings>, &Arc<Directory>, &Arc<FlushBegin>),
    producer: ProducerSettings,
) -> Result<(Producer, [ChildSpec; 2]), BuildError> {
    let name = format!("records {topic}-{partition}");
    let limits: Limits = producer.backlog.clone();
    let backlog = Backlog::builder(name.clone()).limits(limits).bytes(Message::bytes).build()?;
    let handle =
        Producer { address: backlog.address(), backlog: backlog.clone(), batch_bytes_max: producer.batch_bytes_max };
    let stop_max = producer.flush_max + STOP_MARGIN;
    let worker = Worker {
        topic: Arc::clone(topic),
        partition,
        backlog: backlog.clone(),
        directory: Arc::clone(directory),
        settings: Arc::clone(settings),
        producer,
        flush_begin: Arc::clone(flush_begin),
    };
    let run = move |cx| worker.clone().run(cx);
    let restart = RestartType::Transient.delayed(settings.reconnect);
    let worker = ChildSpec::worker(format!("producer {topic}-{partition}"), run).restart(restart).shutdown(stop_max);
    Ok((handle, [ChildSpec::instance(name, backlog), worker]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flush_has_its_own_time_and_they_do_not_add_up() {
        let flush = FlushBegin::default();
        let short = flush.end(Duration::from_secs(1));
        assert_eq!(flush.end(Duration::from_secs(5)) - short, Duration::from_secs(4));
        assert_eq!(flush.end(Duration::from_secs(1)), short);
    }
}
