//! One connection of a scripted broker: requests are taken one after the other, as brokers do.

use std::future::pending;
use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Encodable, HeaderVersion, Request, StrBytes, decode_request_header_from_buffer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, timeout_at};

use crate::cluster::{Cluster, Mode, Partition, State};

const OFFSET_OUT_OF_RANGE: i16 = 1;
const UNKNOWN_TOPIC: i16 = 3;
const NOT_LEADER: i16 = 6;
pub(crate) const MESSAGE_TOO_LARGE: i16 = 10;
const EARLIEST: i64 = -2;

/// What is to be said, unless the connection is to be lost.
type Answer = Option<(i16, BytesMut)>;

pub(crate) async fn connection(cluster: &Cluster, id: i32, mut stream: DuplexStream) -> io::Result<()> {
    if cluster.mode(id) == Mode::Http {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await?;
        return stream.read_u8().await.map(drop);
    }
    loop {
        let length = stream.read_u32().await?;
        let mut frame = vec![0; length as usize];
        stream.read_exact(&mut frame).await?;
        if cluster.mode(id) == Mode::Hangs {
            return pending().await;
        }
        let mut frame = Bytes::from(frame);
        let mode = cluster.mode(id);
        let header = decode_request_header_from_buffer(&mut frame).unwrap();
        if mode == Mode::Flaps && header.request_api_key != ApiKey::ApiVersions as i16 {
            return Ok(());
        }
        let Some((header_version, body)) = answer(cluster, id, &header, frame).await else { return Ok(()) };
        if cluster.mode(id) == Mode::Hangs {
            return pending().await;
        }
        let mut answer = BytesMut::new();
        let head = ResponseHeader::default().with_correlation_id(header.correlation_id);
        head.encode(&mut answer, header_version).unwrap();
        answer.extend_from_slice(&body);
        stream.write_u32(answer.len() as u32).await?;
        stream.write_all_buf(&mut answer).await?;
    }
}

async fn answer(cluster: &Cluster, id: i32, header: &RequestHeader, frame: Bytes) -> Answer {
    let version = header.request_api_version;
    let key = ApiKey::try_from(header.request_api_key).unwrap();
    match key {
        ApiKey::ApiVersions => {
            let newest = if cluster.mode(id) == Mode::Old { 1 } else { 13 };
            said(cluster, "ApiVersions", version, &versions(newest))
        }
        ApiKey::Metadata => {
            let request = read::<MetadataRequest>(frame, version);
            let response = metadata(&cluster.state(), &request);
            said(cluster, "Metadata", version, &response)
        }
        ApiKey::InitProducerId => {
            read::<InitProducerIdRequest>(frame, version);
            let producer = {
                let mut state = cluster.state();
                state.next_producer += 1;
                state.next_producer
            };
            said(
                cluster,
                "InitProducerId",
                version,
                &InitProducerIdResponse::default().with_producer_id(ProducerId(producer)),
            )
        }
        ApiKey::Produce => {
            let request = read::<ProduceRequest>(frame, version);
            let response = produce(&mut cluster.state(), id, &request);
            let said = said(cluster, "Produce", version, &response?);
            cluster.0.changed.notify_waiters();
            said
        }
        ApiKey::ListOffsets => {
            let request = read::<ListOffsetsRequest>(frame, version);
            let response = list_offsets(&mut cluster.state(), id, &request);
            said(cluster, "ListOffsets", version, &response)
        }
        ApiKey::Fetch => {
            let request = read::<FetchRequest>(frame, version);
            let response = fetch(cluster, id, &request).await;
            said(cluster, "Fetch", version, &response)
        }
        other => panic!("nobody asks for {other:?}"),
    }
}

fn read<R: Request>(mut frame: Bytes, version: i16) -> R {
    let request = R::decode(&mut frame, version).unwrap();
    assert!(!frame.has_remaining(), "a request is longer than it should be");
    request
}

fn said<R: Encodable + HeaderVersion>(cluster: &Cluster, api: &'static str, version: i16, response: &R) -> Answer {
    *cluster.state().asked.entry(api).or_default() += 1;
    cluster.0.changed.notify_waiters();
    let mut body = BytesMut::new();
    response.encode(&mut body, version).unwrap();
    Some((R::header_version(version), body))
}

fn versions(newest: i16) -> ApiVersionsResponse {
    let keys = [ApiKey::Produce, ApiKey::Fetch, ApiKey::ListOffsets, ApiKey::Metadata, ApiKey::InitProducerId];
    let known = |key| ApiVersion::default().with_api_key(key as i16).with_min_version(0).with_max_version(newest);
    ApiVersionsResponse::default().with_api_keys(keys.into_iter().map(known).collect())
}

