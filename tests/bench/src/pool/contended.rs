//! Many tasks at few connections: what a use takes, how long the unlucky wait, and how even the shares are.

use std::time::Duration;

use super::backend::Backend;
use super::load::{Hold, Load};
use super::pools::{JAIN, Measured, Pools, TIME, WAIT};
use crate::flavour::Flavour;
use crate::{Bound, Cell, Findings, Options, Series};

const TASKS: [usize; 4] = [1, 8, 64, 512];
const SLOTS: [usize; 3] = [4, 16, 64];
const WINDOW: Duration = Duration::from_millis(40);

/// Measures every cell.
#[must_use]
pub fn contended(options: &Options) -> Findings {
    findings(options, &TASKS, &SLOTS, WINDOW)
}

fn findings(options: &Options, tasks: &[usize], slots: &[usize], window: Duration) -> Findings {
    let mut findings = Findings { must_catch: vec![TIME, WAIT, JAIN], ..Findings::default() };
    for flavour in [Flavour::CurrentThread, Flavour::TwoWorkers] {
        let runtime = flavour.build_with_time();
        for &slots in slots {
            let pools = Pools::build(&runtime, slots, options.plant, Backend::default);
            for &tasks in tasks {
                for hold in [Hold::None, Hold::Yield, Hold::Yields] {
                    let name = format!("{}, {tasks} tasks at {slots}, {}", flavour.name(), hold.name());
                    let load = Load { tasks, hold, window, breaks_every: None };
                    let measured = pools.measure(options.rounds_of_slow(), load);
                    findings.others.extend(measured.iter().skip(1).flat_map(|peer| peer.cells(&name)));
                    findings.cells.extend(judged(&name, load, slots, measured));
                }
            }
        }
    }
    findings
}

/// Ours beside the fastest peer.
///
/// Where tasks wait for each other it must be one that is fair. Where nobody waits, because there are connections for all
/// or none is held for longer than a worker's turn, all are, and the index is the runtime's, which divides the tasks
/// unevenly between its workers.
fn judged(name: &str, load: Load, slots: usize, measured: Vec<Measured>) -> Vec<Cell> {
    let mut measured = measured.into_iter();
    let Some(ours) = measured.next() else { return Vec::new() };
    let is_held = !matches!(load.hold, Hold::None);
    let they_wait = is_held && load.tasks > slots;
    let best = Measured::fastest(measured.filter(|peer| !they_wait || peer.is_fair()));
    let [a_use, wait, jain] = match best {
        Some(Measured { a_use, wait, jain }) => [a_use, wait, jain].map(Some),
        None => [None, None, None],
    };
    let faster = if is_held { 0.98 } else { 1.3 };
    let beside = |peer: &Option<Series>, most| peer.is_some().then_some(Bound::RatioMax(most));
    let even = they_wait.then_some(Bound::Min(0.99));
    let cell = |what, unit, ours, bound, peer| Cell { name: format!("{what}, {name}"), unit, ours, peer, bound };
    vec![
        cell(TIME, "ns", ours.a_use, beside(&a_use, 1.0 / faster), a_use),
        cell(WAIT, "us", ours.wait, beside(&wait, 1.0), wait),
        cell(JAIN, "", ours.jain, even, jain),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::pools::median;

    fn measured(of: &'static str, a_use: f64, jain: f64) -> Measured {
        let [a_use, wait, jain] = [a_use, 1.0, jain].map(|sample| Series { of, samples: vec![sample] });
        Measured { a_use, wait, jain }
    }

    #[track_caller]
    fn beside(hold: Hold, tasks: usize, peer: &str) -> Option<Bound> {
        let load = Load { tasks, hold, window: WINDOW, breaks_every: None };
        let peers = [measured("unfair", 1.0, 0.9), measured("fair", 2.0, 0.96), measured("slow", 3.0, 1.0)];
        let cells = judged("", load, 4, [measured("ours", 1.0, 1.0)].into_iter().chain(peers).collect());
        assert!(cells.iter().all(|cell| cell.peer.as_ref().is_some_and(|it| it.of == peer)), "{cells:?}");
        cells[2].bound
    }

    #[test]
    fn the_best_fair_peer_is_the_mark() {
        assert!(beside(Hold::Yield, 5, "fair").is_some());
        // Nobody waits: whoever is fastest.
        assert!(beside(Hold::Yield, 4, "unfair").is_none());
        assert!(beside(Hold::None, 5, "unfair").is_none());
    }

    /// Against the same measurement without the plant, as for the warm claim.
    #[test]
    fn planted_faults_are_seen_in_each_kind_of_cell() {
        let findings = |plant| {
            let options = Options { rounds: 3, plant };
            findings(&options, &[1, 16], &[4], Duration::from_millis(5)).cells
        };
        let (sound, planted) = (findings(false), findings(true));
        let worse = |kind: &str, by: f64| {
            let pairs = sound.iter().zip(&planted).filter(|(sound, _)| sound.name.starts_with(kind));
            pairs.map(|(sound, planted)| median(&planted.ours) / median(&sound.ours)).any(|ratio| ratio > by)
        };
        assert!(worse(TIME, 2.0) && worse(WAIT, 2.0));
        let starved = |cells: &[Cell]| {
            let asked = cells.iter().filter(|cell| matches!(cell.bound, Some(Bound::Min(_))));
            asked.map(|cell| median(&cell.ours)).fold(1.0, f64::min)
        };
        assert!(starved(&planted) < 0.5, "{}", starved(&planted));
    }
}
