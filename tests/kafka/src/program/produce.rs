//! `produce`: lines to records.
//!
//! It ends in this order: the thread that reads and the task that sends, which has a moment for what was read, the client,
//! which flushes, then the task that counts what became of each line.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use landfall_kafka::{Kafka, Message, Producer, ProducerSettings, Sent};
use landfall_lifecycle::{Reason, ServiceCx, TaskSet};
use landfall_supervise::backlog::Reply;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{Instant, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::input::{self, Line};
use super::options::Target;
use super::tally::Tally;

/// Lines that are under way at most; the backlog of each partition has room for all.
const UNDER_WAY_MAX: usize = 500;
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// How long lines that were read are passed on when no more are to be.
const PASS_ON_MAX: Duration = Duration::from_secs(2);

type Waits = Reply<Message, Sent>;

pub(super) async fn start(
    cx: &ServiceCx,
    kafka: Kafka,
    target: &Target,
    partitions: &[i32],
    tally: Arc<Tally>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (counting, reading) = (TaskSet::new("counting"), TaskSet::new("reading"));
    cx.stack().push(counting.clone())?;
    cx.stack().push(kafka.clone())?;
    cx.stack().push(reading.clone())?;
    let mut producers = Vec::new();
    for partition in partitions {
        producers.push(kafka.producer(&target.topic, *partition, ProducerSettings::default()).await?);
    }
    let (line_in, lines) = mpsc::channel(64);
    // What is in the channel and what is waited for are half of what may be under way each.
    let (reply_in, replies) = mpsc::channel(UNDER_WAY_MAX / 2);
    let left = Arc::clone(&tally);
    reading.spawn_thread("stdin", move |stop: &CancellationToken| match input::lines(stop, &line_in) {
        Ok(unwanted) => left.left(unwanted),
        Err(error) => eprintln!("standard input: {error}"),
    })?;
    let (stop, sent) = (reading.token(), Arc::clone(&tally));
    reading.spawn("send", async move { send(stop, &producers, lines, reply_in, &sent).await })?;
    let cx = cx.clone();
    counting.spawn("count", async move {
        count(replies, &tally).await;
        // Nothing if it is being terminated.
        cx.terminate(Reason::Requested);
    })?;
    Ok(())
}

/// Sends what is read, and for a moment after it is stopped; what is left then is counted.
async fn send(
    stop: CancellationToken,
    producers: &[Producer],
    mut lines: Receiver<Line>,
    replies: Sender<Waits>,
    tally: &Tally,
) {
    let is_over = async {
        stop.cancelled().await;
        sleep(PASS_ON_MAX).await;
    };
    tokio::select! {
        () = pass_on(producers, &mut lines, &replies, tally) => {}
        () = is_over => {}
    }
    lines.close();
    while lines.recv().await.is_some() {
        tally.left(1);
    }
}

/// Sends line after line, to the partitions in turn. Cancel safe: each line is sent or still there.
async fn pass_on(producers: &[Producer], lines: &mut Receiver<Line>, replies: &Sender<Waits>, tally: &Tally) {
    for producer in producers.iter().cycle() {
        let Ok(room) = replies.reserve().await else { return };
        let Some(line) = lines.recv().await else { return };
        let number = tally.read();
        let sent = match line {
            Ok(line) => producer.send(Message::new(line)).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match sent {
            Ok(reply) => room.send(reply),
            Err(error) => {
                eprintln!("line {number}: {error}");
                tally.refused();
            }
        }
    }
}

/// Counts what became of the lines until nobody sends any more and all are told.
async fn count(mut replies: Receiver<Waits>, tally: &Tally) {
    let mut waiting = FuturesUnordered::new();
    let mut ticks = interval(PROGRESS_EVERY);
    let (begun, mut shown) = (Instant::now(), String::new());
    let mut is_open = true;
    while is_open || !waiting.is_empty() {
        tokio::select! {
            reply = replies.recv(), if is_open && waiting.len() < UNDER_WAY_MAX / 2 => match reply {
                Some(reply) => waiting.push(reply),
                None => is_open = false,
            },
            Some(told) = waiting.next() => {
                if let Ok(Err(refused)) = &told {
                    eprintln!("a line was not written: {refused}");
                }
                tally.count(told);
            }
            _ = ticks.tick() => {
                let now = tally.to_string();
                if now != shown {
                    eprintln!("{:4} s  {now}", begun.elapsed().as_secs());
                    shown = now;
                }
            }
        }
    }
}
