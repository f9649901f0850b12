//! The scenarios: the same steps for a plugin on either stub.

use std::path::Path;

use super::known::Known;
use super::peer::Trouble;
use super::script::Script;
use super::wishes::{ADJUSTMENTS, UPDATES};
use super::world::{Kind, Side, World};

/// What happens in the life of a pod and a container, in the order in which it does.
const LIFE: &[&str] = &[
    "RunPodSandbox",
    "CreateContainer",
    "PostCreateContainer",
    "StartContainer",
    "PostStartContainer",
    "UpdatePodSandbox",
    "PostUpdatePodSandbox",
    "UpdateContainer",
    "PostUpdateContainer",
    "StopContainer",
    "RemoveContainer",
    "StopPodSandbox",
    "RemovePodSandbox",
];

/// Scenarios that are not made from wishes.
const WRITTEN: &[&str] = &[
    "every-event",
    "some-events",
    "synchronize-6000",
    "updates-at-synchronization",
    "starts-again",
    "fails-a-creation",
    REJECTS,
    "unsolicited-updates",
    "update-from-inside-a-handler",
    "two-plugins",
    COLLIDE,
    "launched-by-the-runtime",
];

const REJECTS: &str = "rejects-a-creation";
const COLLIDE: &str = "two-plugins-that-collide";

/// The names of all scenarios that can be run with what a version of NRI knows.
#[must_use]
pub fn names(known: &Known) -> Vec<String> {
    let adjustments = ADJUSTMENTS.iter().map(|(wish, _)| wish).filter(|wish| known.adjustment(wish));
    let of_adjustments = adjustments.flat_map(|wish| [format!("made-adjustment/{wish}"), format!("adjusts/{wish}")]);
    let updates = UPDATES.iter().map(|(wish, _)| wish).filter(|wish| known.update(wish));
    let of_updates = updates.flat_map(|wish| [format!("made-update/{wish}"), format!("updates/{wish}")]);
    let written = WRITTEN.iter().filter(|name| match **name {
        REJECTS => known.method("ValidateContainerAdjustment"),
        COLLIDE => known.adjustment("args"),
        _ => true,
    });
    of_adjustments.chain(of_updates).chain(written.map(|name| (*name).to_owned())).collect()
}

/// Runs a scenario with the plugin on one of the stubs, and gives what happened.
///
/// # Errors
///
/// A [`Trouble`], when it cannot be run to its end.
///
/// # Cancel safety
///
/// Dropping it ends the Go program.
pub async fn run(name: &str, side: Side, known: &Known, program: &Path, driver: &Path) -> Result<Vec<String>, Trouble> {
    let mut world = World::new(name, side, program, driver)?;
    match name.split_once('/') {
        Some(("made-adjustment", wish)) => world.made(Kind::Adjustment, wish).await?,
        Some(("made-update", wish)) => world.made(Kind::Update, wish).await?,
        Some(("adjusts", wish)) => adjusts(&mut world, wish).await?,
        Some((_, wish)) => updates(&mut world, wish).await?,
        None => written(&mut world, name, known).await?,
    }
    world.end().await
}

async fn adjusts(world: &mut World, wish: &str) -> Result<(), Trouble> {
    world.runtime(1, 1, 0).await?;
    world.plugin(&Script { adjust: wish.to_owned(), ..Script::sees() }).await?;
    world.call("CreateContainer").await
}

async fn updates(world: &mut World, wish: &str) -> Result<(), Trouble> {
    world.runtime(1, 2, 0).await?;
    world.plugin(&Script { update: wish.to_owned(), ..Script::sees() }).await?;
    for method in ["CreateContainer", "UpdateContainer", "StopContainer"] {
        world.call(method).await?;
    }
    Ok(())
}

async fn written(world: &mut World, name: &str, known: &Known) -> Result<(), Trouble> {
    let script = Script::sees();
    match name {
        "every-event" | "some-events" => {
            let events = if name == "some-events" { "StartContainer,updatecontainer,pod" } else { "" };
            world.runtime(1, 2, 0).await?;
            world.plugin(&Script { events: events.to_owned(), ..script }).await?;
            for method in LIFE.iter().filter(|method| known.method(method)) {
                world.call(method).await?;
            }
            Ok(())
        }
        "synchronize-6000" => {
            world.runtime(3000, 3000, 2000).await?;
            world.plugin(&Script { update_at_sync: "cpu".to_owned(), ..script }).await
        }
        "updates-at-synchronization" => {
            world.runtime(1, 2, 0).await?;
            world.plugin(&Script { update_at_sync: "pids".to_owned(), ..script }).await
        }
        "starts-again" => {
            // Two registrations of it at once would be two owners of the variable, and fail the creation.
            world.runtime(1, 1, 0).await?;
            world.plugin(&Script { adjust: "env".to_owned(), ..script }).await?;
            for _ in 0..5 {
                world.call("CreateContainer").await?;
                world.restart().await?;
            }
            world.call("CreateContainer").await
        }
        "fails-a-creation" => {
            world.runtime(1, 1, 0).await?;
            world.plugin(&Script { fail: "no room".to_owned(), ..script }).await?;
            // The connection stays: what comes next is seen.
            world.call("CreateContainer").await?;
            world.call("StopContainer").await
        }
        REJECTS => {
            world.runtime(1, 1, 0).await?;
            world.plugin(&Script { reject: "not allowed".to_owned(), adjust: "env".to_owned(), ..script }).await?;
            world.call("CreateContainer").await
        }
        "unsolicited-updates" => {
            world.runtime(1, 2, 0).await?;
            world.plugin(&script).await?;
            world.unsolicited("memory").await?;
            world.unsolicited("ignore-failure").await
        }
        "update-from-inside-a-handler" => {
            world.runtime(1, 2, 0).await?;
            world.plugin(&Script { inside: "cpu".to_owned(), ..script }).await?;
            world.created_and_updated("cpu").await?;
            world.call("StartContainer").await
        }
        "two-plugins" | COLLIDE => {
            let other = if name == "two-plugins" { "env-replaced" } else { "args" };
            world.runtime(1, 1, 0).await?;
            let adjust = if name == "two-plugins" { "env" } else { "args" };
            world.plugin(&Script { adjust: adjust.to_owned(), ..script.clone() }).await?;
            let other = Script { name: "other".to_owned(), index: "20".to_owned(), adjust: other.to_owned(), ..script };
            world.plugin_in_go(&other).await?;
            world.call("CreateContainer").await
        }
        _ => {
            // What such a plugin has seen cannot be asked for: what it does shows that it was configured.
            world.leave_plugin(&Script { adjust: "hooks".to_owned(), ..script })?;
            world.runtime(1, 1, 0).await?;
            world.call("CreateContainer").await?;
            world.call("CreateContainer").await
        }
    }
}
