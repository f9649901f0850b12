//! The backlog through its public interface: callers, a child that comes and goes, and what cannot be.

mod cancel;
mod ends;

use std::time::Duration;

use futures_util::FutureExt;
use landfall_supervise::backlog::{
    AttachError, Backlog, BacklogStats, BuildError, Committed, Limits, LimitsError, NotTaken, Unanswered, WhenFull,
};
use landfall_supervise::{ChildSpec, RestartType};

use crate::harness::*;

fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    limits.request_timeout = secs(10);
    change(&mut limits);
    limits
}

fn backlog_of(change: impl FnOnce(&mut Limits)) -> Backlog<u32, u32> {
    Backlog::builder("orders").limits(limits(change)).bytes(|request: &u32| *request as usize).build().unwrap()
}

fn backlog() -> Backlog<u32, u32> {
    backlog_of(|_| {})
}

fn requests(committed: &[Committed<u32, u32>]) -> Vec<u32> {
    committed.iter().map(|one| *one.request()).collect()
}

/// What was taken in and has ended, each once.
#[track_caller]
fn is_balanced(stats: BacklogStats) {
    let BacklogStats { answered, unknown, expired, dropped, withdrawn, handed_back, .. } = stats;
    assert_eq!(stats.taken_in, answered + unknown + expired + dropped + withdrawn + handed_back, "{stats:?}");
    assert_eq!((stats.waiting, stats.out, stats.bytes), (0, 0, 0), "{stats:?}");
}

#[test]
fn what_is_put_while_nobody_is_there_is_answered_in_order_by_who_comes() {
    guarded(async {
        let backlog = backlog();
        let address = backlog.address();
        let replies: Vec<_> = (1..=3).map(|number| address.put(number).unwrap()).collect();
        let mut intake = address.attach().unwrap();
        assert!(intake.ready().await);
        let taken = intake.commit(10, usize::MAX);
        assert_eq!(requests(&taken), [1, 2, 3]);
        for one in taken {
            let answer = *one.request() * 10;
            assert!(one.answer(answer).1);
        }
        let answers: Vec<_> = futures_util::future::join_all(replies).await;
        assert_eq!(answers, [Ok(10), Ok(20), Ok(30)]);
        drop(intake);
        end(&backlog).await;
        is_balanced(backlog.stats());
    });
}

/// The callers are told on time, though nobody does anything with the backlog.
#[test]
fn a_request_that_nobody_takes_expires_and_is_never_given() {
    guarded(async {
        let backlog = backlog();
        let address = backlog.address();
        let start = tokio::time::Instant::now();
        let (late, early) = (address.put(1).unwrap(), address.put_within(2, secs(3)).unwrap());
        assert_eq!((early.await, start.elapsed()), (Err(Unanswered::Expired), secs(3)));
        assert_eq!((late.await, start.elapsed()), (Err(Unanswered::Expired), secs(10)));
        let mut intake = address.attach().unwrap();
        assert!(intake.commit(10, usize::MAX).is_empty());
        assert!(intake.ready().now_or_never().is_none());
        drop(intake);
        end(&backlog).await;
        assert_eq!(backlog.stats().expired, 2);
    });
}

/// The child hangs: its caller is told on time, and what the child does later is heard by nobody.
#[test]
fn a_committed_request_is_unknown_when_its_time_is_over() {
    guarded(async {
        let backlog = backlog();
        let address = backlog.address();
        let mut intake = address.attach().unwrap();
        let reply = address.put(1).unwrap();
        let one = intake.next().await.unwrap();
        assert_eq!(reply.await, Err(Unanswered::Unknown));
        assert!(one.deadline() <= tokio::time::Instant::now());
        assert_eq!((backlog.stats().out, one.answer(10)), (1, (1, false)));
        let gone = address.put(2).unwrap();
        let two = intake.next().await.unwrap();
        two.give_up();
        assert_eq!(gone.await, Err(Unanswered::Unknown));
        drop(intake);
        end(&backlog).await;
        is_balanced(backlog.stats());
    });
}

