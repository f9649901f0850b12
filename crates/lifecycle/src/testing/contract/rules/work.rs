//! The rules about an owner's own work, and about where it can live.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::FutureExt;

use super::super::Verdict;
use super::super::bench::{Bench, Subject, broken, came, long, not_applicable};
use super::super::work::{Moment, Work};
use super::begun;
use crate::block_on::block_on;
use crate::sync::{Arc, Mutex};
use crate::terminate::Terminate;

/// For how long accepted work may not have been seen to run.
const START_MAX: Duration = Duration::from_millis(200);

pub(super) async fn refuses_late_work<T: Terminate + 'static>(bench: &mut Bench<T>) -> Result<(), Verdict> {
    if bench.contract.work.is_none() && bench.contract.refuses.is_none() {
        return Err(not_applicable("needs work() or refuses()"));
    }
    refuses_after(bench, false).await?;
    if bench.begin_suffices { refuses_after(bench, true).await } else { Ok(()) }
}

async fn refuses_after<T: Terminate + 'static>(bench: &mut Bench<T>, mere_begin: bool) -> Result<(), Verdict> {
    let Subject { owner, work } = bench.loaded().await;
    let how = long();
    let (call, after) = if mere_begin {
        owner.begin_terminate(&how);
        (owner.terminate(&how), "begin_terminate")
    } else {
        (begun(owner.terminate(&how)), "terminate")
    };
    if let Some(refuses) = &mut bench.contract.refuses {
        if !refuses(&owner) {
            return Err(broken(format!("accepted after {after}")));
        }
    } else if let Some(start) = &mut bench.contract.work {
        let (late, seen) = Work::new(None);
        start(&owner, late);
        // Work that was refused is dropped; some owners keep it and never run it.
        if bench.wall.within(START_MAX, "late work".to_owned(), seen.started()).await == Some(true) {
            return Err(broken(format!("work given to it after {after} was run")));
        }
    }
    if let Some(work) = work {
        work.release();
    }
    came(bench.promptly("terminate with its work at an end", call).await?)
}

/// What the owner's own work was told when it waited for the owner.
enum Told {
    SelfJoin,
    Something { knows: bool },
}

pub(super) async fn self_join<T: Terminate + 'static>(bench: &mut Bench<T>) -> Result<(), Verdict> {
    if bench.contract.work.is_none() {
        return Err(not_applicable("needs work()"));
    }
    let told = Arc::new(Mutex::new(Vec::new()));
    let tells = Arc::clone(&told);
    let act = move |owner: &Arc<T>| {
        let weak = Arc::downgrade(owner);
        let act = move |moment| {
            let Some(owner) = weak.upgrade() else { return };
            let knows = owner.calling_task().is_some();
            let polled = owner.terminate(&long()).poll_unpin(&mut Context::from_waker(Waker::noop()));
            let is_self_join = matches!(polled, Poll::Ready(Err(_)));
            tells.lock().push((moment, if is_self_join { Told::SelfJoin } else { Told::Something { knows } }));
        };
        Some(Box::new(act) as Box<dyn FnMut(Moment) + Send>)
    };
    drop(bench.loaded_with(act).await);
    // It is aborted, and acts once more in its destructor.
    bench.clean_up().await;
    let mut verdict = Ok(());
    for (moment, told) in told.lock().iter() {
        let place = if *moment == Moment::Poll { "in a poll" } else { "in a destructor" };
        match told {
            Told::SelfJoin => {}
            Told::Something { knows: true } => {
                return Err(broken(format!("{place}, its own work waits for it, which calling_task could tell")));
            }
            Told::Something { knows: false } => {
                verdict = Err(Verdict::NotApplicable(format!("{place}, calling_task does not know its own work")));
            }
        }
    }
    verdict
}

pub(super) async fn without_runtime<T: Terminate + 'static>(bench: &mut Bench<T>) -> Result<(), Verdict> {
    if !bench.contract.without_runtime {
        return Err(not_applicable("not declared by without_runtime()"));
    }
    // The last rule: nobody needs it any more.
    let gone = || -> T { unreachable!("no rule comes after this one") };
    let mut make = std::mem::replace(&mut bench.contract.make, Box::new(gone));
    let trial = bench.on_plain_thread(move || {
        let owner = make();
        let report = block_on(owner.terminate(&long()));
        block_on(owner.ended());
        report
    });
    match bench.promptly("terminate outside of a runtime", trial).await? {
        Ok(result) => came(result),
        Err(error) => Err(broken(error.to_string())),
    }
}
