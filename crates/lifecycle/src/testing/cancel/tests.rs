//! The tool itself: what it counts, and the faults it must name.

use std::cell::Cell;
use std::future::{pending, poll_fn, ready};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::sync::{Mutex, Notify, mpsc};
use tokio::task::yield_now;

use super::*;
use crate::sync::Arc;
use crate::{Shutdown, TaskSet, Terminate};

async fn fault_of<F: AsyncFnMut() -> T, T>(tested: EveryPoll<(), F>) -> Fault {
    tested.run_max(Duration::from_millis(100)).try_check(async |_| ()).await.unwrap_err()
}

#[tokio::test]
async fn every_poll_is_a_cut_point_and_is_checked() {
    let mut seen = Vec::new();
    let cuts = cancel_at_every_poll(async || {
        yield_now().await;
        yield_now().await;
    });
    let cuts = cuts.check(|cut| seen.push((cut.polls, cut.completed))).await;
    assert_eq!(seen, [(0, false), (1, false), (2, false), (3, true)]);
    assert_eq!((cuts.polls, cuts.runs), (2, 4));
    assert_eq!(cuts.to_string(), "cut points: 2, runs: 4");
}

/// Waits for the wake: a poll in between would be counted.
#[test]
fn it_waits_for_another_task_between_two_polls() {
    let multi_thread = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let current_thread = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for runtime in [current_thread, multi_thread] {
        let polls_max = AtomicUsize::new(0);
        let cuts = runtime.block_on(async {
            let tasks = TaskSet::new("peers");
            let cuts = cancel_at_every_poll(async || {
                let (wake, woken) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
                let (theirs, answer) = (Arc::clone(&wake), Arc::clone(&woken));
                let peer = async move {
                    theirs.notified().await;
                    for _ in 0..20 {
                        yield_now().await;
                    }
                    answer.notify_one();
                };
                tasks.spawn("peer", peer).unwrap();
                let mut polls = 0;
                let mut woken = std::pin::pin!(woken.notified());
                poll_fn(|cx| {
                    polls += 1;
                    polls_max.fetch_max(polls, Ordering::SeqCst);
                    let polled = woken.as_mut().poll(cx);
                    if polls == 1 {
                        // Only now, so that it always has to wait.
                        wake.notify_one();
                    }
                    polled
                })
                .await;
            });
            let cuts = cuts.check(|_| ()).await;
            assert!(tasks.terminate(&Shutdown::now()).await.unwrap().is_clean());
            cuts
        });
        assert!(cuts.polls == 1 && polls_max.into_inner() == 2, "{cuts}");
    }
}

#[tokio::test]
async fn each_run_has_its_state_and_gives_it_to_the_check() {
    let made = Cell::new(0);
    let set_up = async || {
        made.set(made.get() + 1);
        mpsc::channel::<u8>(1)
    };
    let run = async |channel: &mut (mpsc::Sender<u8>, mpsc::Receiver<u8>)| {
        channel.0.send(1).await.unwrap();
        yield_now().await;
        channel.0.send(2).await.unwrap();
    };
    let fault = cancel_at_every_poll_on(set_up, run).run_max(Duration::from_millis(100)).try_check(async |_, _| ());
    // The channel holds one, and nobody receives.
    assert!(matches!(fault.await.unwrap_err().kind, FaultKind::NotWoken { polls: 2, stale: 0, .. }));
    let cuts = cancel_at_every_poll_on(set_up, async |channel| {
        channel.0.send(1).await.unwrap();
        yield_now().await;
        channel.1.recv().await
    });
    let before = made.get();
    let cuts = cuts.check(async |mut channel, cut| assert_eq!(channel.1.try_recv().is_ok(), cut.polls == 1)).await;
    assert_eq!((cuts.polls, made.get() - before), (1, cuts.runs));
}

#[tokio::test]
async fn a_future_that_is_ready_at_once_fails_unless_declared() {
    let fault = fault_of(cancel_at_every_poll(|| ready(()))).await;
    assert_eq!(fault.kind, FaultKind::ReadyAtOnce);
    assert!(fault.to_string().contains(&format!("at {}:", file!())), "{fault}");
    let cuts = cancel_at_every_poll(|| ready(())).ready_at_once().check(|_| ()).await;
    assert_eq!((cuts.polls, cuts.runs), (0, 2));
}

