//! The scenarios, one after the other on one broker, each with a topic and a client of its own.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::slice::from_ref;
use std::time::Duration;

use futures_util::future::{FutureExt, LocalBoxFuture, join_all};
use landfall_kafka::{
    Begin, Consumer, ConsumerSettings, Endpoint, Kafka, Message, Producer, ProducerSettings, Sent, Settings,
};
use landfall_lifecycle::{Shutdown, Terminate};
use landfall_supervise::backlog::{Reply, Unanswered};
use tokio::time::{Instant, sleep, timeout};

use crate::broker::Broker;
use crate::program;

pub(crate) type Outcome = Result<String, Box<dyn Error>>;
type Scenario = for<'a> fn(&'a mut Broker) -> LocalBoxFuture<'a, Outcome>;

pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[
    ("starts-with-no-broker", |broker| starts_with_no_broker(broker).boxed_local()),
    ("broker-is-killed-under-load", |broker| broker_is_killed_under_load(broker).boxed_local()),
    ("broker-is-stopped", |broker| broker_is_stopped(broker).boxed_local()),
    ("ends-under-load", |broker| ends_under_load(broker).boxed_local()),
    ("program-is-ended", |broker| program::is_ended(broker).boxed_local()),
    ("leader-is-killed-under-load", |broker| leader_is_killed_under_load(broker).boxed_local()),
];

/// Longer than a broker takes to start on a busy machine.
const LONG: Duration = Duration::from_secs(300);

pub(crate) async fn client(broker: &Broker, topic: &str) -> Result<(Kafka, Producer, Consumer), Box<dyn Error>> {
    client_of(from_ref(broker), topic).await
}

async fn client_of(brokers: &[Broker], topic: &str) -> Result<(Kafka, Producer, Consumer), Box<dyn Error>> {
    let at = brokers.iter().map(|broker| format!("127.0.0.1:{}", broker.port()).parse::<Endpoint>());
    let kafka = Kafka::start(Settings::new(at.collect::<Result<_, _>>()?)).await?;
    let mut producing = ProducerSettings::default();
    producing.backlog.requests_max = 100_000;
    producing.flush_max = Duration::from_secs(3);
    let producer = kafka.producer(topic, 0, producing).await?;
    let mut consuming = ConsumerSettings::default();
    consuming.begin = Begin::Earliest;
    let consumer = kafka.consumer(topic, 0, consuming).await?;
    Ok((kafka, producer, consumer))
}

fn send(producer: &Producer, number: usize, within: Duration) -> Result<Reply<Message, Sent>, Box<dyn Error>> {
    Ok(producer.send_within(Message::new(number.to_string()), within)?)
}

/// Reads so many records, whose offsets must be without a gap; gives them by offset.
pub(crate) async fn read(consumer: &mut Consumer, count: usize) -> Result<BTreeMap<i64, String>, Box<dyn Error>> {
    let mut records = BTreeMap::new();
    for offset in 0..i64::try_from(count)? {
        let record = timeout(LONG, consumer.next()).await?.ok_or("the consumer ended")??;
        expect(record.offset == offset, || format!("offset {} came where {offset} was to come", record.offset))?;
        records.insert(offset, String::from_utf8(record.value.unwrap_or_default().to_vec())?);
    }
    Ok(records)
}

pub(crate) fn expect(is_so: bool, otherwise: impl FnOnce() -> String) -> Result<(), Box<dyn Error>> {
    if is_so { Ok(()) } else { Err(otherwise().into()) }
}

/// Ends a client, which must be clean, and leave no connection to any broker.
pub(crate) async fn end(kafka: &Kafka, brokers: &[Broker]) -> Result<Duration, Box<dyn Error>> {
    let connections = || brokers.iter().map(Broker::connections).sum::<std::io::Result<usize>>();
    // What counts none afterwards has to see those that there are.
    expect(connections()? > 0, || "no connection is seen, and there has to be one".to_owned())?;
    let start = Instant::now();
    let report = kafka.terminate(&Shutdown::within(Duration::from_secs(20), Duration::from_secs(21))).await?;
    let took = start.elapsed();
    expect(report.is_clean(), || report.to_string())?;
    let left = connections()?;
    expect(left == 0, || format!("{left} connections are left"))?;
    Ok(took)
}

/// The time that this process has had of the processors, in hundredths of a second.
fn cpu_time() -> Result<u64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<_> = stat.rsplit_once(") ").ok_or("no stat")?.1.split(' ').collect();
    Ok(fields[11].parse::<u64>()? + fields[12].parse::<u64>()?)
}

