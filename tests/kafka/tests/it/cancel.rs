//! Every public future may be dropped at every poll: the client works, and ends with nothing left.

use landfall_kafka::{Consumer, Kafka, Producer};
use landfall_lifecycle::testing::cancel_at_every_poll_on;

use crate::harness::*;

/// Whatever was dropped, a record is sent and read.
async fn is_sound(kafka: &Kafka, producer: &Producer, consumer: &mut Consumer) {
    producer.send(message("after")).unwrap().await.unwrap().unwrap();
    while text(&consumer.next().await.unwrap().unwrap()) != "after" {}
    end(kafka).await;
}

#[test]
fn a_start_that_is_dropped_leaves_nothing() {
    guarded(1, |cluster| async move {
        let run = async |settings: &mut landfall_kafka::Settings| {
            let kafka = Kafka::start(settings.clone()).await.unwrap();
            end(&kafka).await;
        };
        cancel_at_every_poll_on(async || settings(&cluster), run).check(async |_, _cut| {}).await;
    });
}

#[test]
fn questions_and_starts_of_partitions_that_are_dropped_leave_a_sound_tree() {
    guarded(1, |cluster| async move {
        let client = async || client(&cluster).await;
        let ask = async |kafka: &mut Kafka| drop(kafka.partitions(TOPIC).await);
        cancel_at_every_poll_on(client, ask)
            .check(async |kafka, _cut| {
                assert_eq!(kafka.partitions(TOPIC).await, Ok(vec![0]));
                end(&kafka).await;
            })
            .await;
        let produce = async |kafka: &mut Kafka| drop(kafka.producer(TOPIC, 0, Default::default()).await);
        cancel_at_every_poll_on(client, produce)
            .check(async |kafka, _cut| {
                // Both of its children are there, or none.
                let tree = kafka.tree().to_string();
                assert_eq!(tree.contains("records orders-0"), tree.contains("producer orders-0"), "{tree}");
                end(&kafka).await;
            })
            .await;
        let consume = async |kafka: &mut Kafka| drop(kafka.consumer(TOPIC, 0, Default::default()).await);
        cancel_at_every_poll_on(client, consume).check(async |kafka, _cut| end(&kafka).await).await;
    });
}

#[test]
fn a_wait_for_a_record_that_is_dropped_takes_none() {
    guarded(1, |cluster| async move {
        let started = async || {
            cluster.partition(|partition| partition.log.delete());
            let kafka = client(&cluster).await;
            let (producer, consumer) = (producer(&kafka).await, consumer(&kafka).await);
            let reply = producer.send(message("first")).unwrap();
            (kafka, producer, consumer, Some(reply), 0)
        };
        type Started = (
            Kafka,
            Producer,
            Consumer,
            Option<landfall_supervise::backlog::Reply<landfall_kafka::Message, landfall_kafka::Sent>>,
            usize,
        );
        let run = async |started: &mut Started| {
            started.2.next().await.unwrap().unwrap();
            started.4 += 1;
        };
        cancel_at_every_poll_on(started, run)
            .check(async |(kafka, producer, mut consumer, reply, taken), _cut| {
                reply.unwrap().await.unwrap().unwrap();
                if taken == 0 {
                    assert_eq!(read(&mut consumer, 1).await, ["first"]);
                }
                is_sound(&kafka, &producer, &mut consumer).await;
            })
            .await;
    });
}
