//! The client as a program: lines in, lines out, and how it ended on standard error.

mod consume;
mod input;
mod options;
mod output;
mod produce;
mod tally;
mod tree;

use std::error::Error;
use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use landfall_kafka::{Kafka, Settings};
use landfall_lifecycle::{ServiceCx, service};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use self::options::{Options, Task};
use self::tally::Tally;

/// Longer than producers flush, with the second that each connection may take.
const GRACE: Duration = Duration::from_secs(15);

/// Runs the program until its lines or its signals end it.
pub(crate) fn run() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        // Prints help and version too, and exits with 0 for those, with 2 for what is wrong.
        Err(error) => error.exit(),
    };
    let logs = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    if let Err(error) = tracing_subscriber::registry().with(logs.with_filter(LevelFilter::WARN)).try_init() {
        eprintln!("no logs: {error}");
    }
    let tally = Arc::new(Tally::default());
    let (told, judged) = (Arc::clone(&tally), Arc::clone(&tally));
    let code = service("landfall-kafka")
        .grace(GRACE)
        .on_report(move |report| eprintln!("{told}\n{report}"))
        .run(move |cx| async move { start(&cx, options.task, tally).await.map_err(Failure) });
    // A clean end does not say that all was sent.
    if judged.is_whole() { code } else { ExitCode::FAILURE }
}

async fn start(cx: &ServiceCx, task: Task, tally: Arc<Tally>) -> Result<(), Box<dyn Error + Send + Sync>> {
    let target = task.target();
    let kafka = Kafka::start(Settings::new(target.bootstrap.clone())).await?;
    eprintln!("asking {} about topic {:?}", list(&target.bootstrap), target.topic);
    let found = {
        let (stop, found) = (cx.token(), target.partitions(&kafka));
        stop.run_until_cancelled(found).await
    };
    let partitions = match found {
        Some(Ok(partitions)) => partitions,
        // It is ended with the service.
        Some(Err(error)) => {
            cx.stack().push(kafka)?;
            return Err(error);
        }
        None => return Ok(cx.stack().push(kafka)?),
    };
    match task {
        Task::Produce { target } => produce::start(cx, kafka, &target, &partitions, tally).await,
        Task::Consume { target, from, count } => consume::start(cx, kafka, &target, &partitions, (from, count)).await,
        Task::Tree { target } => tree::start(cx, kafka, &target, &partitions).await,
    }
}

fn list(things: &[impl fmt::Display]) -> String {
    things.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Shows a failure with its causes.
struct Failure(Box<dyn Error + Send + Sync>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