async fn starts_with_no_broker(broker: &mut Broker) -> Outcome {
    let (kafka, producer, mut consumer) = client(broker, "late").await?;
    let mut replies = Vec::new();
    for number in 0..100 {
        replies.push(send(&producer, number, LONG)?);
    }
    let before = cpu_time()?;
    sleep(Duration::from_secs(3)).await;
    let used = cpu_time()? - before;
    expect(used < 60, || format!("{used} hundredths of a second were used in 3 s with no broker"))?;
    broker.up("late").await?;
    for (offset, reply) in (0..).zip(replies) {
        let told = reply.await;
        expect(told == Ok(Ok(offset)), || format!("record {offset} was told {told:?}"))?;
    }
    let records = read(&mut consumer, 100).await?;
    expect(records.values().eq(&numbers(0, 100)), || format!("{records:?}"))?;
    let took = end(&kafka, from_ref(broker)).await?;
    Ok(format!("100 records waited and were written; {used} hundredths of CPU in 3 s; ended in {took:?}"))
}

fn numbers(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|number| number.to_string()).collect()
}

async fn broker_is_killed_under_load(broker: &mut Broker) -> Outcome {
    const KILLS: usize = 2;
    broker.up("killed").await?;
    let (kafka, producer, mut consumer) = client(broker, "killed").await?;
    let (mut replies, mut count) = (Vec::new(), 0);
    for _ in 0..KILLS {
        for part in 0..2 {
            for _ in 0..1_000 {
                replies.push(send(&producer, count, LONG)?);
                count += 1;
                if count % 20 == 0 {
                    sleep(Duration::from_millis(5)).await;
                }
            }
            if part == 0 {
                broker.kill()?;
            }
        }
        broker.up("killed").await?;
    }
    all_is_there(&kafka, &mut consumer, replies).await?;
    let took = end(&kafka, from_ref(broker)).await?;
    Ok(format!("{count} records over {KILLS} kills, each there once and in order; ended in {took:?}"))
}

/// All is acknowledged, and is there once and in order; only connections were restarted.
async fn all_is_there(
    kafka: &Kafka,
    consumer: &mut Consumer,
    replies: Vec<Reply<Message, Sent>>,
) -> Result<(), Box<dyn Error>> {
    let count = replies.len();
    for (number, told) in join_all(replies).await.into_iter().enumerate() {
        expect(matches!(told, Ok(Ok(offset)) if usize::try_from(offset) == Ok(number)), || {
            format!("record {number} was told {told:?}")
        })?;
    }
    let records = read(consumer, count).await?;
    expect(records.values().eq(&numbers(0, count)), || "what was read is not what was sent".to_owned())?;
    only_connections_were_restarted(kafka)
}

fn only_connections_were_restarted(kafka: &Kafka) -> Result<(), Box<dyn Error>> {
    let tree = kafka.tree().to_string();
    let restarted = tree.lines().filter(|line| line.contains("restarted"));
    let above: Vec<_> = restarted.filter(|line| !line.contains("127.0.0.1:")).collect();
    expect(above.is_empty(), || format!("restarted above a connection: {above:?}"))
}

async fn broker_is_stopped(broker: &mut Broker) -> Outcome {
    broker.up("stopped").await?;
    let (kafka, producer, mut consumer) = client(broker, "stopped").await?;
    let first = send(&producer, 0, LONG)?.await;
    expect(first == Ok(Ok(0)), || format!("record 0 was told {first:?}"))?;
    broker.stop().await?;
    let stopped = stopped(broker, &producer).await;
    // Whatever came of it: the next scenario needs it.
    broker.go_on()?;
    let expired = stopped?;
    let last = send(&producer, 999, LONG)?.await;
    let Ok(Ok(offset)) = last else { return Err(format!("record 999 was told {last:?}").into()) };
    let records = read(&mut consumer, usize::try_from(offset)? + 1).await?;
    let sent = expired.iter().find(|number| records.values().any(|record| *record == number.to_string()));
    expect(sent.is_none(), || format!("record {sent:?} was told Expired, and is there"))?;
    let took = end(&kafka, from_ref(broker)).await?;
    Ok(format!("{} records expired and are not there; ended in {took:?}", expired.len()))
}

