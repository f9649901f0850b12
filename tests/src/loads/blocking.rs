//! Blocking jobs and threads that look at their token, and a thread that waits for the abort.

use std::thread::sleep;
use std::time::Duration;

use landfall_lifecycle::{Phase, Report, SpawnError, Task, TaskSet};

use crate::findings::Kind;
use crate::observed::{BodyError, Course};
use crate::twin::Twin;

/// The faults of the product that show here.
pub const TWINS: &[Twin] = &[
    Twin::product("leave-thread", Kind::Thread).named("landfall-clock"),
    Twin::product("skip-join", Kind::Thread).named("heedless thread"),
    Twin::product("swallow-cancel", Kind::Task).named("job").at(JOB.1),
];

type Placed = (fn(&TaskSet) -> Result<Task<()>, SpawnError>, &'static str);

const JOB: Placed = (|set| set.spawn_blocking("job", |it| until(|| it.is_cancelled())), concat!(file!(), ":", line!()));

/// Time between two looks at the token.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Runs it.
///
/// # Errors
///
/// When something is refused before the termination has begun.
pub async fn load(course: Course) -> Result<Report, BodyError> {
    let mut random = course.random();
    let work = course.told(TaskSet::new("work"));
    for _ in 0..random.within(1..16) {
        drop(JOB.0(&work)?);
        drop(work.spawn_blocking("is over", |_| ())?);
    }
    for _ in 0..random.within(1..6) {
        drop(work.spawn_thread("thread", |stop| until(|| stop.is_cancelled()))?);
    }
    let set = work.downgrade();
    let phase = move || set.upgrade().map_or(Phase::Terminated, |set| set.phase());
    drop(work.spawn_thread("heedless thread", move |_| {
        until(|| phase() > Phase::Draining);
        // A set that says that it has ended has joined this thread. If not it stays, so that it is seen.
        until(|| phase() < Phase::Terminated);
    })?);
    course.while_it_runs(&mut random).await;
    course.end(&work).await
}

fn until(is_over: impl Fn() -> bool) {
    while !is_over() {
        sleep(LOOK_EVERY);
    }
}
