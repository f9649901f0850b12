//! A set of tasks that is terminated: one drains, one ignores the token, one is a blocking job.

use std::time::Duration;

use landfall_lifecycle::{Shutdown, TaskSet, Terminate};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tasks = TaskSet::new("example");

    let stop = tasks.token();
    tasks.spawn("polite", async move { stop.cancelled().await })?;
    tasks.spawn("deaf", std::future::pending::<()>())?;
    let job = tasks.spawn_blocking("sum", |_token| (1..=1_000_000_u64).sum::<u64>())?;
    println!("sum = {}", job.await?);

    for task in tasks.live() {
        println!("live: {} ({}:{})", task.name, task.place.file, task.place.line);
    }
    let how = Shutdown::within(Duration::from_millis(200), Duration::from_millis(400));
    let report = tasks.terminate(&how).await?;
    println!("{report}");
    assert!(report.is_clean());

    // The set is closed for good.
    println!("{}", tasks.spawn("late", async {}).expect_err("it has terminated"));
    Ok(())
}
