//! Events, one after the other: what each costs the plugin, how long the runtime waits for it, and what the plugin holds.

use super::adaptation::Adaptation;
use super::process::{GO_EVENT, OUR_EVENT, Plugins, Process};
use super::{GO, OURS, Programs};
use crate::{Bound, Cell, Findings, Options, Series};

/// Events of a round, of each plugin.
const EVENTS: usize = 500;
/// Rounds that are not kept.
const WARM_UP: usize = 2;

const CPU: f64 = 0.4;
const P50: f64 = 0.85;
const P99: f64 = 1.0;
const MEMORY: f64 = 0.25;

/// What one plugin took in a round.
struct Sample {
    cpu: f64,
    p50: f64,
    p99: f64,
    resident: f64,
}

pub(super) fn cells(options: &Options, programs: &Programs) -> Findings {
    let mut adaptation = Adaptation::start(&programs.go, 1, 1, 0);
    let plugins = Plugins::start(programs, &adaptation.socket(), options.plant);
    // The adaptation's own, then these.
    adaptation.synchronized(2);
    let (mut ours, mut go) = (Vec::new(), Vec::new());
    for round in 0..options.rounds + WARM_UP {
        let mut both = [(&plugins.ours, OUR_EVENT, &mut ours), (&plugins.go, GO_EVENT, &mut go)];
        // Each comes first as often as the other.
        both.rotate_left(round % 2);
        for (plugin, event, samples) in both {
            let sample = sample(&mut adaptation, plugin, event);
            if round >= WARM_UP {
                samples.push(sample);
            }
        }
    }
    let cell = |name: &str, unit, of: fn(&Sample) -> f64, bound| Cell {
        name: name.to_owned(),
        unit,
        ours: Series { of: OURS, samples: ours.iter().map(of).collect() },
        peer: Some(Series { of: GO, samples: go.iter().map(of).collect() }),
        bound: Some(Bound::RatioMax(bound)),
    };
    Findings {
        cells: vec![
            cell("event, processor time of the plugin", "µs", |it| it.cpu, CPU),
            cell("event, round trip, p50", "µs", |it| it.p50, P50),
            cell("event, round trip, p99", "µs", |it| it.p99, P99),
            cell("resident memory of a logger", "MB", |it| it.resident, MEMORY),
        ],
        must_catch: vec!["event, processor time", "event, round trip, p50", "synchronize"],
        others: Vec::new(),
    }
}

fn sample(adaptation: &mut Adaptation, plugin: &Process, event: &str) -> Sample {
    let before = plugin.cpu_micros();
    let took = adaptation.measure(event, EVENTS);
    let cpu = (plugin.cpu_micros() - before) / EVENTS as f64;
    Sample { cpu, p50: took[EVENTS / 2], p99: took[EVENTS * 99 / 100], resident: plugin.resident_mb() }
}