/// A child that fails loses what it has taken: the next one finds it first, and it never expires.
#[test]
fn a_child_that_is_restarted_finds_what_was_lost_in_its_place() {
    guarded(async {
        let (backlog, diary) = (backlog(), Diary::default());
        let address = backlog.address();
        let (served, inner) = (address.clone(), diary.clone());
        let server = ChildSpec::worker("server", move |cx| {
            let (address, diary) = (served.clone(), inner.clone());
            async move {
                let mut intake = address.attach()?;
                while let Some(Some(one)) = cx.token().run_until_cancelled(intake.next()).await {
                    diary.write(format!("take {} for the {}. time", one.request(), one.times_taken()));
                    let rest = intake.commit(1, usize::MAX);
                    if one.times_taken() == 1 && *one.request() == 1 {
                        return Err("the connection was lost".into());
                    }
                    for one in [one].into_iter().chain(rest) {
                        let answer = *one.request() * 10;
                        one.answer(answer);
                    }
                }
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
            }
        });
        let replies: Vec<_> = (1..=3).map(|number| address.put(number).unwrap()).collect();
        let tree = builder("app")
            .child(ChildSpec::instance("orders", backlog.clone()))
            .child(server.restart(RestartType::Transient))
            .start()
            .await
            .unwrap();
        let answers = futures_util::future::join_all(replies).await;
        assert_eq!(answers, [Ok(10), Ok(20), Ok(30)]);
        assert_eq!(diary.read(), ["take 1 for the 1. time", "take 1 for the 2. time", "take 3 for the 1. time"]);
        end(&tree).await;
        is_balanced(backlog.stats());
        assert_eq!(backlog.stats().put_back, 2);
    });
}

#[test]
fn what_is_full_refuses_drops_the_oldest_or_drops_the_newest() {
    guarded(async {
        let full = |when_full| {
            let backlog =
                backlog_of(|limits| (limits.requests_max, limits.bytes_max, limits.when_full) = (2, 9, when_full));
            let address = backlog.address();
            let replies = [address.put(1).unwrap(), address.put(2).unwrap()];
            (backlog, address, replies)
        };
        let (backlog, address, replies) = full(WhenFull::Refuse);
        let error = address.put(3).unwrap_err();
        let why = NotTaken::Full { requests: 2, bytes: 3, requests_max: 2, bytes_max: 9 };
        assert_eq!((error.request, error.why), (3, why));
        let text = error.to_string();
        assert!(
            text.contains("\"orders\"") && text.contains("2 (requests_max)") && text.contains("9 (bytes_max)"),
            "{text}"
        );
        assert_eq!(address.put(10).unwrap_err().why, NotTaken::TooLarge { bytes: 10, bytes_max: 9 });
        drop(replies);
        // Whose callers went have left their places.
        drop(address.put(3).unwrap());
        end(&backlog).await;

        let (backlog, address, [first, second]) = full(WhenFull::DropOldest);
        let third = address.put(8).unwrap();
        assert_eq!((first.await, second.await), (Err(Unanswered::Dropped), Err(Unanswered::Dropped)));
        assert!(third.now_or_never().is_none());
        end(&backlog).await;

        let (backlog, address, [first, _second]) = full(WhenFull::DropNewest);
        assert_eq!(address.put(3).unwrap().await, Err(Unanswered::Dropped));
        assert!(first.now_or_never().is_none());
        end(&backlog).await;
    });
}

#[test]
fn who_goes_withdraws_what_was_not_taken_and_who_detaches_does_not() {
    guarded(async {
        let backlog = backlog();
        let address = backlog.address();
        drop(address.put(1).unwrap());
        address.put(2).unwrap().detach();
        let mut intake = address.attach().unwrap();
        let taken = address.put(3).unwrap();
        let both = intake.commit(9, usize::MAX);
        assert_eq!(requests(&both), [2, 3]);
        // It was taken, so it goes on.
        drop(taken);
        assert_eq!(backlog.stats().out, 2);
        for one in both {
            assert!(!one.answer(0).1);
        }
        drop(intake);
        end(&backlog).await;
        is_balanced(backlog.stats());
        assert_eq!((backlog.stats().withdrawn, backlog.stats().answered), (1, 2));
    });
}

