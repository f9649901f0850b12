//! A whole process: press Ctrl-C, or wait for it to end by itself after three ticks.

use std::process::ExitCode;
use std::time::Duration;

use landfall_lifecycle::{Reason, TaskSet, service};

fn main() -> ExitCode {
    service("clock").grace(Duration::from_secs(5)).run(|cx| async move {
        let tasks = TaskSet::new("ticker");
        cx.stack().push(tasks.clone())?;
        let (stop, end) = (tasks.token(), cx.clone());
        tasks.spawn("tick", async move {
            let mut beat = tokio::time::interval(Duration::from_millis(100));
            for tick in 1..=3 {
                if stop.run_until_cancelled(beat.tick()).await.is_none() {
                    return;
                }
                println!("tick {tick}");
            }
            end.terminate(Reason::Requested);
        })?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    })
}
