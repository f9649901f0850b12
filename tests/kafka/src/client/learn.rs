//! What the cluster's answer says, as far as it matters here.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::error::{ParseResponseErrorCode, ResponseError};
use kafka_protocol::messages::MetadataResponse;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;

use super::directory::{Directory, Known};
use crate::dial::Endpoint;

/// A topic as the cluster knows it.
#[derive(Debug)]
pub(super) struct Topic {
    error: Option<ResponseError>,
    /// Partitions with their leaders; none if there is no leader now.
    leaders: BTreeMap<i32, Option<i32>>,
}

/// Why nothing is known of a topic's partitions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopicError {
    /// The cluster has no such topic.
    #[error("the cluster has no topic {topic:?}")]
    Unknown {
        /// Its name.
        topic: String,
    },
    /// The cluster refuses to tell.
    #[error("the cluster says of topic {topic:?}: {error}")]
    Refused {
        /// Its name.
        topic: String,
        /// Why.
        error: ResponseError,
    },
}

impl Topic {
    fn new(topic: MetadataResponseTopic) -> Self {
        let leader = |id: i32| (id >= 0).then_some(id);
        let leaders = topic.partitions.iter().map(|known| (known.partition_index, leader(known.leader_id.0)));
        Self { error: topic.error_code.err(), leaders: leaders.collect() }
    }

    pub(super) fn error(&self) -> Option<ResponseError> {
        self.error
    }

    pub(super) fn leader(&self, partition: i32) -> Option<i32> {
        self.leaders.get(&partition).copied().flatten()
    }

    pub(super) fn forget_leader(&mut self, partition: i32, broker: i32) {
        if let Some(leader) = self.leaders.get_mut(&partition)
            && *leader == Some(broker)
        {
            *leader = None;
        }
    }

    /// Its partitions; none while that may still become known.
    fn partitions(&self, topic: &str) -> Option<Result<Vec<i32>, TopicError>> {
        Some(match self.error {
            None if self.leaders.is_empty() => return None,
            None => Ok(self.leaders.keys().copied().collect()),
            Some(ResponseError::UnknownTopicOrPartition) => Err(TopicError::Unknown { topic: topic.to_owned() }),
            // It is being made.
            Some(ResponseError::LeaderNotAvailable) => return None,
            Some(error) => Err(TopicError::Refused { topic: topic.to_owned(), error }),
        })
    }
}

impl Known {
    /// Writes down what the cluster says. Of topics that nobody wants, and of more brokers than may be, nothing is kept.
    pub(super) fn learn(&mut self, response: MetadataResponse, brokers_max: usize) {
        let endpoint = |host: &str, port: i32| Some(Endpoint::new(host, u16::try_from(port).ok()?));
        let brokers = response.brokers.iter();
        let brokers = brokers.filter_map(|broker| Some((broker.node_id.0, endpoint(&broker.host, broker.port)?)));
        self.brokers = brokers.take(brokers_max).collect();
        let wanted = self.wanted_topics();
        for topic in response.topics {
            let name = topic.name.as_ref().map(|name| name.0.as_str());
            if let Some(name) = wanted.iter().find(|wanted| Some(&***wanted) == name) {
                self.topics.insert(Arc::clone(name), Topic::new(topic));
            }
        }
    }
}

impl Directory {
    /// Waits until the partitions of a topic are known, or until it is known that there are none. Cancel safe.
    pub(crate) async fn partitions(self: &Arc<Self>, topic: &Arc<str>) -> Result<Vec<i32>, TopicError> {
        let _want = self.want_topic(topic);
        self.find(|known| known.topics.get(topic)?.partitions(topic)).await
    }
}
