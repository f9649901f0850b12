//! Ends the levels of a stack one after the other.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::Poll;

use futures_util::future::{Either, FutureExt, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::runtime::Handle;

use super::core::{Core, Turn, panicked, silent};
use super::level::name_of;
use crate::block_on::block_on;
use crate::ending::Ending;
use crate::panics::{contain, dispose, log};
use crate::report::Report;
use crate::shutdown::Shutdown;
use crate::sync::Arc;
use crate::sync::thread::{self, JoinHandle};
use crate::terminate::Terminate;

/// Starts the driver on a thread of its own, so that order is kept while the runtime's workers are busy. On a test
/// clock it is a task, because a paused clock would jump ahead of a thread.
#[expect(clippy::disallowed_methods, reason = "the stack joins its driver before it gives its report away")]
pub(super) fn start(core: &Arc<Core>, how: &Shutdown) -> Option<JoinHandle<()>> {
    if let Some(runtime) = how.timekeeper().runtime() {
        drop(runtime.spawn(drive(Arc::clone(core))));
        return None;
    }
    let context = Handle::try_current().ok();
    let driven = Arc::clone(core);
    let thread = thread::Builder::new().name("landfall-stack".into()).spawn({
        let context = context.clone();
        move || {
            // Components may need their runtime while they are polled here.
            let _context = context.as_ref().map(Handle::enter);
            block_on(drive(driven));
        }
    });
    match (thread, context) {
        (Ok(thread), _) => Some(thread),
        (Err(_), Some(runtime)) => {
            drop(runtime.spawn(drive(Arc::clone(core))));
            None
        }
        (Err(error), None) => {
            log(|| tracing::warn!(%error, "no thread to end the components in order: they end all at once"));
            while let Some(turn) = core.next_turn() {
                Core::begin_all(&turn.level.components, &turn.how);
            }
            core.note_driven();
            None
        }
    }
}

/// What the driver waits for.
enum Event {
    Reported {
        level: usize,
        component: usize,
        report: Box<Report>,
    },
    /// The level has used up its time.
    Stuck,
    /// The instants moved.
    Tightened,
    /// No component is being waited for.
    Quiet,
}

async fn drive(core: Arc<Core>) {
    let mut waits = FuturesUnordered::new();
    while let Some(turn) = core.next_turn() {
        let (number, mut left) = (turn.number, turn.level.components.len());
        for (index, component) in turn.level.components.iter().enumerate() {
            let at = (number, index);
            let wait = terminate(Arc::clone(&core), at, Arc::clone(component), turn.how.clone());
            waits.push(wait.map(move |report| (number, index, report)));
        }
        while left > 0 {
            match next_event(&core, &mut waits, core.turn(number)).await {
                Event::Reported { level, component, report } => {
                    core.keep(level, component, *report);
                    left -= usize::from(level == number);
                }
                Event::Tightened => {}
                Event::Stuck | Event::Quiet => break,
            }
        }
    }
    // The levels that got stuck; each reports by its own deadline.
    loop {
        match next_event(&core, &mut waits, None).await {
            Event::Reported { level, component, report } => core.keep(level, component, *report),
            Event::Tightened | Event::Stuck => {}
            Event::Quiet => break,
        }
    }
    drop(waits);
    if core.note_driven() {
        Ending::finish(&core);
    }
}

async fn next_event<W>(core: &Core, waits: &mut FuturesUnordered<W>, turn: Option<Turn>) -> Event
where
    W: Future<Output = (usize, usize, Report)>,
{
    let stuck = pin!(async {
        match turn {
            Some(turn) => turn.used_up().await,
            None => std::future::pending().await,
        }
    });
    let tightened = pin!(core.tightened.notified());
    let moved = select(tightened, stuck);
    // Reports first: a level that ended in its last moment was not stuck.
    match select(waits.next(), moved).await {
        Either::Left((Some((level, component, report)), _)) => {
            Event::Reported { level, component, report: Box::new(report) }
        }
        Either::Left((None, _)) => Event::Quiet,
        Either::Right((Either::Left(_), _)) => Event::Tightened,
        Either::Right((Either::Right(_), _)) => Event::Stuck,
    }
}

/// Terminates a component and gives a report in any case.
async fn terminate(core: Arc<Core>, at: (usize, usize), component: Arc<dyn Terminate>, how: Shutdown) -> Report {
    let mut ended = match contain(|| component.terminate(&how)) {
        Ok(ended) => ended,
        Err(message) => return after_panic(&component, &how, &message).await,
    };
    let polled = poll_fn(|cx| {
        core.set_polling(Some(at));
        let polled = contain(|| ended.poll_unpin(cx));
        core.set_polling(None);
        polled.map_or_else(|message| Poll::Ready(Err(message)), |polled| polled.map(Ok))
    });
    let result = polled.await;
    dispose(ended);
    match result {
        Ok(Ok(report)) => report,
        Ok(Err(error)) => silent(&component, error),
        Err(message) => after_panic(&component, &how, &message).await,
    }
}

/// Waits for the end of a component. One that panics when it is waited for counts as ended: nothing else will tell, and
/// its report does.
pub(super) async fn ended(component: &Arc<dyn Terminate>) {
    let panicked = |error| log(|| tracing::error!(owner = name_of(component), error, "ended panicked"));
    let mut ended = match contain(|| component.ended()) {
        Ok(ended) => ended,
        Err(error) => return panicked(error),
    };
    let polled = poll_fn(|cx| match contain(|| ended.poll_unpin(cx)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(())) => Poll::Ready(Ok(())),
        Err(error) => Poll::Ready(Err(error)),
    });
    if let Err(error) = polled.await {
        panicked(error);
    }
    dispose(ended);
}

/// Ends a component whose `terminate` panicked by the other way there is, until the abort instant.
async fn after_panic(component: &Arc<dyn Terminate>, how: &Shutdown, message: &str) -> Report {
    Core::begin_all(std::slice::from_ref(component), how);
    if let Ok(ended) = contain(|| component.ended()) {
        let ended = AssertUnwindSafe(ended).catch_unwind();
        dispose(select(ended, pin!(how.abort_reached())).await);
    }
    panicked(component, message)
}
