//! What a set remembers of entries and children that have ended.

use std::collections::VecDeque;

use crate::report::{Counts, Outcome, Report, TaskReport};

/// How an entry left its set.
#[derive(Debug)]
pub(super) enum Left {
    /// By itself, or dropped by the holder it was lent to.
    Completed,
    Abnormal(Outcome),
}

/// Counts of all that ended, and the latest abnormal ones in full.
#[derive(Debug, Default)]
pub(super) struct History {
    counts: Counts,
    tasks: VecDeque<TaskReport>,
    omitted: u64,
    children: VecDeque<Report>,
}

impl History {
    pub(super) fn count_completed(&mut self, is_draining: bool) {
        if is_draining {
            self.counts.drained += 1;
        } else {
            self.counts.completed += 1;
        }
    }

    pub(super) fn record(&mut self, task: TaskReport, outcomes_max: usize) {
        self.counts.add(&task.outcome);
        self.tasks.push_back(task);
        while self.tasks.len() > outcomes_max {
            self.tasks.pop_front();
            self.omitted += 1;
        }
    }

    /// Counts an entry that was aborted with all others if no more are kept; false if there is room for it.
    pub(super) fn count_aborted(&mut self, outcomes_max: usize) -> bool {
        let is_full = self.tasks.len() >= outcomes_max;
        if is_full {
            self.counts.add(&Outcome::Aborted);
            self.omitted += 1;
        }
        is_full
    }

    /// Keeps a child's report. While the set runs, only what is worth reading is kept in full, and of that a bounded
    /// number; the rest is added to the counts.
    pub(super) fn adopt(&mut self, child: Report, is_running: bool, outcomes_max: usize) {
        let is_plain = child.is_clean() && child.tasks.is_empty() && child.tasks_omitted == 0;
        if is_running && is_plain && child.children.is_empty() {
            self.add(&child);
            return;
        }
        self.children.push_back(child);
        while is_running && self.children.len() > outcomes_max {
            let Some(oldest) = self.children.pop_front() else { return };
            self.add_tree(&oldest);
        }
    }

    fn add_tree(&mut self, report: &Report) {
        self.add(report);
        for child in &report.children {
            self.add_tree(child);
        }
    }

    fn add(&mut self, report: &Report) {
        let (sum, of) = (&mut self.counts, &report.counts);
        sum.completed += of.completed;
        sum.drained += of.drained;
        sum.aborted += of.aborted;
        sum.never_started += of.never_started;
        sum.runtime_gone += of.runtime_gone;
        sum.panicked += of.panicked;
        self.omitted += report.tasks.len() as u64 + report.tasks_omitted;
    }

    pub(super) fn fill(&self, report: &mut Report) {
        report.counts = self.counts;
        report.tasks = self.tasks.iter().cloned().collect();
        report.tasks_omitted = self.omitted;
        report.children = self.children.iter().cloned().collect();
    }
}
