//! A set that is dropped without being terminated: its tasks are aborted, and its parent ends without them.

use std::future::pending;
use std::process::ExitCode;

use landfall_lifecycle::TaskSet;
use landfall_tests::findings::Kind;
use landfall_tests::observed::Observed;
use landfall_tests::twin::Twin;

const TWINS: &[Twin] = &[Twin::product("leak-child", Kind::ForeignTask)];

fn main() -> ExitCode {
    Observed::new("dropped-set", "Drops a set below another one without terminating it", |target| {
        target.run(async |course| {
            let parent = course.told(TaskSet::new("parent"));
            let dropped = parent.child("dropped")?;
            dropped.spawn("heedless", pending::<()>())?;
            drop(dropped);
            course.end(&parent).await
        })
    })
    .finding(TWINS)
    .main()
}
