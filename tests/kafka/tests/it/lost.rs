//! Connections that are lost, brokers that hang, leaders that move.

use landfall_lifecycle::Terminate;
use landfall_supervise::backlog::Unanswered;

use crate::cluster::Mode;
use crate::harness::*;

const NOT_ENOUGH_REPLICAS: i16 = 19;

/// Only connections are made anew: producer and consumer are the same ones all the time.
#[test]
fn nothing_above_a_connection_is_restarted_when_a_broker_goes_and_comes() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        let producer = producer(&kafka).await;
        let mut consumer = consumer(&kafka).await;
        let mut sent = 0;
        for _ in 0..5 {
            let mut replies = Vec::new();
            for _ in 0..50 {
                replies.push(producer.send(message(&sent.to_string())).unwrap());
                sent += 1;
                if sent % 50 == 10 {
                    cluster.set(1, Mode::Down);
                }
                tokio::task::yield_now().await;
            }
            cluster.set(1, Mode::Up);
            for reply in replies {
                reply.await.unwrap().unwrap();
            }
        }
        assert_eq!(read(&mut consumer, sent).await, numbers(0, sent));
        let restarted = restarted(&kafka);
        assert!(!restarted.is_empty(), "{}", kafka.tree());
        let is_connection = |line: &String| line.contains("bootstrap ") || line.contains("broker 1 at ");
        assert!(restarted.iter().all(is_connection), "{restarted:?}");
        end(&kafka).await;
    });
}

/// The broker has it, the client does not know: it is sent again, and written once.
#[test]
fn a_batch_whose_answer_was_lost_is_written_once() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        let producer = producer(&kafka).await;
        producer.send(message("0")).unwrap().await.unwrap().unwrap();
        cluster.partition(|partition| partition.loses_answer = true);
        let replies: Vec<_> = numbers(1, 9).iter().map(|text| producer.send(message(text)).unwrap()).collect();
        for (offset, reply) in (1..).zip(replies) {
            assert_eq!(reply.await, Ok(Ok(offset)));
        }
        assert_eq!(cluster.partition(|partition| (partition.log.known_again, partition.log.end())), (1, 9));
        end(&kafka).await;
    });
}

#[test]
fn a_refusal_for_now_is_tried_again_in_order() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        let producer = producer_with(&kafka, |settings| settings.batch_records_max = 1).await;
        let mut consumer = consumer(&kafka).await;
        producer.send(message("0")).unwrap().await.unwrap().unwrap();
        cluster.partition(|partition| partition.refusals.extend([NOT_ENOUGH_REPLICAS; 3]));
        let replies: Vec<_> = numbers(1, 20).iter().map(|text| producer.send(message(text)).unwrap()).collect();
        for (offset, reply) in (1..).zip(replies) {
            assert_eq!(reply.await, Ok(Ok(offset)));
        }
        assert_eq!(read(&mut consumer, 20).await, numbers(0, 20));
        end(&kafka).await;
    });
}

#[test]
fn producer_and_consumer_follow_the_leader() {
    guarded(3, |cluster| async move {
        let kafka = client(&cluster).await;
        let producer = producer(&kafka).await;
        let mut consumer = consumer(&kafka).await;
        for (number, leader) in [2, 3, 1, 2].into_iter().enumerate() {
            cluster.partition(|partition| partition.leader = leader);
            let offset = producer.send(message(&number.to_string())).unwrap().await;
            assert_eq!(offset, Ok(Ok(number as i64)));
            assert_eq!(read(&mut consumer, 1).await, [number.to_string()]);
        }
        assert_eq!(restarted(&kafka), Vec::<String>::new());
        end(&kafka).await;
    });
}

/// A broker that is up and loses every connection at once is tried ever more rarely, for as long as it does.
#[test]
fn a_storm_of_lost_connections_stays_below_and_calms_down() {
    guarded(1, |cluster| async move {
        cluster.set(1, Mode::Flaps);
        let kafka = client(&cluster).await;
        let (producer, mut consumer) = (producer(&kafka).await, consumer(&kafka).await);
        let held = producer.send_within(message("0"), secs(7_200)).unwrap();
        tokio::time::sleep(secs(3_600)).await;
        let dials = cluster.state().dials;
        assert!((300..1_500).contains(&dials), "{dials} attempts in an hour");
        cluster.set(1, Mode::Up);
        assert_eq!(held.await, Ok(Ok(0)));
        assert_eq!(read(&mut consumer, 1).await, ["0"]);
        let restarted = restarted(&kafka);
        assert!(restarted.iter().all(|line| line.contains("broker-1:9092")), "{restarted:?}");
        end(&kafka).await;
    });
}

/// What hangs does not say that another one leads by now: the others do.
#[test]
fn a_leader_that_hangs_is_left_for_another() {
    guarded(3, |cluster| async move {
        let kafka = client(&cluster).await;
        let (producer, mut consumer) = (producer(&kafka).await, consumer(&kafka).await);
        producer.send(message("0")).unwrap().await.unwrap().unwrap();
        cluster.set(1, Mode::Hangs);
        let held: Vec<_> = ["1", "2"].map(|text| producer.send_within(message(text), secs(600)).unwrap()).into();
        cluster.partition(|partition| partition.leader = 2);
        let start = tokio::time::Instant::now();
        for (offset, reply) in (1..).zip(held) {
            assert_eq!(reply.await, Ok(Ok(offset)));
        }
        assert_eq!(read(&mut consumer, 3).await, numbers(0, 3));
        // The request to the leader is given up, then the one that asks the cluster, which has asked it first.
        assert!(start.elapsed() < secs(40), "{:?}", start.elapsed());
        end(&kafka).await;
    });
}

/// As a process that was stopped: connections are made, and nothing is answered.
#[test]
fn requests_end_on_time_while_a_broker_hangs_and_go_on_when_it_wakes() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        let producer = producer(&kafka).await;
        producer.send(message("0")).unwrap().await.unwrap().unwrap();
        cluster.set(1, Mode::Hangs);
        let start = tokio::time::Instant::now();
        let sent = producer.send_within(message("1"), secs(3)).unwrap();
        tokio::time::sleep(secs(1)).await;
        let waits = producer.send_within(message("2"), secs(1)).unwrap();
        let late = producer.send_within(message("3"), secs(600)).unwrap();
        // They may be with the broker, which has not said so.
        assert_eq!(waits.await, Err(Unanswered::Unknown));
        assert_eq!((sent.await, start.elapsed()), (Err(Unanswered::Unknown), secs(3)));
        tokio::time::sleep(secs(60)).await;
        cluster.set(1, Mode::Up);
        late.await.unwrap().unwrap();
        end(&kafka).await;
    });
}

#[test]
fn a_hanging_broker_holds_up_the_end_no_longer_than_the_flush() {
    guarded(1, |cluster| async move {
        let kafka = client(&cluster).await;
        let producer = producer(&kafka).await;
        let _consumer = consumer(&kafka).await;
        producer.send(message("0")).unwrap().await.unwrap().unwrap();
        cluster.set(1, Mode::Hangs);
        let reply = producer.send_within(message("1"), secs(600)).unwrap();
        let start = tokio::time::Instant::now();
        end(&kafka).await;
        // The flush, and no connection waits for an answer that is for nobody.
        assert!(start.elapsed() >= secs(5) && start.elapsed() <= secs(6), "{:?}", start.elapsed());
        assert_eq!(reply.await, Err(Unanswered::Unknown));
        assert!(kafka.report().is_some_and(|report| report.is_clean()));
    });
}
