//! What is sent while all is well, and what is held while it is not.

use landfall_supervise::backlog::{NotTaken, Unanswered};

use landfall_kafka::SendError;

use crate::cluster::Mode;
use crate::harness::*;

#[test]
fn what_is_sent_is_read_in_order() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        assert_eq!(kafka.partitions(TOPIC).await, Ok(vec![0]));
        let producer = producer(&kafka).await;
        let mut consumer = consumer(&kafka).await;
        let mut replies = Vec::new();
        for number in numbers(0, 400) {
            replies.push(producer.send(message(&number)).unwrap());
        }
        for (number, reply) in (0..).zip(replies) {
            assert_eq!(reply.await, Ok(Ok(number)));
        }
        assert_eq!(read(&mut consumer, 400).await, numbers(0, 400));
        assert_eq!(restarted(&kafka), Vec::<String>::new());
        end(&kafka).await;
        assert_eq!(consumer.next().await, None);
    });
}

/// A batch takes all that waits, so that few requests carry many records.
#[test]
fn what_waits_goes_in_one_batch() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        let producer = producer(&kafka).await;
        let replies: Vec<_> = numbers(0, 500).iter().map(|text| producer.send(message(text)).unwrap()).collect();
        for reply in replies {
            reply.await.unwrap().unwrap();
        }
        assert_eq!(cluster.partition(|partition| partition.log.batches.len()), 1);
        end(&kafka).await;
    });
}

#[test]
fn all_that_is_held_while_no_broker_is_there_is_sent_when_one_comes() {
    guarded(1, |cluster| async move {
        cluster.set(1, Mode::Down);
        let kafka = client(&cluster).await;
        let producer = producer(&kafka).await;
        let mut consumer = consumer(&kafka).await;
        let replies: Vec<_> = numbers(0, 10).iter().map(|text| producer.send(message(text)).unwrap()).collect();
        cluster.until(|state| state.dials > 3).await;
        cluster.set(1, Mode::Up);
        for reply in replies {
            reply.await.unwrap().unwrap();
        }
        assert_eq!(read(&mut consumer, 10).await, numbers(0, 10));
        end(&kafka).await;
    });
}

/// Without a broker the tree stands, and attempts become rare: a day takes no more than some thousands.
#[test]
fn attempts_become_rare_while_no_broker_is_there() {
    guarded(1, |cluster| async move {
        cluster.set(1, Mode::Down);
        let kafka = client(&cluster).await;
        let producer = producer(&kafka).await;
        tokio::time::sleep(secs(3_600)).await;
        let dials = cluster.state().dials;
        assert!((300..1_000).contains(&dials), "{dials} attempts in an hour");
        assert_eq!(producer.stats().taken_in, 0);
        end(&kafka).await;
    });
}

#[test]
fn what_expires_was_never_sent() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        let producer = producer(&kafka).await;
        producer.send(message("before")).unwrap().await.unwrap().unwrap();
        cluster.set(1, Mode::Down);
        cluster.until(|state| state.dials > 2).await;
        let start = tokio::time::Instant::now();
        let expires = producer.send_within(message("expires"), secs(3)).unwrap();
        let stays = producer.send_within(message("stays"), secs(300)).unwrap();
        assert_eq!((expires.await, start.elapsed()), (Err(Unanswered::Expired), secs(3)));
        cluster.set(1, Mode::Up);
        assert_eq!(stays.await, Ok(Ok(1)));
        let mut consumer = consumer(&kafka).await;
        assert_eq!(read(&mut consumer, 2).await, ["before", "stays"]);
        end(&kafka).await;
    });
}

#[test]
fn a_full_backlog_and_a_large_message_are_refused_in_words() {
    guarded(1, |cluster| async move {
        cluster.set(1, Mode::Down);
        let kafka = client(&cluster).await;
        let producer = producer_with(&kafka, |settings| settings.backlog.requests_max = 2).await;
        let _held = [producer.send(message("a")).unwrap(), producer.send(message("b")).unwrap()];
        let Err(SendError::NotTaken(error)) = producer.send(message("c")) else { panic!("it is full") };
        assert!(matches!(error.why, NotTaken::Full { requests_max: 2, .. }), "{error}");
        let error = producer.send(message(&"x".repeat(1_000_000))).unwrap_err();
        let shown = "the message has 1000032 bytes, and 1000000 (batch_bytes_max) may be sent at once";
        assert_eq!(error.to_string(), shown);
        end(&kafka).await;
    });
}
