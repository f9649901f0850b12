//! The rules about `begin_terminate`.

use std::time::Duration;

use super::super::Verdict;
use super::super::bench::{Bench, broken, came, long, soon};
use crate::sync::Arc;
use crate::terminate::Terminate;

/// Blocking is told from a slow machine by this.
const BEGIN_MAX: Duration = Duration::from_secs(2);

pub(in super::super) async fn begin_returns<T: Terminate + 'static>(bench: &mut Bench<T>) -> Result<(), Verdict> {
    let subject = bench.loaded().await;
    let owner = Arc::clone(&subject.owner);
    let call = bench.on_thread(move || owner.begin_terminate(&long()));
    match bench.wall.within(BEGIN_MAX, "begin_terminate".to_owned(), call).await {
        Some(Ok(())) => Ok(()),
        Some(Err(error)) => Err(broken(error.to_string())),
        None => Err(broken(format!("not back after {BEGIN_MAX:?}"))),
    }
}

pub(super) async fn begin_repeats<T: Terminate + 'static>(bench: &mut Bench<T>) -> Result<(), Verdict> {
    let (owner, how) = (bench.plain().owner, long());
    owner.begin_terminate(&how);
    owner.begin_terminate(&long());
    came(bench.promptly("terminate after two begins", owner.terminate(&how)).await?)?;
    owner.begin_terminate(&how);
    came(bench.promptly("terminate after a begin after the end", owner.terminate(&how)).await?)
}

pub(super) async fn begin_suffices<T: Terminate + 'static>(bench: &mut Bench<T>) -> Result<(), Verdict> {
    let owner = bench.plain().owner;
    owner.begin_terminate(&long());
    bench.promptly("ended after a mere begin", owner.ended()).await?;
    let Ok(subject) = bench.hung().await else { return Ok(()) };
    // A thread that the work holds cannot be ended.
    if subject.work.as_ref().is_some_and(|work| work.blocks()) {
        return Ok(());
    }
    let how = soon();
    subject.owner.begin_terminate(&how);
    bench.on_time(subject.owner.ended(), how.abort(), "ended after a mere begin, with work in it").await
}
