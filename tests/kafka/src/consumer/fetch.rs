//! What a consumer asks a broker.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::{ParseResponseErrorCode, ResponseError};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest, ListOffsetsRequest, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::connection::{CallError, Link};
use crate::settings::{Begin, ConsumerSettings, Settings};

/// No replica, but a client.
const CLIENT: BrokerId = BrokerId(-1);
const READ_COMMITTED: i8 = 1;
const EARLIEST: i64 = -2;
const LATEST: i64 = -1;
const NO_EPOCH: i32 = -1;

/// Why there are no records.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the broker says {0}")]
    Broker(ResponseError),
    #[error("the answer says nothing of the partition")]
    Nothing,
}

/// Asks where to begin.
pub(super) async fn offset(link: &Link, (topic, partition): (&Arc<str>, i32), begin: Begin) -> Result<i64, FetchError> {
    let timestamp = match begin {
        Begin::At(offset) => return Ok(offset),
        Begin::Earliest => EARLIEST,
        Begin::Latest => LATEST,
    };
    let asked = ListOffsetsPartition::default()
        .with_partition_index(partition)
        .with_current_leader_epoch(NO_EPOCH)
        .with_timestamp(timestamp);
    let asked_topic = name(topic);
    let topic = ListOffsetsTopic::default().with_name(asked_topic.clone()).with_partitions(vec![asked]);
    let request = ListOffsetsRequest::default()
        .with_replica_id(CLIENT)
        .with_isolation_level(READ_COMMITTED)
        .with_topics(vec![topic]);
    let response = link.call(&request).await?;
    let of_topic = response.topics.iter().filter(|answer| answer.name == asked_topic);
    let answer = of_topic.flat_map(|topic| &topic.partitions).find(|answer| answer.partition_index == partition);
    let answer = answer.ok_or(FetchError::Nothing)?;
    match answer.error_code.err() {
        None => Ok(answer.offset),
        Some(error) => Err(FetchError::Broker(error)),
    }
}

/// Asks for batches from an offset on; the broker waits a while if there are none.
pub(super) async fn batches(
    link: &Link,
    (topic, partition): (&Arc<str>, i32),
    offset: i64,
    (consumer, settings): (&ConsumerSettings, &Settings),
) -> Result<Bytes, FetchError> {
    let bytes_max = i32::try_from(consumer.fetch_bytes_max).unwrap_or(i32::MAX);
    // It answers before it is given up.
    let wait_max = consumer.fetch_wait_max.min(settings.request_timeout / 2);
    let asked = FetchPartition::default()
        .with_partition(partition)
        .with_current_leader_epoch(NO_EPOCH)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(bytes_max);
    let asked_topic = name(topic);
    let topic = FetchTopic::default().with_topic(asked_topic.clone()).with_partitions(vec![asked]);
    let request = FetchRequest::default()
        .with_replica_id(CLIENT)
        .with_max_wait_ms(i32::try_from(wait_max.as_millis()).unwrap_or(i32::MAX))
        .with_min_bytes(1)
        .with_max_bytes(bytes_max)
        .with_isolation_level(READ_COMMITTED)
        .with_topics(vec![topic]);
    let response = link.call(&request).await?;
    if let Some(error) = response.error_code.err() {
        return Err(FetchError::Broker(error));
    }
    let of_topic = response.responses.into_iter().filter(|answer| answer.topic == asked_topic);
    let answer = of_topic.flat_map(|topic| topic.partitions).find(|answer| answer.partition_index == partition);
    let answer = answer.ok_or(FetchError::Nothing)?;
    match answer.error_code.err() {
        None => Ok(answer.records.unwrap_or_default()),
        Some(error) => Err(FetchError::Broker(error)),
    }
}

fn name(topic: &Arc<str>) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_string()))
}
