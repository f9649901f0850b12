//! Owners in an order: each level drains while the one below it still runs.

use std::future::pending;

use landfall_lifecycle::{Level, Report, Stack, TaskSet};

use super::Placed;
use crate::findings::Kind;
use crate::observed::{BodyError, Course};
use crate::twin::Twin;

/// The faults of the product that show here.
pub const TWINS: &[Twin] = &[
    Twin::product("leave-thread", Kind::Thread).named("landfall-clock"),
    Twin::product("no-thread", Kind::GraceCut),
    Twin::product("skip-join", Kind::ForeignTask).at_if_told(HEEDLESS.1),
    Twin::product("swallow-cancel", Kind::Aborted).named("drains").at(DRAINS.1),
];

const DRAINS: Placed = (|set| set.spawn("drains", set.token().cancelled_owned()), concat!(file!(), ":", line!()));
const HEEDLESS: Placed = (|set| set.spawn("heedless", pending::<()>()), concat!(file!(), ":", line!()));

/// Runs it.
///
/// # Errors
///
/// When something is refused before the termination has begun.
pub async fn load(course: Course) -> Result<Report, BodyError> {
    let mut random = course.random();
    let stack = Stack::new("stack");
    let sets = ["storage", "cache", "queue", "intake"].map(|name| course.told(TaskSet::new(name)));
    for set in &sets {
        for _ in 0..random.within(1..40) {
            DRAINS.0(set)?;
        }
    }
    let [storage, cache, queue, intake] = sets;
    // In the level that ends last: grace that is cut is cut for all that come later.
    HEEDLESS.0(&storage)?;
    stack.push(storage)?;
    stack.push_level(Level::of(cache).and(queue))?;
    stack.push(intake)?;
    course.while_it_runs(&mut random).await;
    course.end(&stack).await
}
