//! Which requests are spoken, each in one version, and what their answers look like.
//!
//! One version each, so that there is nothing to negotiate: brokers from Kafka 3.0 on have all of them. A broker that
//! has not says so in the first exchange, which is [`Versions`].

use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, FetchRequest, FetchResponse, InitProducerIdRequest,
    InitProducerIdResponse, ListOffsetsRequest, ListOffsetsResponse, MetadataRequest, MetadataResponse, ProduceRequest,
    ProduceResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion};

use super::shape::Shape::{self, Array, Ints, OldArray, Tags, Text};

/// A request as it is spoken here.
pub(crate) trait Api: Encodable + HeaderVersion {
    type Response: Decodable + HeaderVersion;

    const KEY: ApiKey;
    const NAME: &'static str;
    const VERSION: i16;
    /// Of the whole answer, the correlation id at its head included.
    const SHAPE: &'static [Shape];
}

impl Api for ApiVersionsRequest {
    type Response = ApiVersionsResponse;

    const KEY: ApiKey = ApiKey::ApiVersions;
    const NAME: &'static str = "ApiVersions";
    const VERSION: i16 = 0;
    const SHAPE: &'static [Shape] = &[Ints(4), Ints(2), OldArray(&[Ints(6)])];
}

impl Api for MetadataRequest {
    type Response = MetadataResponse;

    const KEY: ApiKey = ApiKey::Metadata;
    const NAME: &'static str = "Metadata";
    const VERSION: i16 = 12;
    const SHAPE: &'static [Shape] = &[
        Ints(4),
        Tags,
        // Throttle time, brokers, cluster, controller.
        Ints(4),
        Array(&[Ints(4), Text, Ints(4), Text, Tags]),
        Text,
        Ints(4),
        Array(&[
            // Error, name, id, internal or not.
            Ints(2),
            Text,
            Ints(17),
            // Error, partition, leader, epoch, then replicas.
            Array(&[Ints(14), Array(&[Ints(4)]), Array(&[Ints(4)]), Array(&[Ints(4)]), Tags]),
            Ints(4),
            Tags,
        ]),
        Tags,
    ];
}

impl Api for InitProducerIdRequest {
    type Response = InitProducerIdResponse;

    const KEY: ApiKey = ApiKey::InitProducerId;
    const NAME: &'static str = "InitProducerId";
    const VERSION: i16 = 4;
    const SHAPE: &'static [Shape] = &[Ints(4), Tags, Ints(16), Tags];
}

impl Api for ProduceRequest {
    type Response = ProduceResponse;

    const KEY: ApiKey = ApiKey::Produce;
    const NAME: &'static str = "Produce";
    const VERSION: i16 = 9;
    const SHAPE: &'static [Shape] = &[
        Ints(4),
        Tags,
        Array(&[
            Text,
            // Partition, error, offset, time, start of the log; errors of records; message.
            Array(&[Ints(30), Array(&[Ints(4), Text, Tags]), Text, Tags]),
            Tags,
        ]),
        Ints(4),
        Tags,
    ];
}

impl Api for ListOffsetsRequest {
    type Response = ListOffsetsResponse;

    const KEY: ApiKey = ApiKey::ListOffsets;
    const NAME: &'static str = "ListOffsets";
    const VERSION: i16 = 7;
    const SHAPE: &'static [Shape] = &[
        Ints(4),
        Tags,
        Ints(4),
        // Partition, error, time, offset, epoch.
        Array(&[Text, Array(&[Ints(26), Tags]), Tags]),
        Tags,
    ];
}

impl Api for FetchRequest {
    type Response = FetchResponse;

    const KEY: ApiKey = ApiKey::Fetch;
    const NAME: &'static str = "Fetch";
    const VERSION: i16 = 12;
    const SHAPE: &'static [Shape] = &[
        Ints(4),
        Tags,
        // Throttle time, error, session.
        Ints(10),
        Array(&[
            Text,
            // Partition, error, high watermark, last stable offset, start of the log; aborted transactions; replica;
            // records.
            Array(&[Ints(30), Array(&[Ints(16), Tags]), Ints(4), Text, Tags]),
            Tags,
        ]),
        Tags,
    ];
}

/// What a broker says of the requests it knows.
#[derive(Debug)]
pub(crate) struct Versions(ApiVersionsResponse);

/// A broker does not speak what is spoken here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the broker speaks no {api} of version {ours}: {theirs}")]
pub(crate) struct Unsupported {
    api: &'static str,
    ours: i16,
    theirs: String,
}

impl Versions {
    pub(crate) fn new(response: ApiVersionsResponse) -> Self {
        Self(response)
    }

    /// Whether the broker has every request that is made here.
    pub(crate) fn check(&self) -> Result<(), Unsupported> {
        self.has::<MetadataRequest>()?;
        self.has::<InitProducerIdRequest>()?;
        self.has::<ProduceRequest>()?;
        self.has::<ListOffsetsRequest>()?;
        self.has::<FetchRequest>()
    }

    fn has<A: Api>(&self) -> Result<(), Unsupported> {
        let theirs = match self.0.api_keys.iter().find(|known| known.api_key == A::KEY as i16) {
            Some(known) if (known.min_version..=known.max_version).contains(&A::VERSION) => return Ok(()),
            Some(known) => format!("it speaks {} to {}", known.min_version, known.max_version),
            None => "it knows none".to_owned(),
        };
        Err(Unsupported { api: A::NAME, ours: A::VERSION, theirs })
    }
}
