//! Futures that are dropped at every poll, and callers beside deadlines beside restarts.

use std::sync::Arc;
use std::time::Duration;

use landfall_lifecycle::testing::{Cut, cancel_at_every_poll_on};
use landfall_lifecycle::{Shutdown, Terminate};
use landfall_supervise::ChildSpec;
use landfall_supervise::backlog::{Address, Backlog, Reply, Unanswered};

use super::{backlog, is_balanced, limits};
use crate::harness::*;

type Served = (Backlog<u32, u32>, Address<u32, u32>, Option<Reply<u32, u32>>);

async fn with_one() -> Served {
    let backlog = backlog();
    let address = backlog.address();
    let reply = address.put(1).unwrap();
    (backlog, address, Some(reply))
}

/// Whatever was dropped, one more request is answered, and all is accounted for.
async fn is_sound((backlog, address, reply): Served) {
    drop(reply);
    let mut intake = address.attach().unwrap();
    let another = address.put(2).unwrap();
    let serves = async {
        while let Some(one) = intake.next().await {
            one.answer(0);
        }
    };
    let (answer, ()) = tokio::join!(
        async {
            let answer = another.await;
            end(&backlog).await;
            answer
        },
        serves
    );
    assert_eq!(answer, Ok(0));
    drop(intake);
    is_balanced(backlog.stats());
}

#[test]
fn waits_that_are_dropped_lose_nothing() {
    guarded(async {
        let is_sound = async |served: Served, _: Cut| is_sound(served).await;
        let run = async |(_, address, _): &mut Served| {
            let mut intake = address.attach().unwrap();
            assert!(intake.ready().await);
            let one = intake.next().await.unwrap();
            tokio::task::yield_now().await;
            one.answer(10);
            tokio::select! {
                biased;
                _ = intake.next() => panic!("nothing is left"),
                () = tokio::task::yield_now() => {}
            }
        };
        cancel_at_every_poll_on(with_one, run).check(is_sound).await;
        let run = async |(_, address, reply): &mut Served| {
            let mut intake = address.attach().unwrap();
            let serves = async {
                tokio::task::yield_now().await;
                intake.next().await.unwrap().answer(10);
            };
            let (answer, ()) = tokio::join!(reply.take().unwrap(), serves);
            assert_eq!(answer, Ok(10));
        };
        cancel_at_every_poll_on(with_one, run).check(is_sound).await;
    });
}

#[test]
fn terminations_that_are_dropped_go_on() {
    guarded(async {
        let run = async |(backlog, _, reply): &mut Served| {
            let how = within(5, 6);
            let (report, ()) = tokio::join!(backlog.terminate(&how), backlog.ended());
            assert!(report.unwrap().is_clean());
            assert_eq!(reply.take().unwrap().await, Err(Unanswered::Terminating));
        };
        let is_sound = async |(backlog, _, _): Served, _: Cut| {
            end(&backlog).await;
            is_balanced(backlog.stats());
        };
        cancel_at_every_poll_on(with_one, run).check(is_sound).await;
    });
}

/// On two workers, with callers, expiries and restarts beside each other: each request ends once, and none that was
/// told to have expired was seen by a child.
#[test]
fn nobody_is_told_expired_of_what_a_child_has_seen() {
    guarded_on(2, async {
        let seen = Arc::new(std::sync::Mutex::new(std::collections::HashSet::new()));
        let backlog: Backlog<u32, u32> =
            Backlog::builder("orders").limits(limits(|limits| limits.requests_max = 100_000)).build().unwrap();
        let address = backlog.address();
        let (served, inner) = (address.clone(), Arc::clone(&seen));
        let server = ChildSpec::worker("server", move |cx| {
            let (address, seen) = (served.clone(), Arc::clone(&inner));
            async move {
                let mut intake = address.attach()?;
                let mut taken = 0;
                while let Some(Some(one)) = cx.token().run_until_cancelled(intake.next()).await {
                    seen.lock().unwrap().insert(*one.request());
                    taken += 1;
                    if taken == 7 {
                        return Err("lost".into());
                    }
                    let answer = *one.request();
                    one.answer(answer);
                    tokio::task::yield_now().await;
                }
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
            }
        });
        let tree = landfall_supervise::Supervisor::builder("app").intensity(u32::MAX, secs(1)).child(server).start();
        let tree = tree.await.unwrap();
        let callers = (0..4_000_u32).map(|number| {
            let (address, seen) = (address.clone(), Arc::clone(&seen));
            async move {
                let reply = address.put_within(number, Duration::from_micros(u64::from(number))).unwrap();
                match reply.await {
                    Ok(answer) => assert_eq!(answer, number),
                    Err(Unanswered::Expired) => assert!(!seen.lock().unwrap().contains(&number), "{number}"),
                    Err(Unanswered::Unknown) => assert!(seen.lock().unwrap().contains(&number), "{number}"),
                    Err(error) => panic!("{error}"),
                }
            }
        });
        futures_util::future::join_all(callers).await;
        drop(tree.terminate(&Shutdown::within(secs(30), secs(31))).await.unwrap());
        assert!(backlog.terminate(&Shutdown::within(secs(30), secs(31))).await.unwrap().is_clean());
        is_balanced(backlog.stats());
    });
}
