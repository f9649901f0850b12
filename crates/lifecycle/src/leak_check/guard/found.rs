//! What is found in what a check watches.

use futures_util::FutureExt;

use crate::leak_check::foreign::ForeignTask;
use crate::leak_check::hold::is_counted_by_runtime;
use crate::leak_check::{Kind, Leak};
use crate::report::{Place, TaskKind};
use crate::task_set::{Core, Live};
use crate::terminate::Terminate;

/// The runtime's number of tasks, and what is known of it.
pub(super) struct Counted {
    /// When the check was made.
    before: usize,
    /// What lives of the watched.
    ours: usize,
}

/// What lives in a set and in all below it.
pub(super) fn of_set(set: &Core, found: &mut Vec<Leak>, counted: &mut Counted) {
    for Live { owner, task } in set.live_of_tree() {
        counted.add(task.kind);
        found.push(leak(task.name.as_str(), task.kind, task.place, &owner).aged(task.age));
    }
}

/// What an owner's report names, and the owner itself if it has not ended and names nothing.
pub(super) fn of_owner(owner: &dyn Terminate, found: &mut Vec<Leak>, counted: &mut Counted) {
    let before = found.len();
    let has_ended = owner.ended().now_or_never().is_some();
    let report = owner.report();
    for item in report.iter().flat_map(|report| report.stragglers()) {
        let task = item.item;
        counted.add(task.kind);
        let leak = leak(&task.name, task.kind, task.place, item.path.last().unwrap_or(&"")).aged(task.age);
        found.push(Leak { detail: format!("{}; {}", leak.detail, task.outcome), ..leak });
    }
    for item in report.iter().flat_map(|report| report.remnants_all()) {
        let remnant = item.item;
        let leak = Leak::new(Kind::Remnant, &*remnant.name).aged(remnant.age);
        let leak = leak.with_detail(format!("{} of {:?}", remnant.kind, item.path.last().unwrap_or(&"")));
        found.push(match remnant.place {
            Some(place) => leak.at(in_full(place)),
            None => leak,
        });
    }
    if found.len() > before {
        return;
    }
    let detail = match &report {
        _ if !has_ended => "this owner has not ended: terminate it before the check is finished".to_owned(),
        Some(report) if !report.is_clean() => format!("its report is not clean: {report}"),
        _ => return,
    };
    found.push(Leak::new(Kind::Remnant, owner.name()).with_detail(detail));
}

impl Counted {
    pub(super) fn new(before: usize) -> Self {
        Self { before, ours: 0 }
    }

    fn add(&mut self, kind: TaskKind) {
        self.ours += usize::from(is_counted_by_runtime(kind));
    }

    /// What nothing is known of.
    pub(super) fn excess(&self, alive: usize) -> Option<Leak> {
        let excess = alive.saturating_sub(self.before + self.ours);
        let plural = if excess == 1 { "" } else { "s" };
        let leak = Leak::new(Kind::Task, format!("{excess} foreign task{plural}"));
        let detail = "on the runtime, of no watched owner; leak_test names them in a build with --cfg tokio_unstable";
        (excess > 0).then(|| leak.with_detail(detail))
    }
}

impl From<ForeignTask> for Leak {
    fn from(task: ForeignTask) -> Self {
        Self::new(Kind::Task, "foreign task").at(task.place).aged(task.age).with_detail("on the runtime, of no owner")
    }
}

fn leak(name: &str, kind: TaskKind, place: Place, owner: &str) -> Leak {
    let leak_kind = match kind {
        TaskKind::Blocking => Kind::BlockingJob,
        TaskKind::Thread => Kind::Thread,
        _ => Kind::Task,
    };
    Leak::new(leak_kind, name).at(in_full(place)).with_detail(format!("{kind} of {owner:?}"))
}

/// Not cut, as a report for a person shows it.
fn in_full(place: Place) -> String {
    format!("{}:{}", place.file, place.line)
}
