//! Every public future may be dropped at every poll.

use landfall_lifecycle::Terminate;
use landfall_lifecycle::testing::cancel_at_every_poll_on;
use landfall_supervise::{ChildSpec, Supervisor};

use crate::harness::*;

fn worker(id: &'static str) -> ChildSpec {
    ChildSpec::worker(id, |cx| async move {
        cx.ready();
        cx.token().cancelled().await;
    })
    .signals_ready(secs(5))
}

async fn tree() -> Supervisor {
    let tree = builder("app").child(worker("a")).start().await.unwrap();
    tree.start_child(worker("down")).await.unwrap();
    tree.terminate_child("down").await.unwrap();
    tree
}

/// Whatever was dropped, the supervisor answers, and ends with nothing left.
async fn is_sound(tree: Supervisor) {
    tree.start_child(worker("after")).await.unwrap();
    assert!(tree.which_child("a").is_some());
    end(&tree).await;
}

macro_rules! cancelled {
    ($($name:ident: |$tree:ident| $call:expr;)+) => {$(
        #[test]
        fn $name() {
            guarded(async {
                let run = async |$tree: &mut Supervisor| drop($call.await);
                cancel_at_every_poll_on(tree, run).check(async |tree, _cut| is_sound(tree).await).await;
            });
        }
    )+};
}

cancelled! {
    start_child: |tree| tree.start_child(worker("new"));
    restart_child: |tree| tree.restart_child("down");
    delete_child: |tree| tree.delete_child("down");
    terminate_child: |tree| tree.terminate_child("a");
}

#[test]
fn start() {
    guarded(async {
        let diary = Diary::default();
        let set_up = {
            let diary = diary.clone();
            async move || Some(builder("app").child(diary.worker("a")).child(diary.worker("b")))
        };
        let run = async |builder: &mut Option<landfall_supervise::SupervisorBuilder>| {
            let tree = builder.take().unwrap().start().await.unwrap();
            end(&tree).await;
        };
        cancel_at_every_poll_on(set_up, run)
            .check(async |_builder, _cut| {
                let count = |line: &str| diary.read().iter().filter(|known| known.starts_with(line)).count();
                diary.has("gone a", diary.read().iter().filter(|line| *line == "start a").count()).await;
                assert!(count("gone") <= count("start"));
            })
            .await;
    });
}

#[test]
fn terminate_and_ended() {
    guarded(async {
        let run = async |tree: &mut Supervisor| {
            let how = within(5, 6);
            let (report, ()) = tokio::join!(tree.terminate(&how), tree.ended());
            assert!(report.unwrap().is_clean());
        };
        cancel_at_every_poll_on(tree, run).check(async |tree, _cut| end(&tree).await).await;
    });
}

#[test]
fn events() {
    guarded(async {
        let set_up = async || {
            let tree = tree().await;
            let events = tree.events();
            drop(tree.terminate_child("a").await);
            (tree, events)
        };
        let run = async |(_, events): &mut (Supervisor, landfall_supervise::Events)| {
            events.recv().await.unwrap().unwrap();
        };
        cancel_at_every_poll_on(set_up, run).ready_at_once().check(async |(tree, _), _cut| end(&tree).await).await;
    });
}
