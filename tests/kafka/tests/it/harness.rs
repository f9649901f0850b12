//! A client in front of a scripted cluster, on the paused clock.

use std::time::Duration;

use landfall_kafka::{
    Begin, Consumer, ConsumerSettings, Fetched, Kafka, Message, Producer, ProducerSettings, Settings,
};
use landfall_lifecycle::leak_check::LeakCheck;
use landfall_lifecycle::{Clock, Shutdown, Terminate};
use tokio::runtime::{Builder, Handle};

use crate::cluster::Cluster;

pub(crate) const TOPIC: &str = "orders";

/// Runs a test on the paused clock, with a cluster of so many brokers; it must leave no task behind.
pub(crate) fn guarded<Fut: Future<Output = ()>>(brokers: i32, test: impl FnOnce(Cluster) -> Fut) {
    let runtime = Builder::new_current_thread().start_paused(true).enable_time().build().unwrap();
    runtime.block_on(async {
        let check = LeakCheck::on(&Handle::current());
        let cluster = Cluster::new(brokers);
        test(cluster.clone()).await;
        cluster.end().await;
        drop(cluster);
        if let Err(leaks) = check.finish().await {
            panic!("{leaks}");
        }
    });
}

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn clock() -> Clock {
    Clock::tokio(&Handle::current())
}

pub(crate) fn settings(cluster: &Cluster) -> Settings {
    let mut settings = Settings::new(cluster.endpoints());
    settings.dial = cluster.dial();
    settings.clock = clock();
    settings
}

pub(crate) async fn client(cluster: &Cluster) -> Kafka {
    Kafka::start(settings(cluster)).await.unwrap()
}

pub(crate) async fn producer(kafka: &Kafka) -> Producer {
    producer_with(kafka, |_| {}).await
}

pub(crate) async fn producer_with(kafka: &Kafka, change: impl FnOnce(&mut ProducerSettings)) -> Producer {
    let mut settings = ProducerSettings::default();
    change(&mut settings);
    kafka.producer(TOPIC, 0, settings).await.unwrap()
}

pub(crate) async fn consumer(kafka: &Kafka) -> Consumer {
    consumer_with(kafka, |_| {}).await
}

pub(crate) async fn consumer_with(kafka: &Kafka, change: impl FnOnce(&mut ConsumerSettings)) -> Consumer {
    let mut settings = ConsumerSettings::default();
    settings.begin = Begin::Earliest;
    change(&mut settings);
    kafka.consumer(TOPIC, 0, settings).await.unwrap()
}

pub(crate) fn message(text: &str) -> Message {
    Message::new(text.as_bytes().to_vec())
}

pub(crate) fn text(record: &Fetched) -> String {
    String::from_utf8(record.value.as_ref().unwrap().to_vec()).unwrap()
}

/// Reads so many records.
pub(crate) async fn read(consumer: &mut Consumer, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    for _ in 0..count {
        texts.push(text(&consumer.next().await.expect("it has not ended").unwrap()));
    }
    texts
}

pub(crate) fn numbers(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|number| number.to_string()).collect()
}

/// Ends a client; its report must be clean.
pub(crate) async fn end(kafka: &Kafka) {
    let how = Shutdown::within_on(clock(), secs(60), secs(61));
    let report = kafka.terminate(&how).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

/// All lines of the tree that tell of a restart.
pub(crate) fn restarted(kafka: &Kafka) -> Vec<String> {
    kafka.tree().to_string().lines().filter(|line| line.contains("restarted")).map(str::to_owned).collect()
}
