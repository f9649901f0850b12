//! Tasks that claim, hold and release for a while, and what each of them got.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::Barrier;
use tokio::task::{JoinSet, yield_now};

use super::candidates::Candidate;

/// What a task does with a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hold {
    /// Nothing. After a burst of uses it yields, without a connection.
    None,
    /// It yields once.
    Yield,
    /// It yields until 50 µs are over.
    Yields,
}

/// How long [`Hold::Yields`] holds a connection.
const HELD: Duration = Duration::from_micros(50);
/// The uses of a burst.
const BURST: u64 = 16;

#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) tasks: usize,
    pub(super) hold: Hold,
    /// For how long it goes on.
    pub(super) window: Duration,
    /// One of so many uses breaks its connection.
    pub(super) breaks_every: Option<u64>,
}

/// What came of a load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    /// The time divided by the uses of all tasks, in nanoseconds.
    pub(super) a_use: f64,
    /// The wait that one of a thousand claims exceeded, in microseconds.
    pub(super) wait: f64,
    /// Jain's index of the tasks' uses.
    pub(super) jain: f64,
}

impl Hold {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "not held",
            Self::Yield => "one yield",
            Self::Yields => "50 us of yields",
        }
    }

    /// Of so many claims one is timed: reading the clock twice takes as long as some claims do.
    fn stride(self) -> u64 {
        match self {
            // Not the first of each burst.
            Self::None => BURST - 1,
            Self::Yield => 4,
            Self::Yields => 1,
        }
    }

    async fn hold(self) {
        match self {
            Self::None => {}
            Self::Yield => yield_now().await,
            Self::Yields => {
                let began = Instant::now();
                while began.elapsed() < HELD {
                    yield_now().await;
                }
            }
        }
    }
}

/// When all tasks of a load begin and end.
struct Window {
    begin: Barrier,
    began: OnceLock<Instant>,
    ended: OnceLock<Instant>,
    is_over: AtomicBool,
}

/// What one task got.
struct Share {
    uses: u64,
    waits: Vec<u32>,
}

/// Puts a load on a pool. A claim that fails is made again.
pub(super) async fn run<P: Candidate>(pool: Arc<P>, load: Load) -> Outcome {
    let window = Arc::new(Window {
        begin: Barrier::new(load.tasks),
        began: OnceLock::new(),
        ended: OnceLock::new(),
        is_over: AtomicBool::new(false),
    });
    let mut tasks = JoinSet::new();
    for _ in 0..load.tasks {
        tasks.spawn(share(Arc::clone(&pool), load, Arc::clone(&window)));
    }
    let shares = tasks.join_all().await;
    let (began, ended) = (window.began.get(), window.ended.get());
    let took = began.zip(ended).map(|(began, ended)| ended.duration_since(*began));
    outcome(took.expect("the tasks began and ended"), &shares)
}

async fn share<P: Candidate>(pool: Arc<P>, load: Load, window: Arc<Window>) -> Share {
    let stride = load.hold.stride();
    let mut share = Share { uses: 0, waits: Vec::new() };
    window.begin.wait().await;
    let began = *window.began.get_or_init(Instant::now);
    while !window.is_over.load(Ordering::Relaxed) {
        let asked = share.uses.is_multiple_of(stride).then(Instant::now);
        let Some(mut handle) = pool.claim().await else { continue };
        if let Some(asked) = asked {
            let now = Instant::now();
            if now.duration_since(began) >= load.window {
                window.ended.get_or_init(|| now);
                window.is_over.store(true, Ordering::Relaxed);
                break;
            }
            share.waits.push(u32::try_from(now.duration_since(asked).as_nanos()).unwrap_or(u32::MAX));
        }
        load.hold.hold().await;
        share.uses += 1;
        handle.is_broken |= load.breaks_every.is_some_and(|every| share.uses.is_multiple_of(every));
        drop(handle);
        if matches!(load.hold, Hold::None) && share.uses.is_multiple_of(BURST) {
            yield_now().await;
        }
    }
    share
}

fn outcome(took: Duration, shares: &[Share]) -> Outcome {
    let uses: u64 = shares.iter().map(|share| share.uses).sum();
    let mut waits: Vec<u32> = shares.iter().flat_map(|share| share.waits.iter().copied()).collect();
    let at = waits.len().saturating_sub(1) * 999 / 1_000;
    let wait = if waits.is_empty() { f64::NAN } else { f64::from(*waits.select_nth_unstable(at).1) / 1e3 };
    let jain = jain(shares.iter().map(|share| share.uses as f64));
    Outcome { a_use: took.as_nanos() as f64 / uses as f64, wait, jain }
}

/// Jain's index: 1 where all got the same, 1/n where one of n got everything.
fn jain(shares: impl Iterator<Item = f64>) -> f64 {
    let (count, sum, squares) =
        shares.fold((0.0, 0.0, 0.0), |(count, sum, squares), got| (count + 1.0, sum + got, squares + got * got));
    sum * sum / (count * squares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jains_index_tells_how_even_shares_are() {
        let of = |shares: &[f64]| jain(shares.iter().copied());
        assert_eq!(of(&[3.0, 3.0, 3.0]), 1.0);
        assert_eq!(of(&[9.0, 0.0, 0.0, 0.0]), 0.25);
        assert_eq!(of(&[4.0, 2.0]), 0.9);
    }

    #[test]
    fn an_outcome_is_of_all_tasks_together() {
        let share = |uses, wait| Share { uses, waits: vec![wait; 1_000] };
        let outcome = outcome(Duration::from_micros(12), &[share(4, 1_000), share(2, 2_000)]);
        assert_eq!((outcome.a_use, outcome.wait, outcome.jain), (2_000.0, 2.0, 0.9));
    }
}
