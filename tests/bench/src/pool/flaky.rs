//! A backend that refuses one connect of ten, and uses of which one of a hundred breaks its connection.

use std::time::Duration;

use super::backend::Backend;
use super::load::{Hold, Load};
use super::pools::{JAIN, Measured, Pools, TIME};
use crate::flavour::Flavour;
use crate::{Bound, Cell, Findings, Options};

const SLOTS: usize = 16;
const LOAD: Load = Load { tasks: 64, hold: Hold::Yield, window: Duration::from_millis(400), breaks_every: Some(100) };
const ROUNDS_MAX: usize = 11;

/// Measures it on both runtimes, beside the fastest of the peers that are fair.
pub(super) fn findings(options: &Options) -> Findings {
    let mut findings = Findings { must_catch: vec![TIME], ..Findings::default() };
    for flavour in [Flavour::CurrentThread, Flavour::TwoWorkers] {
        let runtime = flavour.build_with_time();
        let pools = Pools::build(&runtime, SLOTS, options.plant, || Backend::failing(10));
        let mut measured = pools.measure(options.rounds.min(ROUNDS_MAX), LOAD);
        let name = format!("connects and uses that fail, {}", flavour.name());
        findings.others.extend(measured.iter().skip(1).flat_map(|peer| peer.cells(&name)));
        let ours = measured.remove(0);
        let best = Measured::fastest(measured.into_iter().filter(Measured::is_fair));
        let bound = best.as_ref().map(|_| Bound::RatioMax(1.0 / 0.9));
        let (a_use, jain) = best.map(|best| (best.a_use, best.jain)).unzip();
        let cell = |what, unit, ours, peer, bound| Cell { name: format!("{what}, {name}"), unit, ours, peer, bound };
        findings.cells.push(cell(TIME, "ns", ours.a_use, a_use, bound));
        findings.cells.push(cell(JAIN, "", ours.jain, jain, None));
    }
    findings
}
