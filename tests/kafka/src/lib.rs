//! A Kafka client's tree on `landfall-supervise`: start at [`Kafka`].
//!
//! What was asked for, what is built and what is not is told in `docs/brod.md`.
#![forbid(unsafe_code)]

mod batch;
mod client;
mod connection;
mod consumer;
mod dial;
mod message;
mod producer;
mod retry;
mod settings;
mod tree;
mod wire;

pub use batch::BatchError;
pub use client::TopicError;
pub use consumer::{ConsumeError, Consumer};
pub use dial::{Dial, Endpoint, EndpointError, Stream, Tcp};
pub use message::{Fetched, Message};
pub use producer::{Producer, Refused, SendError, Sent};
pub use settings::{Acks, Begin, ConsumerSettings, OutOfRange, ProducerSettings, Settings, SettingsError};
pub use tree::{Kafka, KafkaError, PartitionError};
