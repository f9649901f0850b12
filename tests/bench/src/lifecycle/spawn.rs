//! Spawn and complete: a batch of empty named tasks, from the first spawn until the last has ended.

use std::time::Instant;

use tokio::runtime::Runtime;

use super::tools;
use crate::contest::cells as pair;
use crate::flavour::Flavour;
use crate::{Bound, Cell, Contender, Options, contest};

pub(super) const TASKS: usize = 20_000;

pub(super) fn cells(options: &Options, tasks: usize) -> Vec<Cell> {
    let plant = options.plant();
    let mut cells = Vec::new();
    for flavour in [Flavour::CurrentThread, Flavour::TwoWorkers] {
        let runtime = flavour.build();
        let name = format!("spawn + complete, {}", flavour.name());
        let mut contenders = [
            Contender::new(tools::OURS, || time(&runtime, tasks, tools::ours(tasks, plant))),
            Contender::new(tools::TRACKER_TOKEN, || time(&runtime, tasks, tools::tracker_with_token(tasks))),
            Contender::new(tools::JOIN_SET, || time(&runtime, tasks, tools::join_set(tasks))),
            Contender::new(tools::TRACKER, || time(&runtime, tasks, tools::tracker(tasks))),
            Contender::new(tools::TOKIO, || time(&runtime, tasks, tools::tokio_spawn(tasks))),
            Contender::new(tools::OURS_TOKEN, || time(&runtime, tasks, tools::ours_with_token(tasks, plant))),
        ];
        let mut series = contest(options.rounds, &mut contenders);
        let with_token = series.pop().into_iter().chain([series[1].clone()]).collect();
        cells.extend(pair(&name, "ns", series, &[Some(Bound::RatioMax(1.2)), Some(Bound::RatioMax(1.0)), None, None]));
        cells.extend(pair(&name, "ns", with_token, &[None]));
    }
    cells
}

/// Nanoseconds a task. The batch is a task itself, so that on several workers it spawns from one of them.
fn time(runtime: &Runtime, tasks: usize, batch: impl Future<Output = ()> + Send + 'static) -> f64 {
    let took = runtime.block_on(runtime.spawn(async {
        let began = Instant::now();
        batch.await;
        began.elapsed()
    }));
    took.expect("the batch does not panic").as_nanos() as f64 / tasks as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contest::median_ratio;

    /// Against the same measurement without the plant: what a build without optimisation takes says nothing.
    #[test]
    fn a_planted_slowdown_is_seen_in_the_ratio() {
        let cells = |plant| cells(&Options { rounds: 5, plant }, 500);
        let (sound, planted) = (cells(false), cells(true));
        assert_eq!(sound.len(), 10);
        for (sound, planted) in sound.iter().zip(&planted) {
            let (sound, planted) = (median_ratio(sound), median_ratio(planted));
            assert!(planted > sound, "{sound} became {planted}");
        }
        assert!(planted.iter().all(|cell| median_ratio(cell) > 1.2));
    }
}
