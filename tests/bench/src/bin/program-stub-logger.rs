//! A plugin to be measured: it writes a line of each event to nowhere, says `registered` each time that it is, and
//! registers anew for each line that it reads. The one on Go's stub is in `tests/interop/nri/logger.go`.

use std::error::Error;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use landfall_stub::messages::{Container, PodSandbox};
use landfall_stub::{BoxError, EventMask, Stub};
use tokio::io::{AsyncBufReadExt, BufReader};

/// What a planted fault makes a handler take besides: several times an event.
const PLANTED: Duration = Duration::from_micros(400);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [name, index, socket, events, more @ ..] = &words[..] else {
        return Err("needs a name, an index, a socket and events".into());
    };
    let (events, plant): (EventMask, _) = (events.parse()?, !more.is_empty());
    let stub = Stub::builder(name, index.parse()?)
        .socket_path(socket)
        .on_configure(move |_, _| async move { Ok(events) })
        .on_synchronize(move |_, pods, containers| async move {
            // As long as an event's for each hundred objects.
            (0..(pods.len() + containers.len()) / 100).for_each(|_| spin(plant));
            writeln!(io::sink(), "Synchronize {} {}", pods.len(), containers.len())?;
            Ok(Vec::new())
        })
        .on_start_container(move |_, pod, container| async move { log("StartContainer", &pod, &container, plant) })
        .build()?;
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    loop {
        stub.start().await?;
        println!("registered");
        let line = input.next_line().await?;
        let report = stub.stop().await?;
        if !report.is_clean() {
            return Err(report.to_string().into());
        }
        if line.is_none() {
            return Ok(());
        }
    }
}

fn log(event: &str, pod: &PodSandbox, container: &Container, plant: bool) -> Result<(), BoxError> {
    spin(plant);
    Ok(writeln!(io::sink(), "{event} {} {}", pod.id, container.id)?)
}

fn spin(plant: bool) {
    let began = Instant::now();
    while plant && began.elapsed() < PLANTED {
        std::hint::spin_loop();
    }
}
