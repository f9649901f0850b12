//! The thread that keeps the instants, and the task that stands in for it on a test clock.

#[cfg(feature = "test-clock")]
use std::pin::pin;
use std::time::{Duration, Instant};

#[cfg(feature = "test-clock")]
use futures_util::future::select;

use super::{Keeper, NoClockThread, State, Timekeeper, Watch, WatchId, Watched, probe};
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::panics::{contain, log};
#[cfg(feature = "test-clock")]
use crate::shutdown::clock::Kind;
use crate::sync::Arc;
use crate::sync::thread::{self, JoinHandle};

/// What the keeper does next.
enum Step {
    Leave,
    /// Sleeps until something is due or comes.
    Wait,
    Again,
}

impl Timekeeper {
    #[expect(clippy::disallowed_methods, reason = "the timekeeper is the thread that ends owners; settle joins it")]
    pub(super) fn start(self: &Arc<Self>) -> Result<Option<JoinHandle<()>>, NoClockThread> {
        #[cfg(landfall_faults)]
        if is_armed(Fault::NoThread) {
            return Err(NoClockThread);
        }
        let keeper = Arc::clone(self);
        match &self.clock.0 {
            #[cfg(feature = "test-clock")]
            Kind::Tokio(runtime) => {
                runtime.spawn(async move { keeper.run_on_tokio().await });
                Ok(None)
            }
            _ => thread::Builder::new()
                .name("landfall-clock".into())
                .spawn(move || keeper.run())
                .map(Some)
                .map_err(|_| NoClockThread),
        }
    }

    fn run(&self) {
        loop {
            match self.step() {
                #[cfg(landfall_faults)]
                Step::Leave if is_armed(Fault::LeaveThread) => thread::park(),
                Step::Leave => return,
                Step::Again => {}
                Step::Wait => {
                    let state = self.state.lock();
                    #[cfg(landfall_faults)]
                    if is_armed(Fault::SleepUnlooked) {
                        drop(self.wake_thread.wait_timeout(state, Duration::from_secs(3_600)));
                        continue;
                    }
                    // What came since the step looked has been notified already, so look again before waiting.
                    if let Some(wait) = self.until_due(&state) {
                        drop(self.wake_thread.wait_timeout(state, wait));
                    }
                }
            }
        }
    }

    #[cfg(feature = "test-clock")]
    async fn run_on_tokio(&self) {
        loop {
            match self.step() {
                Step::Leave => return,
                Step::Again => {}
                Step::Wait => {
                    let woken = pin!(self.wake_task.notified());
                    let Some(wait) = self.until_due(&self.state.lock()) else { continue };
                    select(woken, pin!(tokio::time::sleep(wait))).await;
                }
            }
        }
    }

    /// How long nothing is due; none if something is.
    fn until_due(&self, state: &State) -> Option<Duration> {
        let (at, _) = state.queue.first().filter(|_| !state.force_untold)?;
        Some(at.saturating_duration_since(self.now())).filter(|wait| !wait.is_zero())
    }

    /// Calls what is due.
    fn step(&self) -> Step {
        let now = self.now();
        let mut state = self.state.lock();
        if state.watches.is_empty() {
            let keeper = std::mem::replace(&mut state.keeper, Keeper::None);
            #[cfg(landfall_faults)]
            let keeper = if is_armed(Fault::LeaveThread) { Keeper::None } else { keeper };
            if let Keeper::Running(Some(thread)) = keeper {
                self.ended.push(thread);
            }
            drop(state);
            // A waker may poll in place what waits for this thread, which cannot wait for itself.
            probe(|| self.called.notify_all());
            return Step::Leave;
        }
        let all = std::mem::take(&mut state.force_untold);
        let mut due: Vec<_> = (state.queue.iter())
            .take_while(|(at, _)| all || *at <= now)
            .map(|(at, id)| (*id, *at, Arc::clone(&state.watches[id].target)))
            .collect();
        if due.is_empty() {
            return Step::Wait;
        }
        state.calling = due.len();
        drop(state);
        // Youngest first: what was begun last is furthest down the tree, and its owner wants its report.
        due.sort_unstable_by_key(|(id, ..)| std::cmp::Reverse(*id));
        for (id, at, target) in due {
            self.call(id, at, now, target);
        }
        self.state.lock().calling = 0;
        self.called.notify_all();
        Step::Again
    }

    fn call(&self, id: WatchId, at: Instant, now: Instant, target: Arc<dyn Watched>) {
        // A waker or callback of a user may panic in there; the deadlines of the others must be kept all the same.
        let next = contain(|| probe(|| target.on_due(at, now))).unwrap_or_else(|error| {
            log(|| tracing::error!(error, "deadline callback panicked"));
            None
        });
        let mut state = self.state.lock();
        let watch = state.remove(id);
        match (next, watch) {
            (Some(at), Some(watch)) => {
                state.queue.insert((at, id));
                state.watches.insert(id, Watch { at, ..watch });
            }
            (_, watch) => {
                drop(state);
                drop(watch);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::shutdown::Clock;

    struct Bell(mpsc::Sender<()>);

    impl Watched for Bell {
        fn on_due(self: Arc<Self>, at: Instant, now: Instant) -> Option<Instant> {
            if now < at {
                return Some(at);
            }
            self.0.send(()).ok();
            None
        }
    }

    /// The thread looks at its queue, then waits: what comes in between must not be slept through.
    #[test]
    fn an_earlier_watch_is_heard_while_the_thread_goes_to_sleep() {
        for _ in 0..500 {
            let timekeeper = Arc::new(Timekeeper::new(Clock::system()));
            let (sender, rings) = mpsc::channel();
            let bell = |at| timekeeper.watch(at, Arc::new(Bell(sender.clone()))).expect("a thread can be made");
            let now = timekeeper.now();
            let far = bell(now + Duration::from_secs(3600));
            bell(now + Duration::from_micros(200));
            rings.recv_timeout(Duration::from_secs(10)).expect("the earlier one rings");
            timekeeper.unwatch(far);
            crate::block_on::block_on(timekeeper.settle());
            assert!(matches!(timekeeper.state.lock().keeper, Keeper::None));
        }
    }

    /// Else a component that ends before its owner has set its own watch would wait for its owner's end.
    #[test]
    fn who_waits_for_the_thread_goes_on_when_a_new_watch_keeps_it() {
        let timekeeper = Arc::new(Timekeeper::new(Clock::system()));
        // As between the end of the last watch and the thread's look at the queue.
        timekeeper.state.lock().keeper = Keeper::Running(None);
        let mut settle = std::pin::pin!(timekeeper.settle());
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(settle.as_mut().poll(&mut cx).is_pending());
        let (sender, _rings) = mpsc::channel();
        timekeeper.watch(timekeeper.now() + Duration::from_secs(3600), Arc::new(Bell(sender))).expect("it runs");
        assert!(settle.as_mut().poll(&mut cx).is_ready());
    }
}