#[test]
fn one_child_attaches_at_a_time_with_all_that_it_has_taken() {
    guarded(async {
        let backlog = backlog();
        let address = backlog.address();
        let mut intake = address.attach().unwrap();
        let reply = address.put(1).unwrap();
        let one = intake.next().await.unwrap();
        for out in [1, 1] {
            match address.attach().unwrap_err() {
                AttachError::Attached { backlog, place, out: held } => {
                    assert_eq!((&*backlog, held), ("orders", out));
                    assert!(place.file().ends_with("backlog/mod.rs"));
                }
                error => panic!("{error}"),
            }
        }
        drop(intake);
        assert!(address.attach().is_err());
        drop(one);
        let mut intake = address.attach().unwrap();
        intake.next().await.unwrap().answer(10);
        assert_eq!(reply.await, Ok(10));
        drop(intake);
        end(&backlog).await;
    });
}

#[test]
fn a_setup_that_cannot_be_is_refused_field_by_field() {
    #[track_caller]
    fn check(name: &str, change: impl FnOnce(&mut Limits), expected: &str) {
        match Backlog::<u32, ()>::builder(name).limits(limits(change)).build().unwrap_err() {
            BuildError::Limits { source, .. } => assert!(source.to_string().starts_with(expected), "{source}"),
            error => panic!("{error}"),
        }
    }
    check("", |_| {}, &LimitsError::EmptyName.to_string());
    check("a", |limits| limits.requests_max = 0, "requests_max is 0");
    check("a", |limits| limits.requests_max = usize::MAX, "requests_max is 18446744073709551615");
    check("a", |limits| limits.bytes_max = 0, "bytes_max is 0");
    check("a", |limits| limits.request_timeout = Duration::ZERO, "request_timeout is 0ns");
    check("a", |limits| limits.request_timeout = Duration::MAX, "request_timeout is ");
    let outside = Backlog::<u32, ()>::builder("a").build().unwrap_err();
    assert!(matches!(outside, BuildError::NoRuntime { .. }), "{outside}");
    let without_timers = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = without_timers.block_on(async { Backlog::<u32, ()>::builder("a").build().unwrap_err() });
    assert!(matches!(error, BuildError::NoRuntime { .. }), "{error}");
}

#[test]
fn a_timeout_beyond_all_time_and_one_of_nothing_are_times_too() {
    guarded(async {
        let backlog = backlog();
        let address = backlog.address();
        let mut intake = address.attach().unwrap();
        assert_eq!(address.put_within(1, Duration::ZERO).unwrap().await, Err(Unanswered::Expired));
        let reply = address.put_within(2, Duration::MAX).unwrap();
        intake.next().await.unwrap().answer(20);
        assert_eq!(reply.await, Ok(20));
        drop(intake);
        end(&backlog).await;
    });
}

/// What is a user's panics wherever it is called, and nobody else is the worse for it.
#[test]
fn panics_of_users_code_hold_up_nobody() {
    struct Bomb(bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            if std::mem::take(&mut self.0) {
                panic!("boom");
            }
        }
    }
    guarded(async {
        let bytes = |bomb: &Bomb| if bomb.0 { 1 } else { panic!("ouch") };
        let backlog: Backlog<Bomb, Bomb> =
            Backlog::builder("bombs").limits(limits(|_| {})).bytes(bytes).build().unwrap();
        let address = backlog.address();
        let error = address.put(Bomb(false)).unwrap_err();
        assert_eq!(error.why, NotTaken::Uncounted);
        let (expires, unheard) = (address.put_within(Bomb(true), secs(1)).unwrap(), address.put(Bomb(true)).unwrap());
        let plain = address.put_within(Bomb(true), secs(2)).unwrap();
        assert_eq!(expires.await.map(|_| ()), Err(Unanswered::Expired));
        let mut intake = address.attach().unwrap();
        let one = intake.next().await.unwrap();
        drop(unheard);
        let (mut request, is_heard) = one.answer(Bomb(true));
        request.0 = false;
        assert!(!is_heard);
        assert_eq!(plain.await.map(|_| ()), Err(Unanswered::Expired));
        drop(intake);
        end(&backlog).await;
    });
}
