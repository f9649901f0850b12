//! How a client ends: consumers, then producers, then connections.

use landfall_lifecycle::leak_check::{LeakCx, LeakTest};
use landfall_supervise::backlog::Unanswered;

use crate::cluster::Mode;
use crate::harness::*;

#[test]
fn the_tree_names_every_worker_and_every_connection() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        let (producer, mut consumer) = (producer(&kafka).await, consumer(&kafka).await);
        producer.send(message("0")).unwrap().await.unwrap().unwrap();
        read(&mut consumer, 1).await;
        let tree = kafka.tree().to_string();
        let names = [
            "clients",
            "client",
            "connections",
            "bootstrap broker-1:9092",
            "broker 1 at broker-1:9092",
            "broker 1 at broker-1:9092 for orders-0",
            "metadata",
            "producers",
            "records orders-0",
            "producer orders-0",
            "consumers",
            "consumer orders-0",
        ];
        let shown = |line: &str| line.trim_start_matches(['│', '├', '└', '─', ' ']).to_owned();
        let lines: Vec<_> = tree.lines().skip(1).map(shown).collect();
        assert_eq!(lines.len(), names.len(), "{tree}");
        let mut sorted = lines.clone();
        for name in names {
            let at = sorted.iter().position(|line| line.starts_with(&format!("{name}  "))).expect(name);
            sorted.remove(at);
        }
        end(&kafka).await;
    });
}

/// All that was taken in is sent before the connections go.
#[test]
fn producers_flush_when_they_are_ended() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        let producer = producer_with(&kafka, |settings| settings.batch_records_max = 10).await;
        let replies: Vec<_> = numbers(0, 400).iter().map(|text| producer.send(message(text)).unwrap()).collect();
        // The first is there, so that there is a connection; the rest waits.
        cluster.until(|state| state.asked.contains_key("Produce")).await;
        end(&kafka).await;
        for (offset, reply) in (0..).zip(replies) {
            assert_eq!(reply.await, Ok(Ok(offset)));
        }
        assert_eq!(producer.stats().answered, 400);
    });
}

/// Nobody waits for a broker that is not there; everybody is told.
#[test]
fn an_end_during_an_outage_takes_no_time_and_tells_what_was_not_sent() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        let producer = producer(&kafka).await;
        let _consumer = consumer(&kafka).await;
        producer.send(message("0")).unwrap().await.unwrap().unwrap();
        cluster.set(1, Mode::Down);
        cluster.until(|state| state.dials > 4).await;
        let reply = producer.send(message("1")).unwrap();
        let start = tokio::time::Instant::now();
        end(&kafka).await;
        assert!(start.elapsed() < secs(1), "{:?}", start.elapsed());
        assert_eq!(reply.await, Err(Unanswered::Terminating));
        assert_eq!(producer.stats().handed_back, 1);
    });
}

async fn whole_life(cx: LeakCx) {
    let mut settings = landfall_kafka::Settings::new(vec!["127.0.0.1:1".parse().unwrap()]);
    settings.retry_max = secs(1);
    let kafka = landfall_kafka::Kafka::start(settings).await.unwrap();
    cx.own(kafka.clone());
    let producer = producer(&kafka).await;
    let reply = producer.send(message("0")).unwrap();
    let _consumer = consumer(&kafka).await;
    reply.detach();
}

/// Over TCP, with threads: nobody listens there.
#[test]
fn a_whole_life_leaves_nothing_in_the_process() {
    LeakTest::new().run(whole_life);
}
