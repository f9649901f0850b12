//! What the client does not do and a scenario needs: making a topic.

use std::error::Error;
use std::io::{Read, Write};

use bytes::{Bytes, BytesMut};
use kafka_protocol::error::{ParseResponseErrorCode, ResponseError};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::{
    ApiKey, CreateTopicsRequest, CreateTopicsResponse, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};

use crate::broker::connect;

const VERSION: i16 = 7;

/// Makes a topic of one partition unless it is there; the cluster refuses while it has fewer brokers than copies.
pub(crate) fn create_topic(port: u16, name: &str, copies: i16) -> Result<(), Box<dyn Error>> {
    let name = TopicName(StrBytes::from_string(name.to_owned()));
    let topic = CreatableTopic::default().with_name(name).with_num_partitions(1).with_replication_factor(copies);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5_000);
    let header =
        RequestHeader::default().with_request_api_key(ApiKey::CreateTopics as i16).with_request_api_version(VERSION);
    let mut frame = BytesMut::new();
    header.encode(&mut frame, CreateTopicsRequest::header_version(VERSION))?;
    request.encode(&mut frame, VERSION)?;
    let mut stream = connect(port)?;
    stream.write_all(&u32::try_from(frame.len())?.to_be_bytes())?;
    stream.write_all(&frame)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length))?.min(1_000_000)];
    stream.read_exact(&mut answer)?;
    let mut answer = Bytes::from(answer);
    ResponseHeader::decode(&mut answer, CreateTopicsResponse::header_version(VERSION))?;
    let response = CreateTopicsResponse::decode(&mut answer, VERSION)?;
    match response.topics.first().and_then(|topic| topic.error_code.err()) {
        None | Some(ResponseError::TopicAlreadyExists) => Ok(()),
        Some(error) => Err(error.to_string().into()),
    }
}
