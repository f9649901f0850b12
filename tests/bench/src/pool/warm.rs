//! A claim and its release, by one task of a pool whose connections are all open and idle.

use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Runtime;

use super::backend::Backend;
use super::candidates::{self, Bb8, Candidate, Deadpool, FastPool, Mobc, Ours, Planted, Qorb};
use crate::contest::cells as pair;
use crate::flavour::Flavour;
use crate::{Bound, Cell, Contender, Options, contest};

/// Claims a round.
const CLAIMS: usize = 10_000;
const SLOTS: usize = 16;

/// Measures it.
#[must_use]
pub fn warm(options: &Options) -> Vec<Cell> {
    cells(options, CLAIMS)
}

fn cells(options: &Options, claims: usize) -> Vec<Cell> {
    let mut cells = Vec::new();
    for flavour in [Flavour::CurrentThread, Flavour::TwoWorkers] {
        let runtime = flavour.build_with_time();
        let mut contenders = [
            if options.plant { subject::<Planted>(&runtime, claims) } else { subject::<Ours>(&runtime, claims) },
            subject::<Deadpool>(&runtime, claims),
            subject::<Qorb>(&runtime, claims),
            subject::<Bb8>(&runtime, claims),
            subject::<FastPool>(&runtime, claims),
            subject::<Mobc>(&runtime, claims),
        ];
        let name = format!("claim + release, warm, {}", flavour.name());
        let bounds = [Some(Bound::RatioMax(0.4)), Some(Bound::RatioMax(0.04)), None, None, None];
        cells.extend(pair(&name, "ns", contest(options.rounds, &mut contenders), &bounds));
    }
    cells
}

/// Nanoseconds a claim with its release. The claims are a task's, so that on several workers one of them makes them.
fn subject<P: Candidate>(runtime: &Runtime, claims: usize) -> Contender<'_> {
    let backend = Arc::new(Backend::default());
    let built = runtime.block_on(runtime.spawn(async move { candidates::warm::<P>(&backend, SLOTS).await }));
    let pool = Arc::new(built.expect("no pool panics"));
    Contender::new(P::NAME, move || {
        let pool = Arc::clone(&pool);
        let took = runtime.block_on(runtime.spawn(async move {
            let began = Instant::now();
            for _ in 0..claims {
                drop(pool.claim().await.expect("connections are idle"));
            }
            began.elapsed()
        }));
        took.expect("no pool panics").as_nanos() as f64 / claims as f64
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contest::median_ratio;

    /// Against the same measurement without the plant: what a build without optimisation takes says nothing.
    #[test]
    fn a_planted_slowdown_is_seen_in_the_ratio() {
        let cells = |plant| cells(&Options { rounds: 3, plant }, 500);
        let (sound, planted) = (cells(false), cells(true));
        assert_eq!(sound.len(), 10);
        for (sound, planted) in sound.iter().zip(&planted) {
            let (before, after) = (median_ratio(sound), median_ratio(planted));
            assert!(after > before, "{}: {before} became {after}", sound.name);
        }
    }
}
