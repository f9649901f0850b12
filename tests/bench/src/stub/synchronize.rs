//! Six thousand pods and containers at once: what that costs the plugin.

use super::adaptation::Adaptation;
use super::process::{Plugins, Process};
use super::{GO, OURS, Programs};
use crate::{Bound, Cell, Options, Series};

const OBJECTS: usize = 6_000;
/// What each has at least: together they take several messages.
const BYTES: usize = 2_000;
/// At least one and a half times as fast.
const RATIO: f64 = 1.0 / 1.5;

pub(super) fn cells(options: &Options, programs: &Programs) -> Vec<Cell> {
    let mut adaptation = Adaptation::start(&programs.go, OBJECTS / 2, OBJECTS / 2, BYTES);
    let mut plugins = Plugins::start(programs, &adaptation.socket(), options.plant);
    let mut times = 2;
    adaptation.synchronized(times);
    let (mut ours, mut go) = (Vec::new(), Vec::new());
    for round in 0..options.rounds_of_slow() {
        let mut both = [(&mut plugins.ours, &mut ours), (&mut plugins.go, &mut go)];
        both.rotate_left(round % 2);
        for (plugin, samples) in both {
            times += 1;
            samples.push(sample(&mut adaptation, plugin, times));
        }
    }
    let peer = Some(Series { of: GO, samples: go });
    vec![Cell {
        name: "synchronize 6,000 objects, processor time of the plugin".to_owned(),
        unit: "ms",
        ours: Series { of: OURS, samples: ours },
        peer,
        bound: Some(Bound::RatioMax(RATIO)),
    }]
}

/// Has a plugin register anew, which the adaptation answers with all that it has; in milliseconds.
fn sample(adaptation: &mut Adaptation, plugin: &mut Process, times: usize) -> f64 {
    let before = plugin.cpu_micros();
    plugin.tell("again");
    plugin.registered();
    adaptation.synchronized(times);
    (plugin.cpu_micros() - before) / 1_000.0
}
