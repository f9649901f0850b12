//! What a producer asks a broker, and what its answers mean.

use std::sync::Arc;

use kafka_protocol::error::{ParseResponseErrorCode, ResponseError};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{InitProducerIdRequest, ProduceRequest, ProduceResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::window::{Batch, Identity};
use crate::batch::{Origin, encode};
use crate::connection::{CallError, Link, broker_timeout};
use crate::settings::{Acks, Settings};

/// What a broker says of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was written, from that offset on.
    Written(i64),
    /// It was not, and is to be sent again after a pause.
    NotNow(ResponseError),
    /// The same, and perhaps to another broker.
    NotHere(ResponseError),
    /// It was not, and never will be.
    Never(ResponseError),
    /// Nobody knows.
    Unclear(ResponseError),
}

/// The request that sends one batch.
pub(super) fn produce(
    batch: &Batch,
    identity: Identity,
    (topic, partition): (&Arc<str>, i32),
    (acks, settings): (Acks, &Settings),
) -> Result<ProduceRequest, String> {
    let origin = Origin { producer: identity.producer, epoch: identity.epoch, sequence: batch.sequence };
    let records = encode(&batch.messages(), origin)?;
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(records));
    let name = TopicName(StrBytes::from_string(topic.to_string()));
    let topic = TopicProduceData::default().with_name(name).with_partition_data(vec![data]);
    let acks = match acks {
        Acks::Leader => 1,
        Acks::All => -1,
    };
    Ok(ProduceRequest::default().with_acks(acks).with_timeout_ms(broker_timeout(settings)).with_topic_data(vec![topic]))
}

/// What an answer says of the one batch that was asked for.
pub(super) fn verdict(response: &ProduceResponse) -> Verdict {
    let answer = response.responses.first().and_then(|topic| topic.partition_responses.first());
    // An answer to something else: the batch may have been written.
    let Some(answer) = answer else { return Verdict::Unclear(ResponseError::UnknownServerError) };
    let Some(error) = answer.error_code.err() else { return Verdict::Written(answer.base_offset) };
    match error {
        ResponseError::NotLeaderOrFollower
        | ResponseError::UnknownTopicOrPartition
        | ResponseError::LeaderNotAvailable
        | ResponseError::FencedLeaderEpoch
        | ResponseError::KafkaStorageError
        | ResponseError::ReplicaNotAvailable => Verdict::NotHere(error),
        ResponseError::RequestTimedOut
        | ResponseError::NotEnoughReplicas
        | ResponseError::NotEnoughReplicasAfterAppend
        | ResponseError::NetworkException
        // On its way: the batch is made anew each time.
        | ResponseError::CorruptMessage
        | ResponseError::CoordinatorLoadInProgress
        | ResponseError::ThrottlingQuotaExceeded => Verdict::NotNow(error),
        ResponseError::MessageTooLarge
        | ResponseError::RecordListTooLarge
        | ResponseError::InvalidRecord
        | ResponseError::InvalidTimestamp
        | ResponseError::InvalidRequiredAcks
        | ResponseError::InvalidTopicException
        | ResponseError::TopicAuthorizationFailed
        | ResponseError::ClusterAuthorizationFailed
        | ResponseError::PolicyViolation
        | ResponseError::UnsupportedForMessageFormat => Verdict::Never(error),
        _ => Verdict::Unclear(error),
    }
}

/// Becomes somebody whom the broker knows again.
pub(super) async fn identify(link: &Link) -> Result<Result<Identity, ResponseError>, CallError> {
    let request = InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(i32::MAX);
    let response = link.call(&request).await?;
    Ok(match response.error_code.err() {
        None => Ok(Identity { producer: response.producer_id.0, epoch: response.producer_epoch }),
        Some(error) => Err(error),
    })
}
