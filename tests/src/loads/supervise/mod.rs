//! A nested tree of supervisors under crashes, terminated at a random moment, in a group restart, in a delayed restart,
//! and in its start; what it did is in a journal that is judged where it ends.

mod ledger;
mod stuck;
mod tree;

use std::time::Duration;

use landfall_lifecycle::{Report, Terminate};
use landfall_supervise::{ChildState, SimpleSupervisor, Supervisor, TreeChild};

pub use self::stuck::{TWINS as STUCK_TWINS, load as stuck};
use self::tree::Grove;
use super::told;
use crate::deadline::Deadline;
use crate::findings::{Finding, Kind};
use crate::observed::{BodyError, Course, Drive};
use crate::random::Random;
use crate::scenario::Failure;
use crate::twin::Twin;

/// The faults of the product that show here.
pub const TWINS: &[Twin] = &[
    Twin::product("supervise/fire-late", Kind::StartedLate).named("delayed").at(tree::DELAYED.place),
    Twin::product("supervise/forget-tasks", Kind::ForeignTask).at_if_told(tree::SIDE_WORK.1),
    Twin::product("supervise/leave-old", Kind::Twice).named("second").at(tree::SECOND.place),
    Twin::product("supervise/skip-join", Kind::Task).named("keeper").at(tree::KEEPER.place),
    Twin::product("supervise/stop-in-start-order", Kind::Disorder).named("keeper").at(tree::KEEPER.place),
];

/// When a tree is terminated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Any,
    /// One of a group is stopped for another's sake.
    GroupRestart,
    /// A restart waits for its delay.
    DelayedRestart,
    /// Not all children are up.
    Start,
}

/// A moment that does not come within this is not waited for any more.
const MOMENT_WITHIN: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_micros(200);
/// A restart that was to be delayed would have come by then.
const LATE_WITHIN: Duration = Duration::from_millis(300);

/// Runs it: a tree for each moment, one after the other.
///
/// # Errors
///
/// When a tree does not start, or terminates one of its own tasks.
pub async fn load(course: Course) -> Result<Report, BodyError> {
    let mut random = course.random();
    let grove = Grove::new(random.number());
    for moment in [Moment::GroupRestart, Moment::DelayedRestart, Moment::Start] {
        let report = grow(&course, &grove, moment, &mut random).await?;
        if !report.is_clean() {
            let text = format!("terminated in {moment:?}: {}", report.to_string().replace('\n', "; "));
            grove.ledger().find(Finding::new(Kind::Unclean, text).named(report.name.clone()));
        }
        grove.replant();
    }
    let report = grow(&course, &grove, Moment::Any, &mut random).await?;
    let (findings, begun) = grove.ledger().close();
    told::tell(&findings, begun);
    Ok(report)
}

/// Takes in what the journal of a target found.
///
/// # Errors
///
/// When the target does not say that it is through.
pub fn drive(drive: &mut Drive<'_>) -> Result<(), Failure> {
    told::take_in(drive, "instances")
}

async fn grow(course: &Course, grove: &Grove, moment: Moment, random: &mut Random) -> Result<Report, BodyError> {
    let builder = grove.root();
    if moment == Moment::Start {
        let tree = builder.answers_early().start().await?;
        tokio::time::sleep(random.time_below(Duration::from_millis(4))).await;
        return end(course, grove, &tree).await;
    }
    let tree = builder.start().await?;
    for number in 0..random.within(1..5) {
        tree.start_child(grove.added(number)).await?;
    }
    let crowd = tree.supervisor("crowd").as_ref().and_then(SimpleSupervisor::<u64>::of).ok_or("there is no crowd")?;
    for number in 0..random.within(3..20) {
        crowd.start_child(number).await?;
    }
    drop(crowd);
    course.while_it_runs(random).await;
    let deadline = Deadline::after(MOMENT_WITHIN);
    while !has_come(&tree, moment) && !deadline.is_over() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let report = end(course, grove, &tree).await?;
    if moment == Moment::DelayedRestart {
        tokio::time::sleep(LATE_WITHIN).await;
    }
    Ok(report)
}

/// All of it heeds, so it has all the time.
async fn end(course: &Course, grove: &Grove, tree: &Supervisor) -> Result<Report, BodyError> {
    let report = tree.terminate(&course.in_peace()).await?;
    grove.ledger().over();
    Ok(report)
}

fn has_come(tree: &Supervisor, moment: Moment) -> bool {
    let has = |supervisor: &str, is_sought: fn(&TreeChild) -> bool| {
        tree.supervisor(supervisor).is_some_and(|it| it.which_children().iter().any(is_sought))
    };
    match moment {
        Moment::Any | Moment::Start => true,
        Moment::GroupRestart => has("group", |child| child.state == ChildState::Stopping),
        Moment::DelayedRestart => has("patient", |child| child.retry_in.is_some_and(|left| left > tree::DELAY / 2)),
    }
}
