//! All pools side by side, under one load after the other.

use std::sync::Arc;

use tokio::runtime::Runtime;

use super::backend::Backend;
use super::candidates::{self, Bb8, Candidate, Deadpool, FastPool, Mobc, Ours, Planted, Qorb};
use super::load::{self, Load, Outcome};
use crate::{Cell, Contender, Series, contest};

/// What puts a load on a pool of its own.
type Run<'a> = Box<dyn Fn(Load) -> Outcome + 'a>;

/// All pools with so many connections, open.
pub(super) struct Pools<'a>(Vec<(&'static str, Run<'a>)>);

/// What one contender came to, a sample of each a round.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) a_use: Series,
    pub(super) wait: Series,
    pub(super) jain: Series,
}

/// How the cells of each begin.
pub(super) const TIME: &str = "time a use";
pub(super) const WAIT: &str = "wait of one in 1,000";
pub(super) const JAIN: &str = "Jain's index";

/// A peer whose index is lower serves some at the cost of others, and what it takes says nothing.
const FAIR: f64 = 0.95;

impl<'a> Pools<'a> {
    /// Pools of backends that `backend` makes, one each.
    pub(super) fn build(runtime: &'a Runtime, slots: usize, plant: bool, backend: fn() -> Backend) -> Self {
        let ours =
            if plant { subject::<Planted>(runtime, slots, backend) } else { subject::<Ours>(runtime, slots, backend) };
        Self(vec![
            ours,
            subject::<Deadpool>(runtime, slots, backend),
            subject::<Qorb>(runtime, slots, backend),
            subject::<Bb8>(runtime, slots, backend),
            subject::<FastPool>(runtime, slots, backend),
            subject::<Mobc>(runtime, slots, backend),
        ])
    }

    pub(super) fn measure(&self, rounds: usize, load: Load) -> Vec<Measured> {
        let mut others: Vec<[Vec<f64>; 2]> = vec![<[Vec<f64>; 2]>::default(); self.0.len()];
        let mut contenders: Vec<Contender<'_>> = self
            .0
            .iter()
            .zip(&mut others)
            .map(|((name, run), [waits, jains])| {
                Contender::new(name, move || {
                    let outcome = run(load);
                    waits.push(outcome.wait);
                    jains.push(outcome.jain);
                    outcome.a_use
                })
            })
            .collect();
        let uses = contest(rounds, &mut contenders);
        drop(contenders);
        let measured = uses.into_iter().zip(others).map(|(a_use, others)| {
            // The first rounds were not kept.
            let of = a_use.of;
            let [wait, jain] = others.map(|all| Series { of, samples: all[all.len() - rounds..].to_vec() });
            Measured { a_use, wait, jain }
        });
        measured.collect()
    }
}

impl Measured {
    pub(super) fn is_fair(&self) -> bool {
        median(&self.jain) >= FAIR
    }

    /// The one with the shortest uses.
    pub(super) fn fastest(measured: impl Iterator<Item = Self>) -> Option<Self> {
        measured.min_by(|one, other| median(&one.a_use).total_cmp(&median(&other.a_use)))
    }

    /// To be kept and not judged.
    pub(super) fn cells(&self, name: &str) -> [Cell; 3] {
        [(TIME, "ns", &self.a_use), (WAIT, "us", &self.wait), (JAIN, "", &self.jain)].map(|(what, unit, series)| Cell {
            name: format!("{what}, {name}"),
            unit,
            ours: series.clone(),
            peer: None,
            bound: None,
        })
    }
}

fn subject<P: Candidate>(runtime: &Runtime, slots: usize, backend: fn() -> Backend) -> (&'static str, Run<'_>) {
    let backend = Arc::new(backend());
    let built = runtime.block_on(runtime.spawn(async move { candidates::warm::<P>(&backend, slots).await }));
    let pool = Arc::new(built.expect("no pool panics"));
    let run = move |load| {
        let load = load::run(Arc::clone(&pool), load);
        runtime.block_on(runtime.spawn(load)).expect("no pool panics")
    };
    (P::NAME, Box::new(run))
}

pub(super) fn median(series: &Series) -> f64 {
    let mut samples = series.samples.clone();
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}
