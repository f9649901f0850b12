//! How a model is explored, by loom or by shuttle.

use std::cell::Cell;
use std::sync::Once;
#[cfg(landfall_loom)]
use std::sync::atomic::{AtomicUsize, Ordering};

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
pub fn explore(model: impl Fn() + Send + Sync + 'static) {
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
pub fn explore(model: impl Fn() + Send + Sync + 'static) {
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
