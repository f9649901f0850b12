//! What cannot be: it is an error that names the thing.

use landfall_kafka::{Kafka, PartitionError, TopicError};
use landfall_supervise::backlog::Unanswered;

use crate::cluster::{Mode, Partition};
use crate::harness::*;
use crate::serve::MESSAGE_TOO_LARGE;

const INVALID_RECORD: i16 = 87;

#[test]
fn an_unknown_topic_is_named() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        let error = kafka.partitions("nowhere").await.unwrap_err();
        assert_eq!(error, TopicError::Unknown { topic: "nowhere".to_owned() }.clone());
        assert_eq!(error.to_string(), "the cluster has no topic \"nowhere\"");
        end(&kafka).await;
    });
}

#[test]
fn settings_that_cannot_be_and_a_second_producer_are_refused() {
    guarded(1, |cluster| async move {
        let mut wrong = settings(&cluster);
        wrong.bootstrap.clear();
        let error = Kafka::start(wrong).await.unwrap_err();
        assert_eq!(error.to_string(), "bootstrap is empty: allowed is one address or more");
        let kafka = client(&cluster).await;
        let first = producer(&kafka).await;
        let second = kafka.producer(TOPIC, 0, Default::default()).await;
        assert!(matches!(second, Err(PartitionError::Child { .. })), "{second:?}");
        first.send(message("0")).unwrap().await.unwrap().unwrap();
        end(&kafka).await;
        assert!(first.send(message("1")).is_err());
        assert!(kafka.producer(TOPIC, 1, Default::default()).await.is_err());
    });
}

/// What is refused for good is told, and what is behind it is written, in order.
#[test]
fn a_record_that_the_broker_refuses_holds_up_nothing() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        let producer = producer_with(&kafka, |settings| settings.batch_records_max = 1).await;
        producer.send(message("0")).unwrap().await.unwrap().unwrap();
        cluster.partition(|partition| partition.refusals.push_back(INVALID_RECORD));
        let replies: Vec<_> = numbers(1, 6).iter().map(|text| producer.send(message(text)).unwrap()).collect();
        let mut said = Vec::new();
        for reply in replies {
            said.push(reply.await.unwrap().map_err(|refused| refused.to_string()));
        }
        let refused = said.remove(0).unwrap_err();
        assert!(refused.starts_with("the broker refused it for orders-0: "), "{refused}");
        assert_eq!(said, [Ok(1), Ok(2), Ok(3), Ok(4)]);
        // Its numbers are not taken over: what follows is by somebody else.
        assert_eq!(cluster.state().next_producer, 2);
        let mut consumer = consumer(&kafka).await;
        assert_eq!(read(&mut consumer, 5).await, ["0", "2", "3", "4", "5"]);
        end(&kafka).await;
    });
}

/// Many small records may be too large together: the one that is too large by itself is refused, and no other.
#[test]
fn a_batch_that_is_too_large_is_sent_in_parts() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        let producer = producer(&kafka).await;
        cluster.partition(|partition| partition.batch_bytes_max = 150);
        let mut texts = numbers(0, 40);
        texts[17] = "x".repeat(200);
        let replies: Vec<_> = texts.iter().map(|text| producer.send(message(text)).unwrap()).collect();
        for (number, reply) in replies.into_iter().enumerate() {
            match reply.await.unwrap() {
                Ok(offset) => assert_eq!(offset, (number - usize::from(number > 17)) as i64),
                Err(refused) => assert_eq!((number, refused.error.code()), (17, MESSAGE_TOO_LARGE)),
            }
        }
        assert_eq!(cluster.partition(|partition| partition.log.end()), 39);
        texts.remove(17);
        let mut consumer = consumer(&kafka).await;
        assert_eq!(read(&mut consumer, 39).await, texts);
        end(&kafka).await;
    });
}

