//! All that a program found, where there is more to say than its cells.

use serde_json::json;

use crate::{Cell, Options};

/// What a program found.
#[derive(Debug, Default)]
pub struct Findings {
    /// What is judged and shown.
    pub cells: Vec<Cell>,
    /// How the names of those cells begin of which one at least must miss its target when the fault is planted, each of
    /// them; without any it is one of all cells.
    pub must_catch: Vec<&'static str>,
    /// What else was measured: kept, neither judged nor shown.
    pub others: Vec<Cell>,
}

impl Findings {
    /// These and others.
    #[must_use]
    pub(crate) fn and(mut self, others: Self) -> Self {
        self.cells.extend(others.cells);
        self.must_catch.extend(others.must_catch);
        self.others.extend(others.others);
        self
    }

    /// Prints them as one line of JSON.
    pub fn print(&self, options: &Options) {
        let [cells, others] =
            [&self.cells, &self.others].map(|cells| cells.iter().map(Cell::to_json).collect::<Vec<_>>());
        let (rounds, planted, must_catch) = (options.rounds, options.plant, &self.must_catch);
        println!(
            "{}",
            json!({ "rounds": rounds, "planted": planted, "cells": cells, "must_catch": must_catch, "others": others })
        );
    }
}
