//! The worker of a consumer: asks the leader for batches and stores what they hold.

use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use landfall_supervise::ChildCx;
use tokio::time::sleep;

use super::ConsumeError;
use super::fetch::{FetchError, batches, offset};
use super::store::Store;
use crate::batch::{Batches, decode};
use crate::client::{Directory, Want};
use crate::connection::{CallError, Lane, Link};
use crate::retry::Retry;
use crate::settings::{Begin, ConsumerSettings, OutOfRange, Settings};

#[derive(Clone)]
pub(super) struct Worker {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) store: Arc<Store>,
    pub(super) directory: Arc<Directory>,
    pub(super) settings: Arc<Settings>,
    pub(super) consumer: ConsumerSettings,
}

impl Worker {
    /// Runs until it is stopped, its reader goes, or it fails. It holds nothing that others wait for: it is stopped
    /// wherever it is.
    pub(super) async fn run(self, cx: ChildCx) {
        let stop = cx.token();
        tokio::select! {
            // Stop first: no record may be stored after it.
            biased;
            () = stop.cancelled() => {}
            () = self.store.left() => {}
            () = self.work() => {}
        }
        self.store.finish();
    }

    async fn work(&self) {
        let lane = Lane::Consumer { topic: Arc::clone(&self.topic), partition: self.partition };
        let want = self.directory.want_leader(&self.topic, self.partition, lane);
        let mut retry = Retry::new(&self.settings);
        while self.store.has_room().await {
            let link = self.directory.leader_up(&want).await;
            let error = match self.step(&link).await {
                Ok(()) => {
                    retry.reset();
                    continue;
                }
                Err(error) => error,
            };
            match self.policy(error, &want, &link) {
                Ok(()) => sleep(retry.pause()).await,
                Err(error) => return self.store.fail(error),
            }
        }
    }

    /// Asks once.
    async fn step(&self, link: &Link) -> Result<(), FetchError> {
        let of = (&self.topic, self.partition);
        let Some(from) = self.store.next_offset() else {
            let begin = offset(link, of, self.begin()).await?;
            self.store.fill(Vec::new(), begin);
            return Ok(());
        };
        let Batches { records, next, corrupt } =
            decode(batches(link, of, from, (&self.consumer, &self.settings)).await?, from);
        self.store.fill(records, next);
        if let Some((offset, source)) = corrupt {
            let (topic, partition) = (self.topic.to_string(), self.partition);
            self.store.fail(ConsumeError::Corrupt { topic, partition, offset, source });
        }
        Ok(())
    }

    /// What follows from an error: it is tried again, or it is the end.
    fn policy(&self, error: FetchError, want: &Want, link: &Link) -> Result<(), ConsumeError> {
        tracing::debug!(%error, topic = &**want.topic(), partition = self.partition, "nothing was read");
        let FetchError::Broker(error) = error else {
            if let FetchError::Call(error @ CallError::Answer { .. }) = error {
                tracing::warn!(%error, "asked again");
            }
            return Ok(());
        };
        let (topic, partition) = (self.topic.to_string(), self.partition);
        match error {
            ResponseError::OffsetOutOfRange => {
                let offset = self.store.next_offset().unwrap_or_default();
                match self.consumer.out_of_range {
                    OutOfRange::Fail => return Err(ConsumeError::OutOfRange { topic, partition, offset }),
                    OutOfRange::Earliest | OutOfRange::Latest => {
                        tracing::warn!(topic, partition, offset, "out of range: begins anew");
                        self.store.lose_offset();
                    }
                }
            }
            ResponseError::TopicAuthorizationFailed
            | ResponseError::ClusterAuthorizationFailed
            | ResponseError::InvalidTopicException
            | ResponseError::UnsupportedVersion
            | ResponseError::InvalidRequest => return Err(ConsumeError::Refused { topic, partition, error }),
            ResponseError::NotLeaderOrFollower
            | ResponseError::LeaderNotAvailable
            | ResponseError::FencedLeaderEpoch
            | ResponseError::ReplicaNotAvailable
            | ResponseError::UnknownTopicOrPartition => self.directory.forget_leader(want, link),
            // Whatever else it is, the offset is kept, and nothing is lost by asking again.
            _ => {}
        }
        Ok(())
    }

    /// Where to begin: as told at first, as the policy says once an offset was out of range.
    fn begin(&self) -> Begin {
        match (self.store.was_out_of_range(), self.consumer.out_of_range) {
            (true, OutOfRange::Earliest) => Begin::Earliest,
            (true, OutOfRange::Latest) => Begin::Latest,
            (true, OutOfRange::Fail) | (false, _) => self.consumer.begin,
        }
    }
}