fn metadata(state: &State, request: &MetadataRequest) -> MetadataResponse {
    let broker = |id: &i32| {
        let host = StrBytes::from_string(format!("broker-{id}"));
        MetadataResponseBroker::default().with_node_id(BrokerId(*id)).with_host(host).with_port(9092)
    };
    let topic = |name: &TopicName| {
        let topic = MetadataResponseTopic::default().with_name(Some(name.clone()));
        let Some(partitions) = state.topics.get(&***name) else { return topic.with_error_code(UNKNOWN_TOPIC) };
        let partition = |(index, partition): (i32, &Partition)| {
            let leader = BrokerId(partition.leader);
            MetadataResponsePartition::default().with_partition_index(index).with_leader_id(leader)
        };
        topic.with_partitions((0..).zip(partitions).map(partition).collect())
    };
    let names = request.topics.iter().flatten().filter_map(|topic| topic.name.as_ref());
    MetadataResponse::default()
        .with_brokers(state.brokers.keys().map(broker).collect())
        .with_topics(names.map(topic).collect())
}

fn partition<'a>(
    state: &'a mut State,
    broker: i32,
    topic: &TopicName,
    partition: i32,
) -> Result<&'a mut Partition, i16> {
    let partitions = state.topics.get_mut(&***topic).ok_or(UNKNOWN_TOPIC)?;
    let partition = partitions.get_mut(partition as usize).ok_or(UNKNOWN_TOPIC)?;
    if partition.leader == broker { Ok(partition) } else { Err(NOT_LEADER) }
}

fn produce(state: &mut State, broker: i32, request: &ProduceRequest) -> Option<ProduceResponse> {
    let [topic] = &request.topic_data[..] else { panic!("one topic at a time") };
    let [data] = &topic.partition_data[..] else { panic!("one partition at a time") };
    let written = partition(state, broker, &topic.name, data.index).and_then(|partition| {
        if let Some(refusal) = partition.refusals.pop_front() {
            return Err(refusal);
        }
        if data.records.as_ref().unwrap().len() > partition.batch_bytes_max {
            return Err(MESSAGE_TOO_LARGE);
        }
        let offset = partition.log.append(data.records.as_ref().unwrap())?;
        Ok((!std::mem::take(&mut partition.loses_answer)).then_some(offset))
    });
    let answer = PartitionProduceResponse::default().with_index(data.index);
    let answer = match written {
        Ok(offset) => answer.with_base_offset(offset?),
        Err(error) => answer.with_error_code(error).with_base_offset(-1),
    };
    let topic = TopicProduceResponse::default().with_name(topic.name.clone()).with_partition_responses(vec![answer]);
    Some(ProduceResponse::default().with_responses(vec![topic]))
}

fn list_offsets(state: &mut State, broker: i32, request: &ListOffsetsRequest) -> ListOffsetsResponse {
    let (topic, asked) = (&request.topics[0].name, &request.topics[0].partitions[0]);
    let answer = ListOffsetsPartitionResponse::default().with_partition_index(asked.partition_index);
    let answer = match partition(state, broker, topic, asked.partition_index) {
        Ok(partition) if asked.timestamp == EARLIEST => answer.with_offset(partition.log.start),
        Ok(partition) => answer.with_offset(partition.log.end()),
        Err(error) => answer.with_error_code(error),
    };
    let topic = ListOffsetsTopicResponse::default().with_name(topic.clone()).with_partitions(vec![answer]);
    ListOffsetsResponse::default().with_topics(vec![topic])
}

async fn fetch(cluster: &Cluster, broker: i32, request: &FetchRequest) -> FetchResponse {
    let (topic, asked) = (&request.topics[0].topic, &request.topics[0].partitions[0]);
    let until = Instant::now() + Duration::from_millis(request.max_wait_ms as u64);
    let read = loop {
        let changed = cluster.0.changed.notified();
        let read = partition(&mut cluster.state(), broker, topic, asked.partition).and_then(|partition| {
            if !(partition.log.start..=partition.log.end()).contains(&asked.fetch_offset) {
                return Err(OFFSET_OUT_OF_RANGE);
            }
            Ok(partition.log.read(asked.fetch_offset, asked.partition_max_bytes as usize))
        });
        if !matches!(&read, Ok(read) if read.is_empty()) || timeout_at(until, changed).await.is_err() {
            break read;
        }
    };
    let answer = PartitionData::default().with_partition_index(asked.partition);
    let answer = match read {
        Ok(read) => answer.with_records(Some(read)),
        Err(error) => answer.with_error_code(error),
    };
    let topic = FetchableTopicResponse::default().with_topic(topic.clone()).with_partitions(vec![answer]);
    FetchResponse::default().with_responses(vec![topic])
}