#[tokio::test]
#[should_panic = "the check panicked, when the future was dropped after poll 1: a message is lost"]
async fn a_lost_message_is_found_where_it_is_lost() {
    let (sender, receiver) = mpsc::channel::<String>(8);
    let receiver = Mutex::new(receiver);
    let take_then_wait = async || {
        sender.send(String::new()).await.unwrap();
        let message = receiver.lock().await.recv().await;
        yield_now().await;
        drop(message);
    };
    let check = |cut: Cut| assert!(cut.completed || cut.polls == 0, "a message is lost");
    cancel_at_every_poll(take_then_wait).check(check).await;
}

#[tokio::test]
async fn hangs_are_named() {
    let fault = fault_of(cancel_at_every_poll(pending::<()>)).await;
    assert_eq!(fault.kind, FaultKind::NotWoken { polls: 1, stale: 0, run_max: Duration::from_millis(100) });
    assert!(fault.to_string().contains("the future hangs"), "{fault}");
    let tested = cancel_at_every_poll(yield_now).run_max(Duration::from_millis(100));
    let fault = tested.try_check(async |_| pending().await).await.unwrap_err();
    assert!(fault.to_string().contains("the check hangs for 100ms, when the future was dropped unpolled"), "{fault}");
}

#[tokio::test]
async fn a_future_without_an_end_reaches_the_bound() {
    let endless = async || loop {
        yield_now().await;
    };
    let fault = cancel_at_every_poll::<_, ()>(endless).polls_max(5).try_check(async |_| ()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::TooManyPolls { polls_max: 5 });
}

/// Keeps the waker of its first poll, which a task never notices until the future moves into another one.
#[tokio::test]
async fn a_waker_of_an_earlier_poll_does_not_count() {
    let tasks = &TaskSet::new("peers");
    let fault = fault_of(cancel_at_every_poll(|| {
        let (mut first, wake) = (None::<Waker>, Arc::new(Notify::new()));
        let (theirs, mut polls) = (Arc::clone(&wake), 0);
        poll_fn(move |cx| {
            polls += 1;
            match polls {
                1 => {
                    first = Some(cx.waker().clone());
                    cx.waker().wake_by_ref();
                }
                2 => {
                    let (waker, theirs) = (first.take(), Arc::clone(&theirs));
                    let late = async move {
                        theirs.notified().await;
                        if let Some(waker) = waker {
                            waker.wake();
                        }
                    };
                    tasks.spawn("wakes", late).unwrap();
                    wake.notify_one();
                }
                _ => return Poll::Ready(()),
            }
            Poll::Pending
        })
    }))
    .await;
    assert!(matches!(fault.kind, FaultKind::NotWoken { polls: 2, stale: 1, .. }), "{fault}");
    assert!(tasks.terminate(&Shutdown::now()).await.unwrap().is_clean());
}

/// Takes its second poll for the answer: right until something else polls it.
#[tokio::test]
async fn a_spurious_poll_finds_who_takes_a_poll_for_an_answer() {
    let answered = Cell::new(false);
    let naive = || {
        answered.set(false);
        let mut polls = 0;
        let mut answer = Box::pin(async {
            yield_now().await;
            answered.set(true);
        });
        poll_fn(move |cx| {
            polls += 1;
            let polled = answer.as_mut().poll(cx);
            if polls == 2 { Poll::Ready(()) } else { polled }
        })
    };
    let check = async |cut: Cut| assert!(!cut.completed || answered.get(), "ready without an answer");
    assert_eq!(cancel_at_every_poll(naive).try_check(check).await.unwrap().polls, 1);
    let naive = || {
        answered.set(false);
        let mut polls = 0;
        let waits = Box::pin(pending::<()>());
        let mut waits = waits;
        poll_fn(move |cx| {
            polls += 1;
            let polled = waits.as_mut().poll(cx);
            if polls == 2 { Poll::Ready(()) } else { polled }
        })
    };
    let fault = cancel_at_every_poll(naive).spurious().try_check(check).await.unwrap_err();
    assert!(fault.to_string().ends_with("ready without an answer"), "{fault}");
}