/// Before it has accepted something a broker takes any batch for the first one: so the first goes alone.
#[test]
fn a_refusal_of_the_very_first_record_leaves_the_others_in_order() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        let producer = producer_with(&kafka, |settings| settings.batch_records_max = 1).await;
        cluster.partition(|partition| partition.refusals.push_back(INVALID_RECORD));
        let mut replies: Vec<_> = numbers(0, 6).iter().map(|text| producer.send(message(text)).unwrap()).collect();
        assert!(replies.remove(0).await.unwrap().is_err());
        for (offset, reply) in (0..).zip(replies) {
            assert_eq!(reply.await, Ok(Ok(offset)));
        }
        let mut consumer = consumer(&kafka).await;
        assert_eq!(read(&mut consumer, 5).await, numbers(1, 6));
        end(&kafka).await;
    });
}

/// It may have been written before: nobody can tell, so it is neither said to be, nor sent again.
#[test]
fn what_the_broker_cannot_place_is_unknown_and_the_next_goes_on() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        let producer = producer(&kafka).await;
        producer.send(message("0")).unwrap().await.unwrap().unwrap();
        cluster.partition(|partition| partition.log.forget_producers());
        assert_eq!(producer.send(message("1")).unwrap().await, Err(Unanswered::Unknown));
        assert_eq!(producer.send(message("2")).unwrap().await, Ok(Ok(1)));
        end(&kafka).await;
    });
}

/// A topic that is not there holds nobody up for longer than asked; once it is there, what waits is written.
#[test]
fn a_producer_and_a_consumer_of_a_topic_that_is_not_there_wait_for_it() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        let producer = kafka.producer("later", 0, Default::default()).await.unwrap();
        let mut settings = landfall_kafka::ConsumerSettings::default();
        settings.begin = landfall_kafka::Begin::Earliest;
        let mut consumer = kafka.consumer("later", 0, settings).await.unwrap();
        let expires = producer.send_within(message("0"), secs(30)).unwrap();
        let stays = producer.send_within(message("1"), secs(300)).unwrap();
        assert_eq!(expires.await, Err(Unanswered::Expired));
        // Asked again, but not without a pause.
        let asked = cluster.asked("Metadata");
        assert!((5..50).contains(&asked), "{asked}");
        cluster.state().topics.insert("later".to_owned(), vec![Partition::new()]);
        assert_eq!(stays.await, Ok(Ok(0)));
        assert_eq!(read(&mut consumer, 1).await, ["1"]);
        end(&kafka).await;
    });
}

#[test]
fn a_broker_that_is_too_old_is_named_and_never_asked() {
    guarded(1, |cluster| async move {
        cluster.set(1, Mode::Old);
        let kafka = client(&cluster).await;
        let producer = producer(&kafka).await;
        let reply = producer.send_within(message("0"), secs(30)).unwrap();
        assert_eq!(reply.await, Err(Unanswered::Expired));
        assert_eq!((cluster.asked("Metadata"), cluster.asked("Produce")), (0, 0));
        let restarted = restarted(&kafka);
        assert!(matches!(&restarted[..], [one] if one.contains("bootstrap ")), "{restarted:?}");
        end(&kafka).await;
    });
}

/// A refusal says that a batch is not written, which is not so if it was sent before and its answer was lost.
#[test]
fn what_is_refused_and_may_have_been_written_before_is_unknown() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        let producer = producer(&kafka).await;
        producer.send(message("0")).unwrap().await.unwrap().unwrap();
        cluster.partition(|partition| partition.loses_answer = true);
        let reply = producer.send(message("1")).unwrap();
        while cluster.partition(|partition| partition.log.end()) == 1 {
            tokio::task::yield_now().await;
        }
        cluster.partition(|partition| partition.refusals.push_back(INVALID_RECORD));
        assert_eq!(reply.await, Err(Unanswered::Unknown));
        assert_eq!(producer.send(message("2")).unwrap().await, Ok(Ok(2)));
        end(&kafka).await;
    });
}

/// Its connections say so in the tree; nothing else is disturbed.
#[test]
fn a_server_that_is_not_kafka_is_tried_again_and_never_believed() {
    guarded(1, |cluster| async move {
        cluster.set(1, Mode::Http);
        let kafka = client(&cluster).await;
        let producer = producer(&kafka).await;
        let reply = producer.send_within(message("0"), secs(30)).unwrap();
        assert_eq!(reply.await, Err(Unanswered::Expired));
        let restarted = restarted(&kafka);
        assert!(matches!(&restarted[..], [one] if one.contains("bootstrap ")), "{restarted:?}");
        end(&kafka).await;
    });
}
