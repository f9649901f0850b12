//! What consumers do with offsets, slow readers and what cannot be read.

use landfall_kafka::{Begin, ConsumeError, OutOfRange, PartitionError};

use crate::harness::*;

async fn wrote(kafka: &landfall_kafka::Kafka, from: usize, to: usize) {
    let producer = kafka.producer(TOPIC, 0, Default::default()).await;
    let producer = match producer {
        Ok(producer) => producer,
        Err(error) => panic!("{error}"),
    };
    for text in numbers(from, to) {
        producer.send(message(&text)).unwrap().await.unwrap().unwrap();
    }
}

#[test]
fn a_consumer_begins_where_it_is_told() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        wrote(&kafka, 0, 5).await;
        let mut consumer = consumer_with(&kafka, |settings| settings.begin = Begin::At(3)).await;
        let first = consumer.next().await.unwrap().unwrap();
        assert_eq!((first.offset, text(&first)), (3, "3".to_owned()));
        end(&kafka).await;
    });
}

#[test]
fn one_that_begins_with_the_latest_reads_what_comes_later() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        let producer = producer(&kafka).await;
        producer.send(message("old")).unwrap().await.unwrap().unwrap();
        let mut consumer = consumer_with(&kafka, |settings| settings.begin = Begin::Latest).await;
        cluster.until(|state| state.asked.contains_key("ListOffsets")).await;
        tokio::time::sleep(secs(1)).await;
        producer.send(message("new")).unwrap().await.unwrap().unwrap();
        assert_eq!(read(&mut consumer, 1).await, ["new"]);
        end(&kafka).await;
    });
}

#[test]
fn a_slow_reader_stops_the_asking() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        wrote(&kafka, 0, 50).await;
        let mut consumer = consumer_with(&kafka, |settings| {
            settings.prefetch_records = 10;
            settings.fetch_bytes_max = 1_024;
        })
        .await;
        cluster.until(|state| state.asked.contains_key("Fetch")).await;
        tokio::time::sleep(secs(60)).await;
        // One answer more than the bound at most: some dozens of bytes a record.
        assert!((10..30).contains(&consumer.waiting()), "{}", consumer.waiting());
        let asked = cluster.asked("Fetch");
        tokio::time::sleep(secs(60)).await;
        assert_eq!(cluster.asked("Fetch"), asked);
        assert_eq!(read(&mut consumer, 50).await, numbers(0, 50));
        end(&kafka).await;
    });
}

/// Each record that is taken makes room, also if it is the only one that there is room for.
#[test]
fn a_store_of_one_record_is_filled_again_and_again() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        let producer = producer(&kafka).await;
        let texts: Vec<_> = numbers(0, 20).iter().map(|number| number.repeat(1_024)).collect();
        for text in &texts {
            producer.send(message(text)).unwrap().await.unwrap().unwrap();
        }
        let mut consumer = consumer_with(&kafka, |settings| {
            settings.prefetch_records = 1;
            settings.fetch_bytes_max = 1_024;
        })
        .await;
        let all = tokio::time::timeout(secs(60), read(&mut consumer, 20)).await;
        assert!(all.is_ok_and(|all| all == texts), "{} records wait", consumer.waiting());
        end(&kafka).await;
    });
}

#[test]
fn an_offset_out_of_range_ends_a_consumer_or_begins_anew_as_told() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        wrote(&kafka, 0, 5).await;
        cluster.partition(|partition| partition.log.delete());
        let at = |offset: i64, out_of_range: OutOfRange| {
            move |settings: &mut landfall_kafka::ConsumerSettings| {
                settings.begin = Begin::At(offset);
                settings.out_of_range = out_of_range;
            }
        };
        let mut fails = consumer_with(&kafka, at(2, OutOfRange::Fail)).await;
        let error = fails.next().await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "offset 2 of orders-0 is out of range (out_of_range)");
        assert_eq!(fails.next().await, None);
        end(&kafka).await;
        for policy in [OutOfRange::Earliest, OutOfRange::Latest] {
            let kafka = client(&cluster).await;
            let mut consumer = consumer_with(&kafka, at(2, policy)).await;
            let listed = cluster.asked("ListOffsets");
            cluster.until(|state| state.asked.get("ListOffsets").is_some_and(|asked| *asked > listed)).await;
            tokio::time::sleep(secs(1)).await;
            wrote(&kafka, 7, 8).await;
            assert_eq!(read(&mut consumer, 1).await, ["7"]);
            end(&kafka).await;
        }
    });
}

#[test]
fn a_corrupt_batch_is_named_after_all_that_is_before_it() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        wrote(&kafka, 0, 3).await;
        cluster.partition(|partition| partition.log.corrupt());
        let mut consumer = consumer(&kafka).await;
        assert_eq!(read(&mut consumer, 2).await, numbers(0, 2));
        let error = consumer.next().await.unwrap().unwrap_err();
        let ConsumeError::Corrupt { topic, partition, offset, .. } = &error else { panic!("{error}") };
        assert_eq!((topic.as_str(), *partition, *offset), (TOPIC, 0, 2));
        assert_eq!(consumer.next().await, None);
        // It is over, and is not started again.
        let fetched = cluster.asked("Fetch");
        tokio::time::sleep(secs(60)).await;
        assert_eq!(cluster.asked("Fetch"), fetched);
        end(&kafka).await;
    });
}

#[test]
fn a_consumer_whose_reader_goes_ends() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        let reader = consumer(&kafka).await;
        cluster.until(|state| state.asked.contains_key("Fetch")).await;
        drop(reader);
        tokio::time::sleep(secs(1)).await;
        let fetched = cluster.asked("Fetch");
        tokio::time::sleep(secs(60)).await;
        assert_eq!(cluster.asked("Fetch"), fetched);
        assert!(!kafka.tree().to_string().contains("for orders-0"), "{}", kafka.tree());
        // Another one may come; a second one beside it may not.
        let mut another = consumer(&kafka).await;
        wrote(&kafka, 0, 1).await;
        assert_eq!(read(&mut another, 1).await, ["0"]);
        let second = kafka.consumer(TOPIC, 0, Default::default()).await;
        assert!(matches!(second, Err(PartitionError::Child { .. })), "{second:?}");
        end(&kafka).await;
    });
}
