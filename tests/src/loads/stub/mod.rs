//! A plugin through two hundred generations on a real socket: each serves, with handlers under way, and is then lost, cut
//! in the midst of a message, or stopped. The last one is terminated.

mod journal;
mod scene;

use landfall_lifecycle::Report;

use self::journal::Level;
use self::scene::Scene;
use super::told;
use crate::findings::Kind;
use crate::observed::{BodyError, Course, Drive};
use crate::scenario::Failure;
use crate::twin::Twin;

/// The faults that show here, those of the product and one of the load's own.
pub const TWINS: &[Twin] = &[
    Twin::planted(GROWS, Kind::Growth).named(journal::LIVE_BYTES),
    Twin::product("leave-thread", Kind::Thread).named("landfall-clock"),
    Twin::product("stub/forget-writer", Kind::ForeignTask).at_if_told("crates/stub/src/wire/trunk.rs"),
    Twin::product("stub/keep-socket", Kind::Socket).named("unix"),
    Twin::product("stub/leave-dial", Kind::ForeignTask).at_if_told("crates/stub/src/life/handshake.rs"),
    Twin::product("stub/skip-handlers", Kind::Task).named(scene::WAITING).at(scene::WAITS.1),
];

/// The load's own fault: each generation keeps some bytes.
const GROWS: &str = "grows";
const KEPT_BYTES: usize = 1 << 10;

/// Generations before the first look: what the first use of everything allocates stays.
const WARM_UP: u64 = 20;
const GENERATIONS: u64 = 200;

/// Runs it; `live` asks the program's allocator.
///
/// # Errors
///
/// When a generation does not start that nothing hinders.
pub async fn load(course: Course, live: fn() -> usize) -> Result<Report, BodyError> {
    let mut random = course.random();
    let scene = Scene::new(&course)?;
    for _ in 0..WARM_UP {
        scene.generation(&mut random).await?;
    }
    let before = Level::now(live);
    for _ in 0..GENERATIONS {
        scene.generation(&mut random).await?;
        if course.has_fault(GROWS) {
            Box::leak(vec![1_u8; KEPT_BYTES].into_boxed_slice());
        }
    }
    let (mut findings, seen) = scene.journal().close();
    findings.append(before.growth(live).await);
    scene.last_generation(&mut random).await?;
    course.while_it_runs(&mut random).await;
    let report = scene.end(&course).await?;
    told::tell(&findings, seen);
    Ok(report)
}

/// Takes in what a target found in its generations.
///
/// # Errors
///
/// When the target does not say that it is through.
pub fn drive(drive: &mut Drive<'_>) -> Result<(), Failure> {
    told::take_in(drive, "generations")
}
