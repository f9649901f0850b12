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
    /// The same, as it is too large in one piece.
    TooLarge(ResponseError),
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

/// What an answer says of the one batch that was asked for, of so many records.
pub(super) fn verdict(response: &ProduceResponse, (topic, partition, count): (&Arc<str>, i32, usize)) -> Verdict {
    let of_topic = response.responses.iter().filter(|answer| *answer.name.0 == **topic);
    let answer = of_topic.flat_map(|topic| &topic.partition_responses).find(|answer| answer.index == partition);
    // An answer to something else: the batch may have been written.
    let Some(answer) = answer else { return Verdict::Unclear(ResponseError::UnknownServerError) };
    let Some(error) = answer.error_code.err() else {
        let first = answer.base_offset;
        let is_one = first >= 0 && i64::try_from(count).is_ok_and(|count| first.checked_add(count).is_some());
        return if is_one { Verdict::Written(first) } else { Verdict::Unclear(ResponseError::UnknownServerError) };
    };
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
        ResponseError::MessageTooLarge | ResponseError::RecordListTooLarge => Verdict::TooLarge(error),
        ResponseError::InvalidRecord
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

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};

    use super::*;

    fn judged(name: &'static str, partition: i32, base_offset: i64, error: i16) -> Verdict {
        let answer = PartitionProduceResponse::default().with_index(partition).with_base_offset(base_offset);
        let answer = answer.with_error_code(error);
        let topic = TopicProduceResponse::default().with_name(TopicName(StrBytes::from_static_str(name)));
        let topic = topic.with_partition_responses(vec![answer]);
        verdict(&ProduceResponse::default().with_responses(vec![topic]), (&"t".into(), 0, 3))
    }

    #[test]
    fn an_answer_counts_for_the_partition_that_it_names() {
        assert_eq!(judged("t", 0, 7, 0), Verdict::Written(7));
        for other in [judged("t", 1, 7, 0), judged("u", 0, 7, 0), judged("u", 0, -1, 10)] {
            assert!(matches!(other, Verdict::Unclear(_)), "{other:?}");
        }
        assert!(matches!(judged("t", 0, -1, 10), Verdict::TooLarge(_)));
    }

    #[test]
    fn an_offset_that_cannot_be_is_no_answer() {
        for offset in [-1, i64::MIN, i64::MAX - 2, i64::MAX] {
            assert!(matches!(judged("t", 0, offset, 0), Verdict::Unclear(_)), "{offset}");
        }
        assert_eq!(judged("t", 0, i64::MAX - 3, 0), Verdict::Written(i64::MAX - 3));
    }
}