/// What is sent while the broker is stopped is told on time; another client that is ended meanwhile ends on time. Gives
/// what was told Expired.
async fn stopped(broker: &Broker, producer: &Producer) -> Result<Vec<usize>, Box<dyn Error>> {
    const WITHIN: Duration = Duration::from_secs(2);
    let mut replies = Vec::new();
    for number in 1..200 {
        replies.push((number, Instant::now(), send(producer, number, WITHIN)?));
        sleep(Duration::from_millis(5)).await;
    }
    let (other, of_other, _consumer) = client(broker, "stopped").await?;
    let waits = send(&of_other, 1_000, LONG)?;
    let mut expired = Vec::new();
    for (number, start, reply) in replies {
        let told = reply.await;
        let took = start.elapsed();
        expect(took < WITHIN + Duration::from_secs(3), || format!("record {number} was told after {took:?}"))?;
        match told {
            Err(Unanswered::Expired) => expired.push(number),
            Err(Unanswered::Unknown) => {}
            told => return Err(format!("record {number} was told {told:?} by a stopped broker").into()),
        }
    }
    expect(!expired.is_empty(), || "nothing expired".to_owned())?;
    let start = Instant::now();
    let report = other.terminate(&Shutdown::within(Duration::from_secs(20), Duration::from_secs(21))).await?;
    let took = start.elapsed();
    expect(report.is_clean() && took < Duration::from_secs(10), || format!("{took:?}: {report}"))?;
    let told = waits.await;
    expect(told == Err(Unanswered::Terminating), || format!("what was never sent was told {told:?}"))?;
    Ok(expired)
}

async fn ends_under_load(broker: &mut Broker) -> Outcome {
    broker.up("ended").await?;
    let (kafka, producer, _consumer) = client(broker, "ended").await?;
    let first = send(&producer, 0, LONG)?.await;
    expect(first == Ok(Ok(0)), || format!("record 0 was told {first:?}"))?;
    let mut replies = Vec::new();
    for number in 1..20_000 {
        replies.push(send(&producer, number, LONG)?);
    }
    let took = end(&kafka, from_ref(broker)).await?;
    let told = join_all(replies).await;
    let written = told.iter().filter(|told| matches!(told, Ok(Ok(_)))).count();
    // What is not written was never sent, or nobody knows; no reply is left without an answer.
    let odd = told.iter().find(|told| !matches!(told, Ok(Ok(_)) | Err(Unanswered::Terminating | Unanswered::Unknown)));
    expect(odd.is_none(), || format!("a record was told {odd:?}"))?;
    let (kafka, _producer, mut consumer) = client(broker, "ended").await?;
    let records = read(&mut consumer, written + 1).await?;
    expect(records.values().eq(&numbers(0, written + 1)), || "what was read is not what was acknowledged".to_owned())?;
    end(&kafka, from_ref(broker)).await?;
    Ok(format!("{written} of 19999 records that waited were written by the flush; ended in {took:?}"))
}

/// The broker to which the producers' connection is, as the tree tells.
fn leader(kafka: &Kafka) -> Result<usize, Box<dyn Error>> {
    let tree = kafka.tree().to_string();
    let line = tree.lines().find(|line| line.contains("─ broker ") && !line.contains(" for "));
    let id = line.and_then(|line| line.split("─ broker ").nth(1)?.split(' ').next()).ok_or(tree.clone())?;
    Ok(id.parse()?)
}

/// Three brokers with a copy each: the one that leads is killed, and comes again.
async fn leader_is_killed_under_load(broker: &mut Broker) -> Outcome {
    broker.kill()?;
    let mut brokers = Broker::cluster(broker.jars(), 3)?;
    for one in &mut brokers {
        one.spawn()?;
    }
    brokers[0].up("led").await?;
    let (kafka, producer, mut consumer) = client_of(&brokers, "led").await?;
    let first = send(&producer, 0, LONG)?;
    let (mut replies, before) = (Vec::new(), {
        // Once it is written there is a connection to the leader.
        let told = first.await;
        expect(told == Ok(Ok(0)), || format!("record 0 was told {told:?}"))?;
        leader(&kafka)?
    });
    for number in 1..2_000 {
        replies.push(send(&producer, number, LONG)?);
        if number == 1_000 {
            brokers.iter_mut().find(|one| one.id() == before).ok_or("nobody leads")?.kill()?;
        }
        if number % 20 == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    }
    let last = replies.pop().ok_or("nothing was sent")?.await;
    let after = leader(&kafka)?;
    expect(last == Ok(Ok(1_999)) && after != before, || format!("{last:?}, broker {before}, then {after}"))?;
    brokers.iter_mut().find(|one| one.id() == before).ok_or("nobody leads")?.up("led").await?;
    for number in 2_000..2_500 {
        replies.push(send(&producer, number, LONG)?);
    }
    let told = join_all(replies).await;
    let odd = told.iter().find(|told| !matches!(told, Ok(Ok(_))));
    expect(odd.is_none(), || format!("a record was told {odd:?}"))?;
    let records = read(&mut consumer, 2_500).await?;
    expect(records.values().eq(&numbers(0, 2_500)), || "what was read is not what was sent".to_owned())?;
    only_connections_were_restarted(&kafka)?;
    let took = end(&kafka, &brokers).await?;
    Ok(format!("2500 records from broker {before} to broker {after}, each there once and in order; ended in {took:?}"))
}
