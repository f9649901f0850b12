//! Shows what other plugins change: it registers at several indices, and compares what each is shown with what the one
//! before was.
//!
//! `03-differ --indices 0,50,99` serves a real runtime; without flags it shows what it does on a runtime inside of the
//! process.

#[path = "00-sample/mod.rs"]
mod sample;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Parser;
use futures_util::future::try_join_all;
use landfall_stub::messages::{Container, PodSandbox};
use landfall_stub::testing::TestRuntime;
use landfall_stub::{Adjustment, BoxError, StubBuilder};

/// Shows what other plugins change
#[derive(Debug, Parser)]
struct Options {
    /// At which indices to look, two or more in ascending order
    #[arg(long, value_delimiter = ',', default_value = "0,99")]
    indices: Vec<u8>,
    /// Path of the NRI socket file
    #[arg(long)]
    socket_path: Option<String>,
}

/// What the last index was shown of each container that is created.
type Shown = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

fn plugin(options: &Options, index: u8, shown: &Shown) -> StubBuilder {
    let socket_path = options.socket_path.clone();
    let identity = sample::Identity { idx: Some(index), name: None, socket_path };
    let (first, last) = (options.indices.first() == Some(&index), options.indices.last() == Some(&index));
    let shown = Arc::clone(shown);
    identity.builder("differ").on_create_container(move |_cx, _pod, container| {
        let now: Vec<String> = format!("{container:#?}").lines().map(str::to_owned).collect();
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        let before = shown.remove(&container.id).filter(|_| !first);
        for line in before.iter().flat_map(|before| difference(before, &now)) {
            println!("[{index:02}] CreateContainer: {}: {line}", container.name);
        }
        if !last {
            shown.insert(container.id, now);
        }
        async { Ok::<_, BoxError>(Adjustment::new()) }
    })
}

/// The lines between those that both begin with and those that both end with.
fn difference(before: &[String], after: &[String]) -> Vec<String> {
    let same = before.iter().zip(after).take_while(|(one, other)| one == other).count();
    let (before, after) = (&before[same..], &after[same..]);
    let same = before.iter().rev().zip(after.iter().rev()).take_while(|(one, other)| one == other).count();
    let gone = before[..before.len() - same].iter().map(|line| format!("- {}", line.trim()));
    gone.chain(after[..after.len() - same].iter().map(|line| format!("+ {}", line.trim()))).collect()
}

#[tokio::main]
async fn main() -> sample::Done {
    let options = Options::parse();
    if options.indices.len() < 2 || !options.indices.is_sorted_by(|one, next| one < next) {
        return Err("`--indices` needs two indices or more, in ascending order".into());
    }
    let shown = Shown::default();
    if !sample::is_rehearsal() {
        let build = |index: &u8| plugin(&options, *index, &shown).build();
        let stubs = options.indices.iter().map(build).collect::<Result<Vec<_>, _>>()?;
        try_join_all(stubs.iter().map(sample::serve)).await?;
        return Ok(());
    }
    let runtime = TestRuntime::new();
    let (first, at_first) = sample::rehearse(plugin(&options, 0, &shown), &runtime).await?;
    let (last, at_last) = sample::rehearse(plugin(&options, 99, &shown), &runtime).await?;
    let mut container = Container { id: "1".into(), name: "web".into(), ..Container::default() };
    at_first.create_container(PodSandbox::default(), container.clone()).await?;
    // As a runtime would, had a plugin in between set a variable.
    container.env.push("SEEN=1".into());
    at_last.create_container(PodSandbox::default(), container).await?;
    assert!(first.stop().await?.is_clean() && last.stop().await?.is_clean());
    Ok(())
}
