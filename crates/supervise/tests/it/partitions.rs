//! Copies of one child that share the keys (Elixir: `PartitionSupervisor`).

use std::sync::Arc;

use landfall_lifecycle::Terminate;
use landfall_supervise::{
    ChildSpec, ChildState, Exit, Partitions, ResizeError, RestartChildError, SpecError, StartError, Supervisor,
};
use tokio::sync::Notify;

use crate::harness::*;

/// Partitions that write down which they are.
async fn partitions(diary: &Diary, count: usize) -> Partitions {
    let diary = diary.clone();
    let factory = move |number: usize| {
        let diary = diary.clone();
        ChildSpec::worker("whatever", move |cx| {
            let diary = diary.clone();
            async move {
                diary.write(format!("start {number}"));
                let _gone = Line(diary, format!("gone {number}"));
                cx.token().cancelled().await;
            }
        })
    };
    builder("app").partitions(count, factory).start().await.unwrap()
}

/// Elixir: `start_link` on success.
#[test]
fn keys_are_routed_by_number_or_by_hash() {
    guarded(async {
        let app = partitions(&Diary::default(), 4).await;
        let ids: Vec<_> = app.supervisor().which_children().into_iter().map(|child| child.name.to_string()).collect();
        assert_eq!(ids, ["3", "2", "1", "0"]);
        for number in 0..9 {
            assert_eq!(app.of_number(number), Some(usize::try_from(number % 4).unwrap()));
        }
        let again = Partitions::of(app.supervisor()).unwrap();
        let mut hit = [0; 4];
        for key in 0..400 {
            let key = format!("key {key}");
            let number = app.of_key(&key).unwrap();
            assert_eq!(again.of_key(key.as_str()), Some(number));
            hit[number] += 1;
        }
        assert!(hit.iter().all(|hit| *hit > 50), "{hit:?}");
        assert_eq!(app.partition(3).unwrap().state, ChildState::Running);
        assert_eq!(app.partition(4), None);
        end(&app).await;
    });
}

/// Elixir: `with_arguments`.
#[test]
fn each_partition_is_made_for_its_number_and_keeps_it_through_restarts() {
    guarded(async {
        let (diary, kick) = (Diary::default(), Arc::new(Notify::new()));
        let inner = (diary.clone(), Arc::clone(&kick));
        let factory = move |number: usize| match number {
            1 => inner.0.kicked("one", &inner.1, crash()),
            _ => inner.0.worker("other"),
        };
        let app = builder("app").partitions(3, factory).start().await.unwrap();
        diary.has("start other", 2).await;
        kick.notify_one();
        diary.has("start one", 2).await;
        assert_eq!(app.partition(1).unwrap().restarts, 1);
        end(&app).await;
    });
}

/// Elixir: resizes the number of children.
#[test]
fn fewer_partitions_may_serve_and_as_many_as_were_started_again() {
    guarded(async {
        let diary = Diary::default();
        let app = partitions(&diary, 8).await;
        diary.has("start 7", 1).await;
        app.resize(5).await.unwrap();
        assert_eq!((app.count(), app.count_max(), app.of_number(5)), (5, 8, Some(0)));
        assert_eq!(diary.read()[8..], ["gone 7", "gone 6", "gone 5"]);
        assert_eq!(app.partition(7).unwrap().state, ChildState::Down);
        app.resize(7).await.unwrap();
        diary.has("start 6", 2).await;
        assert_eq!(diary.read()[11..], ["start 5", "start 6"]);
        assert_eq!(app.of_number(6), Some(6));
        assert_eq!(app.resize(9).await, Err(ResizeError::TooMany { count: 9, count_max: 8 }));
        assert_eq!(app.count(), 7);
        app.resize(0).await.unwrap();
        assert_eq!((app.of_number(6), app.of_key("alice")), (None, None));
        assert_eq!(app.supervisor().count_children().active, 0);
        app.resize(8).await.unwrap();
        assert_eq!(app.supervisor().count_children().active, 8);
        end(&app).await;
        let error = app.resize(8).await.unwrap_err();
        assert!(matches!(error, ResizeError::Start { number: 0, .. }), "{error}");
    });
}

/// A partition that does not come up again is named; the routing stays as it was, and the next call goes on there.
#[test]
fn a_partition_that_does_not_start_again_is_named() {
    guarded(async {
        let may_start = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let inner = Arc::clone(&may_start);
        let factory = move |_number| {
            let may_start = Arc::clone(&inner);
            ChildSpec::worker("worker", move |cx| {
                let may_start = may_start.load(std::sync::atomic::Ordering::SeqCst);
                async move {
                    if !may_start {
                        return crash();
                    }
                    cx.ready();
                    cx.token().cancelled().await;
                    Exit::Shutdown
                }
            })
            .signals_ready(secs(1))
        };
        let app = builder("app").partitions(2, factory).start().await.unwrap();
        app.resize(1).await.unwrap();
        may_start.store(false, std::sync::atomic::Ordering::SeqCst);
        let failed = RestartChildError::Failed { child: "1".into(), cause: crash() };
        assert_eq!(app.resize(2).await, Err(ResizeError::Start { number: 1, source: failed }));
        assert_eq!(app.count(), 1);
        may_start.store(true, std::sync::atomic::Ordering::SeqCst);
        app.resize(2).await.unwrap();
        end(&app).await;
    });
}

/// Below another supervisor they are found by `Partitions::of`; a supervisor that is restarted has all of them again.
#[test]
fn partitions_may_be_below_another_supervisor() {
    guarded(async {
        let diary = Diary::default();
        let below = {
            let diary = diary.clone();
            move || {
                let diary = diary.clone();
                Supervisor::builder("below").partitions(2, move |_number| diary.worker("worker"))
            }
        };
        let tree = builder("app").child(ChildSpec::supervisor("below", below)).start().await.unwrap();
        let parts = Partitions::of(&tree.supervisor("below").unwrap()).unwrap();
        parts.resize(1).await.unwrap();
        tree.terminate_child("below").await.unwrap();
        tree.restart_child("below").await.unwrap();
        let parts = Partitions::of(&tree.supervisor("below").unwrap()).unwrap();
        assert_eq!((parts.count(), parts.supervisor().name().into_owned()), (2, "below".to_owned()));
        assert!(Partitions::of(&tree).is_none());
        drop(parts);
        end(&tree).await;
    });
}

#[test]
fn there_is_at_least_one_partition_and_at_most_so_many() {
    guarded(async {
        for count in [0, 65_537, usize::MAX] {
            let start =
                builder("app").partitions(count, |_number| ChildSpec::worker("a", |_cx| async {})).start().await;
            let Err(StartError::Spec { source: SpecError::OutOfBounds { field, value, allowed, .. }, .. }) = start
            else {
                panic!("{count} is refused");
            };
            assert_eq!((field, value, allowed), ("partitions", count.to_string(), "1 to 65536"));
        }
    });
}

/// Elixir: `start_link` on success, whose default is the number of schedulers.
#[test]
fn there_are_as_many_as_processors_unless_told() {
    guarded(async {
        let app = builder("app").partition_per_core(|_number| Diary::default().worker("worker")).start().await.unwrap();
        assert_eq!(app.count_max(), std::thread::available_parallelism().unwrap().get());
        end(&app).await;
    });
}
