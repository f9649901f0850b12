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

/// Measures every contender once a round. Each round begins with another one, so that none always follows the same.
pub fn contest(rounds: usize, contenders: &mut [Contender<'_>]) -> Vec<Series> {
    let mut series: Vec<Series> =
        contenders.iter().map(|contender| Series { of: contender.name, samples: Vec::new() }).collect();
    for round in 0..WARM_UP_ROUNDS + rounds {
        for turn in 0..contenders.len() {
            let at = (round + turn) % contenders.len();
            let sample = (contenders[at].measure)();
            if round >= WARM_UP_ROUNDS {
                series[at].samples.push(sample);
            }
        }
    }
    series
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn contenders_take_turns_and_none_always_begins() {
        let order = RefCell::new(String::new());
        let mut contenders = ["a", "b", "c"].map(|name| {
            let order = &order;
            Contender::new(name, move || {
                order.borrow_mut().push_str(name);
                order.borrow().len() as f64
            })
        });
        let series = contest(1, &mut contenders);
        assert_eq!(*order.borrow(), "abcbcacab");
        let kept: Vec<_> = series.iter().map(|series| (series.of, series.samples.clone())).collect();
        assert_eq!(kept, [("a", vec![8.0]), ("b", vec![9.0]), ("c", vec![7.0])]);
    }
}
