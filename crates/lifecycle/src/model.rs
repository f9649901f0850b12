//! What the models share: how one is explored, and what stands in for an executor and for a user's owner.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use crate::ending::{Ending, Owner};
use crate::report::Report;
use crate::shutdown::Shutdown;
use crate::sync::Arc;

/// The text of a panic that belongs to a model.
pub(crate) const PLANNED: &str = "planned by the model";

thread_local! {
    /// Panics on this thread that no model planned. A checker runs all threads of a model on one of the system's.
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// Counts panics, because the crate contains those of its users, and would contain what a checker finds inside of one.
fn count_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<&str>() == Some(&PLANNED) {
                return;
            }
            PANICS.with(|panics| panics.set(panics.get() + 1));
            before(info);
        }));
    });
}

/// Runs `model` under every schedule with a bounded number of preemptions.
///
/// The bound is `LOOM_MAX_PREEMPTIONS`, or two.
#[cfg(landfall_loom)]
pub(crate) fn explore(model: impl Fn() + Send + Sync + 'static) {
    count_panics();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.max_branches = 20_000;
    let schedules = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&schedules);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
        assert_eq!(PANICS.with(Cell::get), 0, "the crate contained a panic that no model planned");
    });
    let schedules = schedules.load(Ordering::Relaxed);
    println!("{schedules} schedules");
    assert!(schedules > 1, "a model with one schedule shows nothing");
}

/// Runs `model` under random schedules, each of a seed that is named when it fails.
///
/// There are `LANDFALL_SCHEDULES` of them, or a hundred; `LANDFALL_SEED` asks for one again.
#[cfg(landfall_shuttle)]
pub(crate) fn explore(model: impl Fn() + Send + Sync + 'static) {
    use shuttle::scheduler::RandomScheduler;
    use shuttle::{Config, Runner};

    count_panics();
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("it is a number"));
    let seeds = match number("LANDFALL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LANDFALL_SCHEDULES").unwrap_or(100),
    };
    println!("{} schedules", seeds.end - seeds.start);
    let model = Arc::new(model);
    for seed in seeds {
        let model = Arc::clone(&model);
        let runner = Runner::new(RandomScheduler::new_from_seed(seed, 1), Config::default());
        let run = move || {
            runner.run(move || {
                model();
                assert_eq!(PANICS.with(Cell::get), 0, "the crate contained a panic that no model planned");
            })
        };
        if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
            eprintln!("once more: cargo xtask shuttle --seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

/// Counts how often it was woken.
#[derive(Debug, Default)]
pub(crate) struct Bell(AtomicUsize);

impl Bell {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let bell = Arc::new(Self::default());
        (Arc::clone(&bell), Waker::from(bell))
    }

    pub(crate) fn rings(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// An owner of nothing, which counts what it is told.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    ending: Ending,
    pub(crate) begun: AtomicUsize,
    pub(crate) aborted: AtomicUsize,
}

impl Owner for Probe {
    fn name(&self) -> Cow<'_, str> {
        "probe".into()
    }

    fn ending(&self) -> &Ending {
        &self.ending
    }

    fn on_begin(self: &Arc<Self>, _how: &Shutdown) {
        self.begun.fetch_add(1, Ordering::SeqCst);
    }

    fn on_tighten(self: &Arc<Self>, _how: &Shutdown) {}

    fn on_grace_over(self: &Arc<Self>) {}

    fn on_abort(self: &Arc<Self>) {
        self.aborted.fetch_add(1, Ordering::SeqCst);
    }

    fn fill(&self, _report: &mut Report) {}

    fn calling_task(&self) -> Option<String> {
        None
    }
}
