//! The command line of every bench program.

use std::hint;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::json;

use crate::Cell;

/// How long a planted slowdown takes: a spawn's own time many times over.
const SPIN: Duration = Duration::from_micros(20);

/// What a bench program may be asked for.
#[derive(Clone, Copy, Debug, Parser)]
pub struct Options {
    /// Rounds that are kept, besides two to warm up; a third of them for what takes long
    #[arg(long, value_name = "N", default_value_t = 101)]
    pub rounds: usize,
    /// Make ours worse on purpose: a target must be missed then
    #[arg(long)]
    pub plant: bool,
}

impl Options {
    /// Rounds of what takes long.
    #[must_use]
    pub fn rounds_of_slow(&self) -> usize {
        self.rounds.div_ceil(3)
    }

    /// The fault to plant.
    #[must_use]
    pub fn plant(&self) -> Plant {
        Plant(self.plant)
    }

    /// Prints the result as one line of JSON.
    pub fn print(&self, cells: &[Cell]) {
        let cells: Vec<_> = cells.iter().map(Cell::to_json).collect();
        println!("{}", json!({ "rounds": self.rounds, "planted": self.plant, "cells": cells }));
    }
}

/// The slowdown that the judge must notice; it is in our spawning path and in no peer's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plant(bool);

impl Plant {
    /// The fault, planted.
    pub(crate) fn planted() -> Self {
        Self(true)
    }

    /// Takes its time if it is planted.
    pub fn act(self) {
        if self.0 {
            let began = Instant::now();
            while began.elapsed() < SPIN {
                hint::spin_loop();
            }
        }
    }
}
