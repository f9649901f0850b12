//! Rounds that are interleaved, so that what else the machine does falls on all contenders alike.

use std::fmt;

use crate::{Bound, Cell, Series};

/// Rounds that are run first and not kept: caches, allocators and threads come up in them.
const WARM_UP_ROUNDS: usize = 2;

/// One of those that are compared.
pub struct Contender<'a> {
    name: &'static str,
    measure: Box<dyn FnMut() -> f64 + 'a>,
}

impl<'a> Contender<'a> {
    /// A contender and what measures it once.
    pub fn new(name: &'static str, measure: impl FnMut() -> f64 + 'a) -> Self {
        Self { name, measure: Box::new(measure) }
    }
}

impl fmt::Debug for Contender<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contender").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Measures every contender once a round, in an order that is drawn anew for each round: the one before leaves the
/// allocator in its own state, and none shall always follow the same. The draws are the same in every run.
pub fn contest(rounds: usize, contenders: &mut [Contender<'_>]) -> Vec<Series> {
    let mut series: Vec<Series> =
        contenders.iter().map(|contender| Series { of: contender.name, samples: Vec::new() }).collect();
    let mut order: Vec<usize> = (0..contenders.len()).collect();
    let mut draw = Draw(1);
    for round in 0..WARM_UP_ROUNDS + rounds {
        for last in (1..order.len()).rev() {
            order.swap(last, draw.below(last + 1));
        }
        for &at in &order {
            let sample = (contenders[at].measure)();
            if round >= WARM_UP_ROUNDS {
                series[at].samples.push(sample);
            }
        }
    }
    series
}

/// Numbers that look random (xorshift64); never seeded with 0.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // The high half: the low bits of the first draws are poor.
        ((self.0 >> 32) % end as u64) as usize
    }
}

/// One cell for each bound: the first series is ours, the others are its peers in the order of the bounds.
pub(crate) fn cells(name: &str, unit: &'static str, series: Vec<Series>, bounds: &[Option<Bound>]) -> Vec<Cell> {
    let mut series = series.into_iter();
    let Some(ours) = series.next() else { return Vec::new() };
    series
        .zip(bounds)
        .map(|(peer, bound)| Cell { name: name.to_owned(), unit, ours: ours.clone(), peer: Some(peer), bound: *bound })
        .collect()
}

/// The median of ours divided by the peer's, as xtask takes it.
#[cfg(test)]
pub(crate) fn median_ratio(cell: &Cell) -> f64 {
    let peer = cell.peer.as_ref().expect("it has one");
    let mut ratios: Vec<f64> = cell.ours.samples.iter().zip(&peer.samples).map(|(ours, peer)| ours / peer).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn each_contender_has_one_turn_a_round_and_none_always_the_same() {
        let order = RefCell::new(String::new());
        let mut contenders = ["a", "b", "c"].map(|name| {
            let order = &order;
            Contender::new(name, move || {
                order.borrow_mut().push_str(name);
                order.borrow().len() as f64
            })
        });
        let series = contest(20, &mut contenders);
        drop(contenders);
        let order = order.into_inner();
        let mut rounds: Vec<&str> = (0..22).map(|round| &order[round * 3..][..3]).collect();
        assert!(rounds.iter().all(|round| ["a", "b", "c"].iter().all(|name| round.contains(name))), "{order}");
        rounds.sort_unstable();
        rounds.dedup();
        assert_eq!(rounds.len(), 6, "every order comes up: {order}");
        // The rounds that warm up are not kept.
        assert!(series.iter().all(|series| series.samples.len() == 20 && series.samples[0] > 6.0));
    }
}
