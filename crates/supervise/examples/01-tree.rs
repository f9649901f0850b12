//! A tree of a component, a worker that crashes twice, and a supervisor with children made from a template.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use landfall_lifecycle::{Shutdown, SpawnError, TaskSet, Terminate};
use landfall_supervise::{
    Backoff, ChildSpec, ChildState, RestartType, SimpleSupervisor, Strategy, Supervisor, SupervisorBuilder, Template,
    TreeEventKind,
};

/// A component: any owner of background work will do.
async fn cache() -> Result<TaskSet, SpawnError> {
    let tasks = TaskSet::new("cache");
    let stop = tasks.token();
    tasks.spawn("evict", async move { stop.cancelled().await })?;
    Ok(tasks)
}

fn connections() -> SupervisorBuilder {
    let template = Template::worker("connection", |cx, peer: String| async move {
        println!("connected to {peer}");
        cx.token().cancelled().await;
    });
    Supervisor::builder("connections").template(template.restart(RestartType::Temporary)).into()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let attempts = Arc::new(AtomicU32::new(0));
    let ingest = ChildSpec::worker("ingest", move |cx| {
        let attempts = Arc::clone(&attempts);
        async move {
            // An error is a crash: the first two attempts find no broker.
            if attempts.fetch_add(1, Ordering::Relaxed) < 2 {
                return Err("no broker");
            }
            cx.ready();
            cx.token().cancelled().await;
            Ok(())
        }
    });
    let soon = Backoff::exponential(Duration::from_millis(20), Duration::from_secs(1));

    let tree = Supervisor::builder("app")
        .strategy(Strategy::RestForOne)
        .intensity(0, Duration::from_secs(5))
        .answers_early()
        .child(ChildSpec::component("cache", cache))
        .child(ChildSpec::supervisor("connections", connections))
        .child(ingest.restart(RestartType::Permanent.delayed(soon)))
        .start()
        .await?;

    let mut events = tree.events();
    while !tree.which_child("ingest").is_some_and(|child| child.state == ChildState::Running && child.restarts == 2) {
        if let Some(Ok(event)) = events.recv().await
            && let TreeEventKind::Reported(report) = event.kind
        {
            println!("{report}");
        }
    }
    let connections = tree.supervisor("connections").ok_or("it is up")?;
    let connections = SimpleSupervisor::<String>::of(&connections).ok_or("it has that template")?;
    connections.start_child("127.0.0.1:9092".to_owned()).await?;
    println!("{}", tree.tree());

    let report = tree.terminate(&Shutdown::within(Duration::from_secs(5), Duration::from_secs(6))).await?;
    println!("{report}");
    assert!(report.is_clean());
    Ok(())
}
