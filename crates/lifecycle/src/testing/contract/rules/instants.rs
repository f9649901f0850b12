//! The rules about instants: on time, tightened only, and kept when callers leave.

use std::time::Instant;

use super::super::Verdict;
use super::super::bench::{Bench, LATE_MAX, Subject, both_came, broken, came, long, not_applicable, soon};
use super::begun;
use crate::report::Report;
use crate::shutdown::Shutdown;
use crate::terminate::{SelfJoin, Terminate};
use crate::testing::cancel::{Cut, cancel_at_every_poll_on};
use crate::testing::wall::Wall;

pub(super) async fn on_time<T: Terminate + 'static>(bench: &mut Bench<T>) -> Result<(), Verdict> {
    let (owner, how) = (bench.hung().await?.owner, soon());
    came(bench.on_time(owner.terminate(&how), how.abort(), "terminate").await?)
}

pub(super) async fn tightens<T: Terminate + 'static>(bench: &mut Bench<T>) -> Result<(), Verdict> {
    let owner = bench.hung().await?.owner;
    let late = long();
    let first = begun(owner.terminate(&late));
    let early = soon();
    let both = both_came(first, owner.terminate(&early));
    bench.on_time(both, early.abort(), "terminate, with a second one that is to end earlier").await??;
    if !bench.begin_suffices {
        return Ok(());
    }
    let owner = bench.hung().await?.owner;
    let first = begun(owner.terminate(&late));
    let early = soon();
    owner.begin_terminate(&early);
    came(bench.on_time(first, early.abort(), "terminate, with a begin that is to end earlier").await?)
}

pub(super) async fn never_loosens<T: Terminate + 'static>(bench: &mut Bench<T>) -> Result<(), Verdict> {
    let owner = bench.hung().await?.owner;
    let (early, late) = (soon(), long());
    let first = begun(owner.terminate(&early));
    let both = both_came(first, owner.terminate(&late));
    bench.on_time(both, early.abort(), "terminate, with a second one that may end later").await??;
    if !bench.begin_suffices {
        return Ok(());
    }
    let owner = bench.hung().await?.owner;
    let early = soon();
    owner.begin_terminate(&early);
    let call = owner.terminate(&late);
    came(bench.on_time(call, early.abort(), "terminate after a begin that is to end earlier").await?)
}

pub(super) async fn drop_loses_nothing<T: Terminate + 'static>(bench: &mut Bench<T>) -> Result<(), Verdict> {
    let wall = bench.wall.clone();
    let mut found = Ok(());
    let set_up = async || (bench.busy().await, soon());
    let run = async |(subject, how): &mut (Subject<T>, Shutdown)| subject.owner.terminate(how).await;
    let check = async |(subject, how): (Subject<T>, Shutdown), cut: Cut| {
        if found.is_ok() && !cut.completed && cut.polls > 0 {
            found = ends_alone(&wall, &subject, &how, cut).await;
        }
        if let Some(work) = &subject.work {
            work.release();
        }
    };
    match cancel_at_every_poll_on(set_up, run).ready_at_once().polls_max(256).try_check(check).await {
        Err(fault) if found.is_ok() => Err(broken(fault.to_string())),
        Ok(cuts) if found.is_ok() && cuts.polls == 0 => Err(not_applicable("terminate is ready at its first poll")),
        _ => found,
    }
}

/// Nobody waits for it any more.
async fn ends_alone<T: Terminate + 'static>(
    wall: &Wall,
    subject: &Subject<T>,
    how: &Shutdown,
    cut: Cut,
) -> Result<(), Verdict> {
    let limit = how.abort() + LATE_MAX;
    if let Some(work) = subject.work.as_ref().filter(|work| !work.blocks())
        && wall.until(limit, "the work of an owner nobody waits for".to_owned(), work.gone()).await.is_none()
    {
        return Err(broken(format!("its work ran on {LATE_MAX:?} after the abort instant, {cut}")));
    }
    let again: Option<Result<Report, SelfJoin>> = {
        let (later, until) = (long(), limit.max(Instant::now() + LATE_MAX));
        wall.until(until, "a second terminate".to_owned(), subject.owner.terminate(&later)).await
    };
    match again {
        Some(result) => came(result),
        None => Err(broken(format!("a second call gave no report, {cut}"))),
    }
}
