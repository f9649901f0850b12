//! Tasks of every kind on one set, and a set below it, terminated at a random moment.

use std::future::{pending, ready};

use landfall_lifecycle::{Report, SpawnError, TaskSet};
use tokio::task::yield_now;

use super::Placed;
use crate::findings::Kind;
use crate::observed::{BodyError, Course, Unpolled};
use crate::random::Random;
use crate::twin::Twin;

/// The faults of the product that show here.
pub const TWINS: &[Twin] = &[
    Twin::product("forget-close", Kind::Task).named("late").at(LATE.1),
    Twin::product("leak-child", Kind::ForeignTask).at_if_told(BELOW.1),
    Twin::product("leave-thread", Kind::Thread).named("landfall-clock"),
    Twin::product("no-thread", Kind::GraceCut),
    Twin::product("skip-join", Kind::ForeignTask).at_if_told(HEEDLESS.1),
    Twin::product("swallow-cancel", Kind::Aborted).named("drains").at(DRAINS.1),
];

/// A future that is tracked and that nobody polls, with its place.
type Late = (fn(&TaskSet) -> Result<Unpolled, SpawnError>, &'static str);

const DRAINS: Placed = (|set| set.spawn("drains", set.token().cancelled_owned()), concat!(file!(), ":", line!()));
const HEEDLESS: Placed = (|set| set.spawn("heedless", pending::<()>()), concat!(file!(), ":", line!()));
const BELOW: Placed = (|set| set.spawn("heedless below", pending::<()>()), concat!(file!(), ":", line!()));
/// Polled by nobody: a task that is let in too late is dropped at its first poll, maybe before anybody looks.
const LATE: Late = (|set| set.track("late", pending()), concat!(file!(), ":", line!()));

/// Spawns of the task that spawns until it is refused. Bounded, for it is not refused if a gate is left open.
const SPAWNS_MAX: usize = 2_000;

/// Runs it.
///
/// # Errors
///
/// When a spawn is refused before the termination has begun.
pub async fn load(course: Course) -> Result<Report, BodyError> {
    let mut random = course.random();
    let tasks = course.told(TaskSet::new("tasks"));
    let below = course.awaited(tasks.child("below")?);
    spawn_until_refused(&tasks)?;
    for _ in 0..random.within(20..200) {
        let set = if random.within(0..4) == 0 { &below } else { &tasks };
        spawn_any(set, &mut random)?;
    }
    DRAINS.0(&tasks)?;
    HEEDLESS.0(&tasks)?;
    BELOW.0(&below)?;
    course.while_it_runs(&mut random).await;
    let report = course.end(&tasks).await?;
    // Refused: what comes after the end has no owner any more.
    if let Ok(late) = LATE.0(&tasks) {
        course.keep(late);
    }
    Ok(report)
}

fn spawn_any(set: &TaskSet, random: &mut Random) -> Result<(), SpawnError> {
    match random.within(0..6) {
        0 => drop(set.spawn_with_handle("is over", ready(()))?),
        1 => drop(DRAINS.0(set)?),
        2 => drop(HEEDLESS.0(set)?),
        // An output and a future of some size, dropped by the set.
        3 => drop(set.spawn_with_handle("gives", async { vec![0_u8; 1_000] })?),
        4 => drop(set.spawn_with_handle("heedless, dropped by its handle", pending::<()>())?.abort_on_drop()),
        _ => {
            let stop = set.token();
            let clean_up = async move {
                stop.cancelled().await;
                yield_now().await;
            };
            set.spawn_closing("cleans up", clean_up)?;
        }
    }
    Ok(())
}

/// Races spawns against the termination: each is owned and ends, or is refused.
fn spawn_until_refused(tasks: &TaskSet) -> Result<(), SpawnError> {
    let (set, stop) = (tasks.downgrade(), tasks.token());
    tasks.spawn("drains, spawning", async move {
        for _ in 0..SPAWNS_MAX {
            let Some(set) = set.upgrade() else { return };
            if set.spawn("drains, spawned", stop.clone().cancelled_owned()).is_err() {
                return;
            }
            yield_now().await;
        }
    })?;
    Ok(())
}
