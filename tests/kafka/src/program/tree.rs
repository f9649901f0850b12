//! `tree`: every worker and every connection of a client that works on a topic.

use std::error::Error;
use std::time::Duration;

use landfall_kafka::{ConsumerSettings, Kafka, ProducerSettings};
use landfall_lifecycle::{ServiceCx, TaskSet};
use tokio::time::interval;

use super::options::Target;

const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) async fn start(
    cx: &ServiceCx,
    kafka: Kafka,
    target: &Target,
    partitions: &[i32],
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let showing = TaskSet::new("showing");
    cx.stack().push(kafka.clone())?;
    cx.stack().push(showing.clone())?;
    let mut held = Vec::new();
    for partition in partitions {
        let producer = kafka.producer(&target.topic, *partition, ProducerSettings::default()).await?;
        held.push((producer, kafka.consumer(&target.topic, *partition, ConsumerSettings::default()).await?));
    }
    let stop = showing.token();
    showing.spawn("show", async move {
        let _held = held;
        let show = async {
            let (mut ticks, mut shown) = (interval(LOOK_EVERY), String::new());
            loop {
                ticks.tick().await;
                let now = kafka.tree().to_string();
                if now != shown {
                    println!("{now}\n");
                    shown = now;
                }
            }
        };
        stop.run_until_cancelled(show).await;
    })?;
    Ok(())
}
