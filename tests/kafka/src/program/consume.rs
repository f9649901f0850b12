//! `consume`: records to lines.
//!
//! It ends in this order: the tasks that read, the client, then the thread that writes.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use landfall_kafka::{Begin, Consumer, ConsumerSettings, Kafka};
use landfall_lifecycle::{Reason, ServiceCx, TaskSet};
use tokio::sync::mpsc::{self, Sender};
use tokio_util::sync::CancellationToken;

use super::options::Target;
use super::output::write_lines;

/// Lines that wait to be written.
const LINES_MAX: usize = 256;

pub(super) async fn start(
    cx: &ServiceCx,
    kafka: Kafka,
    target: &Target,
    partitions: &[i32],
    (from, count): (Begin, Option<u64>),
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (writing, reading) = (TaskSet::new("writing"), TaskSet::new("reading"));
    cx.stack().push(writing.clone())?;
    cx.stack().push(kafka.clone())?;
    cx.stack().push(reading.clone())?;
    let (line_in, mut lines) = mpsc::channel(LINES_MAX);
    let over = cx.clone();
    writing.spawn_thread("stdout", move |stop: &CancellationToken| match write_lines(stop, &mut lines) {
        // Nobody gives any more: all readers have ended.
        Ok(()) => over.terminate(Reason::Requested),
        Err(error) => over.terminate(Reason::Failed(format!("standard output: {error}").into())),
    })?;
    let left = Arc::new(AtomicU64::new(count.unwrap_or(u64::MAX)));
    for partition in partitions {
        let mut settings = ConsumerSettings::default();
        settings.begin = from;
        let consumer = kafka.consumer(&target.topic, *partition, settings).await?;
        let (stop, cx, lines, left) = (reading.token(), cx.clone(), line_in.clone(), Arc::clone(&left));
        reading.spawn(format!("read {partition}"), async move {
            if let Some(Err(reason)) = stop.run_until_cancelled(read(consumer, lines, &left)).await {
                cx.terminate(reason);
            }
        })?;
    }
    Ok(())
}

/// Passes records on, until there are enough of all partitions together.
async fn read(mut consumer: Consumer, lines: Sender<Vec<u8>>, left: &AtomicU64) -> Result<(), Reason> {
    while let Some(record) = consumer.next().await {
        let record = record.map_err(|error| {
            eprintln!("{error}");
            Reason::Failed(error.to_string().into())
        })?;
        let is_wanted = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        let Ok(before) = is_wanted else { return Ok(()) };
        let line = [record.value.as_deref().unwrap_or_default(), b"\n"].concat();
        if lines.send(line).await.is_err() {
            return Ok(());
        }
        if before == 1 {
            return Err(Reason::Requested);
        }
    }
    Ok(())
}
