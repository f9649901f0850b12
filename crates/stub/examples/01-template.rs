//! A plugin to begin your own from: it is told of a container that is created, and adjusts nothing.
//!
//! `01-template --idx 10` serves a real runtime; without flags it shows what it does on a runtime inside of the process.

#[path = "00-sample/mod.rs"]
mod sample;

use clap::Parser;
use landfall_stub::messages::{Container, PodSandbox};
use landfall_stub::testing::TestRuntime;
use landfall_stub::{Adjustment, StubBuilder};

/// A plugin that adjusts nothing
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    identity: sample::Identity,
}

fn plugin(options: &Options) -> StubBuilder {
    options.identity.builder("template").on_create_container(async |_cx, pod, container| {
        println!("{}/{} is created", pod.name, container.name);
        Ok(Adjustment::new())
    })
}

#[tokio::main]
async fn main() -> sample::Done {
    let options = Options::parse();
    if !sample::is_rehearsal() {
        return sample::serve(&plugin(&options).build()?).await;
    }
    let (stub, runtime) = sample::rehearse(plugin(&options), &TestRuntime::new()).await?;
    let answer = runtime.create_container(PodSandbox::default(), Container::default()).await?;
    assert_eq!(answer.adjust, None);
    assert!(stub.stop().await?.is_clean());
    Ok(())
}
