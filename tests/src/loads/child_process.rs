//! An owner of child processes: its termination kills them and waits for them.

use std::process;

use landfall_lifecycle::{Report, SpawnError, TaskId, TaskSet};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::findings::Kind;
use crate::observed::{BodyError, Course};
use crate::twin::Twin;

/// The faults that show here; the first one is planted here.
pub const TWINS: &[Twin] = &[
    Twin::planted(UNREAPED, Kind::ChildProcess).named("sleep"),
    Twin::product("swallow-cancel", Kind::Aborted).named("keeper").at(KEEPER.1),
];

type Placed = (fn(&TaskSet, Child) -> Result<TaskId, SpawnError>, &'static str);

const KEEPER: Placed = (|set, child| set.spawn("keeper", keep(set.token(), child)), concat!(file!(), ":", line!()));

/// A child that was killed and not waited for: a zombie.
const UNREAPED: &str = "unreaped-child";

/// Runs it.
///
/// # Errors
///
/// When a process cannot be started, or a spawn is refused before the termination has begun.
pub async fn load(course: Course) -> Result<Report, BodyError> {
    let mut random = course.random();
    let keepers = course.told(TaskSet::new("keepers"));
    for _ in 0..random.within(1..5) {
        // Tokio's own net, for the keeper that is dropped before it was done.
        KEEPER.0(&keepers, Command::new("sleep").arg("600").kill_on_drop(true).spawn()?)?;
    }
    if course.has_fault(UNREAPED) {
        process::Command::new("sleep").arg("600").spawn()?.kill()?;
    }
    course.while_it_runs(&mut random).await;
    course.end(&keepers).await
}

async fn keep(stop: CancellationToken, mut child: Child) {
    stop.cancelled().await;
    if let Err(error) = child.kill().await {
        eprintln!("error: a child process cannot be ended: {error}");
    }
}
