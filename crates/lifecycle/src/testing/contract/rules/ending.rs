//! The rules about what an ending looks like from outside.

use futures_util::future::join;

use super::super::Verdict;
use super::super::bench::{Bench, Subject, broken, came, long, reported, soon};
use super::begun;
use crate::block_on::block_on;
use crate::report::Report;
use crate::shutdown::Reason;
use crate::sync::Arc;
use crate::terminate::Terminate;

pub(super) async fn name<T: Terminate + 'static>(bench: &mut Bench<T>) -> Result<(), Verdict> {
    let (owner, how) = (bench.plain().owner, long());
    let before = owner.name().into_owned();
    if before.is_empty() {
        return Err(broken("the name is empty"));
    }
    let mut seen = vec![owner.name().into_owned()];
    let call = begun(owner.terminate(&how));
    seen.push(owner.name().into_owned());
    let report = reported(bench.promptly("terminate", call).await?)?;
    seen.extend([owner.name().into_owned(), report.name.into_owned()]);
    match seen.into_iter().find(|name| *name != before) {
        Some(other) => Err(broken(format!("it was {before:?} and became {other:?}"))),
        None => Ok(()),
    }
}

pub(super) async fn ended<T: Terminate + 'static>(bench: &mut Bench<T>) -> Result<(), Verdict> {
    let (owner, how) = (bench.plain().owner, long());
    let early = join(begun(owner.ended()), begun(owner.ended()));
    came(bench.promptly("terminate", owner.terminate(&how)).await?)?;
    bench.promptly("ended, asked by two before the begin", early).await?;
    for _ in 0..2 {
        bench.promptly("ended, asked after the end", owner.ended()).await?;
    }
    Ok(())
}

pub(super) async fn truthful<T: Terminate + 'static>(bench: &mut Bench<T>) -> Result<(), Verdict> {
    let (subject, how) = (bench.hung().await?, soon());
    let report = bench.on_time(subject.owner.terminate(&how), how.abort(), "terminate").await?;
    // Looked at before anything else is awaited: it is to be gone when the report is there.
    let is_gone = subject.work.as_ref().is_none_or(|work| work.is_gone());
    let report = reported(report)?;
    if report.is_clean() && !is_gone {
        return Err(broken("the report is clean, and the work is still there"));
    }
    Ok(())
}

pub(super) async fn one_ending<T: Terminate + 'static>(bench: &mut Bench<T>) -> Result<(), Verdict> {
    let Subject { owner, .. } = bench.busy().await;
    let how = soon();
    let [first, second, third] = ["first", "second", "third"].map(|caller| {
        let how = how.clone();
        how.because(Reason::Failed(caller.into()))
    });
    let first_call = begun(owner.terminate(&first));
    let (on_thread, context) = (Arc::clone(&owner), third.clone());
    let third_call = bench.on_thread(move || block_on(on_thread.terminate(&context)));
    let calls = join(join(first_call, owner.terminate(&second)), third_call);
    let ((first_result, second), third_result) = bench.on_time(calls, how.abort(), "three calls at once").await?;
    let first = reported(first_result)?;
    let third_result = third_result.map_err(|error| broken(format!("a call on another thread: {error}")))?;
    let later = bench.promptly("terminate after the end", owner.terminate(&third)).await?;
    for (other, which) in [(second, "second"), (third_result, "third"), (later, "later")] {
        if let Some(what) = difference(&first, &reported(other)?) {
            return Err(broken(format!("the {which} caller's report differs from the first one's in its {what}")));
        }
    }
    Ok(())
}

/// What two reports of one ending do not agree in.
fn difference(one: &Report, other: &Report) -> Option<&'static str> {
    let differences = [
        (one.name == other.name, "name"),
        (one.reason == other.reason, "reason"),
        (one.counts == other.counts, "counts"),
        (one.tasks.len() == other.tasks.len(), "tasks"),
        (one.remnants.len() == other.remnants.len(), "remnants"),
        (one.children.len() == other.children.len(), "children"),
        (one.error == other.error, "error"),
    ];
    let own = differences.into_iter().find(|(is_same, _)| !is_same).map(|(_, what)| what);
    own.or_else(|| one.children.iter().zip(&other.children).find_map(|(one, other)| difference(one, other)))
}
