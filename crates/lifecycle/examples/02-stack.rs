//! Components that end in reverse order of their start, two of them in parallel, one with a share of the time.

use std::time::Duration;

use landfall_lifecycle::{Level, Shutdown, SpawnError, Stack, TaskSet, Terminate};

fn component(name: &'static str) -> Result<TaskSet, SpawnError> {
    let tasks = TaskSet::new(name);
    let stop = tasks.token();
    tasks.spawn("worker", async move {
        stop.cancelled().await;
        println!("{name} drains");
    })?;
    Ok(tasks)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let stack = Stack::new("shop");
    stack.push(component("storage")?)?;
    stack.push_level(Level::of(component("importer")?).and(component("exporter")?).share(Duration::from_secs(1)))?;
    stack.push(component("listener")?)?;

    let report = stack.terminate(&Shutdown::within(Duration::from_secs(5), Duration::from_secs(6))).await?;
    println!("{report}");
    assert!(report.is_clean());
    Ok(())
}
