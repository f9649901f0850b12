//! From a connection that is lost to a plugin that is registered again.

use std::time::{Duration, Instant};

use landfall_stub::Stub;
use landfall_stub::testing::TestRuntime;
use tokio::runtime::Builder;

use super::OURS;
use crate::{Bound, Cell, Options, Series};

/// In milliseconds.
const AGAIN: f64 = 5.0;
/// A planted delay before the start.
const PLANTED: Duration = Duration::from_millis(50);

pub(super) fn cells(options: &Options) -> Vec<Cell> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let samples = runtime.expect("the machine has threads for a runtime").block_on(rounds(options));
    vec![Cell {
        name: "lost, and registered again without a delay".to_owned(),
        unit: "ms",
        ours: Series { of: OURS, samples },
        peer: None,
        bound: Some(Bound::Max(AGAIN)),
    }]
}

async fn rounds(options: &Options) -> Vec<f64> {
    let (runtime, plant) = (TestRuntime::new(), options.plant);
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let stub = Stub::builder("logger", 10)
        .on_start_container(async |_, _, _| Ok(()))
        .on_close(move |stub, _| {
            let tell = tell.clone();
            async move {
                if plant {
                    tokio::time::sleep(PLANTED).await;
                }
                // Refused when it is over.
                if stub.start().await.is_ok() {
                    _ = tell.send(Instant::now());
                }
            }
        })
        .dialer(runtime.dialer())
        .build();
    let stub = stub.expect("it is sound");
    stub.start().await.expect("the runtime behaves well");
    let mut samples = Vec::new();
    for _ in 0..options.rounds {
        let plugin = runtime.next_plugin().await.expect("the runtime behaves well");
        let lost = Instant::now();
        plugin.close();
        let registered = told.recv().await.expect("it starts again");
        samples.push(registered.duration_since(lost).as_secs_f64() * 1_000.0);
    }
    drop(stub);
    samples
}
