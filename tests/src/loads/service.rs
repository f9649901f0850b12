//! A whole service that gets SIGTERM at a random moment after its start, and once more when only the heedless are left.

use std::future::pending;
use std::process::ExitCode;
use std::time::Duration;

use landfall_lifecycle::{ServiceCx, TaskSet};

use super::Placed;
use crate::findings::Kind;
use crate::observed::{BodyError, Course, Drive, Target};
use crate::process::Signal;
use crate::scenario::Failure;
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

/// What the target says when it runs, and when it has drained.
const RUNS: &str = "the service runs";
const DRAINED: &str = "the service has drained";

/// How long it may take to say so.
const SAY_MAX: Duration = Duration::from_secs(5);

/// Runs the target.
pub fn target(target: &Target) -> ExitCode {
    let this = target.clone();
    target.service("service").run(async move |cx| start(&this.course()?, &cx))
}

fn start(course: &Course, cx: &ServiceCx) -> Result<(), BodyError> {
    let mut random = course.random();
    let [storage, intake] = ["storage", "intake"].map(|name| course.told(TaskSet::new(name)));
    for set in [&storage, &intake] {
        for _ in 0..random.within(1..60) {
            DRAINS.0(set)?;
        }
    }
    HEEDLESS.0(&storage)?;
    let looks = course.clone();
    // It waits for the others, so it may not be waited for.
    storage.spawn("heedless watch", async move {
        looks.until_drained().await;
        eprintln!("{DRAINED}");
    })?;
    cx.stack().push(storage)?;
    cx.stack().push(intake)?;
    eprintln!("{RUNS}");
    Ok(())
}

/// Drives it: the second signal cuts the grace.
///
/// # Errors
///
/// When it does not say that it runs.
pub fn drive(drive: &mut Drive<'_>) -> Result<(), Failure> {
    drive.line_with(RUNS)?;
    drive.signal_soon();
    // One that does not drain is left to its grace: that is the finding.
    _ = drive.process.line_with(DRAINED, drive.deadline.within(SAY_MAX));
    drive.process.signal(Signal::TERM);
    Ok(())
}
