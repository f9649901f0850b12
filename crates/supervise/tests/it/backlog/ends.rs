//! How a backlog ends, in order and otherwise.

use std::time::Duration;

use futures_util::FutureExt;
use landfall_lifecycle::testing::Contract;
use landfall_lifecycle::{Shutdown, Stack, Terminate};
use landfall_supervise::backlog::{AttachError, Backlog, NotTaken, Unanswered};

use super::{backlog, is_balanced};
use crate::harness::*;

#[test]
fn an_end_lets_the_child_drain_and_hands_back_the_rest() {
    guarded(async {
        let backlog = backlog();
        let address = backlog.address();
        let mut intake = address.attach().unwrap();
        let [first, lost, rest] = [1, 2, 3].map(|number| address.put(number).unwrap());
        let how = within(5, 6);
        let mut ends = backlog.terminate(&how);
        assert!((&mut ends).now_or_never().is_none());
        // The gate is closed by the call itself.
        assert_eq!(address.put(4).unwrap_err().why, NotTaken::Terminating);
        intake.next().await.unwrap().answer(10);
        drop(intake.next().await.unwrap());
        drop(intake);
        assert_eq!(
            (first.await, lost.await, rest.await),
            (Ok(10), Err(Unanswered::Unknown), Err(Unanswered::Terminating))
        );
        assert!(matches!(address.attach(), Err(AttachError::Terminating { .. })));
        let report = ends.await.unwrap();
        assert!(report.is_clean(), "{report}");
        is_balanced(backlog.stats());
    });
}

#[test]
fn a_child_that_drains_hears_that_nothing_more_comes() {
    guarded(async {
        let backlog = backlog();
        let address = backlog.address();
        let mut intake = address.attach().unwrap();
        let reply = address.put(1).unwrap();
        let serves = async move {
            while let Some(one) = intake.next().await {
                one.answer(10);
            }
        };
        let ((), answer, ()) = tokio::join!(serves, reply, end(&backlog));
        assert_eq!(answer, Ok(10));
    });
}

/// With no child there is nothing to drain to.
#[test]
fn an_end_without_a_child_hands_back_at_once() {
    guarded(async {
        let backlog = backlog();
        let reply = backlog.address().put(1).unwrap();
        backlog.begin_terminate(&within(60, 61));
        assert_eq!(reply.now_or_never(), Some(Err(Unanswered::Terminating)));
        end(&backlog).await;
    });
}

#[test]
fn a_child_that_keeps_what_it_took_is_named_in_the_report() {
    guarded(async {
        let backlog = backlog();
        let address = backlog.address();
        let mut intake = address.attach().unwrap();
        let [taken, waits] = [1, 2].map(|number| address.put_within(number, secs(100)).unwrap());
        let one = intake.next().await.unwrap();
        let how = within(2, 4);
        let report = backlog.terminate(&how).await.unwrap();
        assert!(how.clock_now() <= how.abort() + secs(1));
        assert_eq!((taken.await, waits.await), (Err(Unanswered::Unknown), Err(Unanswered::Terminating)));
        assert!(!report.is_clean());
        let text = report.to_string();
        assert!(text.contains("1 with the child") && text.contains("tests/it/backlog/ends.rs"), "{text}");
        // It may come late; nobody hears of it.
        assert!(!one.answer(10).1);
        assert_eq!(intake.next().await.map(|one| *one.request()), None);
        is_balanced(backlog.stats());
    });
}

#[test]
fn dropping_the_last_handle_hands_back_what_waits() {
    guarded(async {
        let backlog = backlog();
        let address = backlog.address();
        let reply = address.put(1).unwrap();
        drop(backlog.clone());
        assert!(address.put(2).is_ok());
        drop(backlog);
        assert_eq!(reply.await, Err(Unanswered::Terminating));
        assert_eq!(address.put(3).unwrap_err().why, NotTaken::Terminating);
    });
}

#[test]
fn a_runtime_that_goes_leaves_nobody_waiting() {
    let made = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for is_polled in [false, true] {
        let (gone, here) = (made(), made());
        let (backlog, reply) = gone.block_on(async {
            let backlog = backlog();
            let reply = backlog.address().put(1).unwrap();
            if is_polled {
                tokio::task::yield_now().await;
            }
            (backlog, reply)
        });
        drop(gone);
        here.block_on(async {
            let limit = Duration::from_secs(30);
            assert_eq!(tokio::time::timeout(limit, reply).await, Ok(Err(Unanswered::Terminating)));
            assert_eq!(backlog.address().put(2).unwrap_err().why, NotTaken::Terminating);
            assert!(tokio::time::timeout(limit, backlog.terminate(&Shutdown::now())).await.unwrap().is_ok());
        });
    }
}

#[test]
fn it_keeps_the_contract_of_terminate() {
    guarded_on(2, async {
        let made = || Backlog::<u32, u32>::builder("orders").build().unwrap();
        Contract::of(made).check().await.assert_kept();
    });
}

#[test]
fn it_ends_in_a_stack_before_what_serves_it_has_gone() {
    guarded(async {
        let (backlog, stack) = (backlog(), Stack::new("app"));
        let address = backlog.address();
        let reply = address.put(1).unwrap();
        stack.push(backlog).unwrap();
        end(&stack).await;
        assert_eq!(reply.await, Err(Unanswered::Terminating));
    });
}
