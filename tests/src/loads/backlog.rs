//! A backlog with callers in front of it and a child behind it that loses its connection again and again, terminated at a
//! random moment. Callers heed nothing: the end of the backlog has to tell each of them.

use std::time::Duration;

use landfall_lifecycle::{Report, SpawnError, Stack, TaskId, TaskSet};
use landfall_supervise::backlog::{Address, Backlog, BuildError, Builder, Limits, NotTaken, Unanswered, WhenFull};
use landfall_supervise::{ChildCx, ChildSpec, Supervisor};
use tokio::task::yield_now;

use crate::findings::Kind;
use crate::observed::{BodyError, Course};
use crate::random::Random;
use crate::twin::Twin;

/// The faults of the product that show here.
pub const TWINS: &[Twin] = &[
    Twin::product("supervise/keep-waiting", Kind::Aborted).named("caller").at(CALLER.1),
    Twin::product("supervise/leave-time", Kind::ForeignTask).at_if_told(BUILD.1),
];

/// What starts the backlog's own task.
type Builds = (fn(Builder<u64, u64>) -> Result<Backlog<u64, u64>, BuildError>, &'static str);
/// A caller that puts one request after the other.
type Calls = (fn(&TaskSet, Address<u64, u64>, Random) -> Result<TaskId, SpawnError>, &'static str);

const BUILD: Builds = (|it| it.build(), concat!(file!(), ":", line!()));
const CALLER: Calls = (|set, to, random| set.spawn("caller", call(to, random)), concat!(file!(), ":", line!()));

const CALLERS: usize = 24;
/// Fewer than there are callers, so that some are refused and some give way.
const REQUESTS_MAX: usize = 16;

/// Longer than a round: it is the end that tells of these.
const LONG: Duration = Duration::from_secs(3_600);
const SHORT_MAX: Duration = Duration::from_millis(20);

/// Runs it.
///
/// # Errors
///
/// When something is refused before the termination has begun.
pub async fn load(course: Course) -> Result<Report, BodyError> {
    let mut random = course.random();
    let mut limits = Limits::default();
    limits.requests_max = REQUESTS_MAX;
    limits.when_full = [WhenFull::Refuse, WhenFull::DropOldest, WhenFull::DropNewest][random.number() as usize % 3];
    let backlog = BUILD.0(Backlog::builder("backlog").limits(limits))?;
    let (address, callers) = (backlog.address(), course.told(TaskSet::new("callers")));
    let (served, seed) = (address.clone(), random.number());
    let server = ChildSpec::worker("server", move |cx| serve(cx, served.clone(), Random::new(seed)));
    let supervisor = Supervisor::builder("client").intensity(u32::MAX, Duration::from_secs(1));
    let tree = supervisor.child(ChildSpec::instance("backlog", backlog)).child(server).start().await?;
    for _ in 0..CALLERS {
        CALLER.0(&callers, address.clone(), Random::new(random.number()))?;
    }
    // The callers last: all of them have been told by then.
    let stack = Stack::new("stack");
    stack.push(callers)?;
    stack.push(tree)?;
    course.while_it_runs(&mut random).await;
    course.end(&stack).await
}

/// Puts requests until the backlog ends.
async fn call(address: Address<u64, u64>, mut random: Random) {
    loop {
        let number = random.number();
        // Some expire, some wait until they are told, and some are withdrawn.
        let timeout = if random.within(0..2) == 0 { LONG } else { random.time_below(SHORT_MAX) };
        match address.put_within(number, timeout) {
            Ok(reply) if random.within(0..8) == 0 => drop(reply),
            Ok(reply) => match reply.await {
                Err(Unanswered::Terminating) => return,
                answer => assert!(answer.is_err() || answer == Ok(number), "{answer:?} to {number}"),
            },
            Err(error) if error.why == NotTaken::Terminating => return,
            Err(_) => {}
        }
        yield_now().await;
    }
}

/// Answers until it is asked to stop, or has lost its connection.
async fn serve(cx: ChildCx, address: Address<u64, u64>, mut random: Random) -> Result<(), BodyError> {
    let mut intake = address.attach()?;
    while let Some(true) = cx.token().run_until_cancelled(intake.ready()).await {
        let batch = intake.commit(4, usize::MAX);
        tokio::time::sleep(random.time_below(Duration::from_millis(2))).await;
        for one in batch {
            match random.within(0..40) {
                0 => return Err("the connection was lost".into()),
                1 => drop(one),
                2 => one.give_up(),
                _ => {
                    let answer = *one.request();
                    one.answer(answer);
                }
            }
        }
    }
    Ok(())
}
