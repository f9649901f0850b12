//! Destructors of children's errors, which are code of users: they may ask the supervisor, and may panic.

use std::fmt;

use landfall_lifecycle::Terminate;
use landfall_supervise::{ChildSpec, EndCause, RestartType, Template, WeakSupervisor};

use crate::harness::*;

/// Asks the supervisor when it is dropped, which waits for its lock.
struct Asks(WeakSupervisor, Diary);

impl Drop for Asks {
    fn drop(&mut self) {
        if let Some(supervisor) = self.0.upgrade() {
            drop(supervisor.which_child("a"));
        }
        self.1.write("dropped");
    }
}

/// Panics when it is dropped.
struct Bomb(Diary);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.write("dropped");
        panic!("boom");
    }
}

macro_rules! is_error {
    ($($error:ident)*) => { $(
        impl fmt::Debug for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an error")
            }
        }

        impl fmt::Display for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an error")
            }
        }

        impl std::error::Error for $error {}
    )* };
}

is_error!(Asks Bomb);

/// Nobody hears of the error of a start that is cancelled, so it is dropped as soon as it comes.
#[test]
fn the_error_of_a_cancelled_start_is_dropped_with_no_lock_held() {
    guarded(async {
        let (tree, diary) = (builder("app").start().await.unwrap(), Diary::default());
        let inner = diary.clone();
        let spec = ChildSpec::worker("a", move |cx| {
            let diary = inner.clone();
            async move {
                let error = Asks(cx.supervisor(), diary.clone());
                diary.write("start");
                cx.token().cancelled().await;
                Err::<(), _>(error)
            }
        });
        let starting = tree.start_child(spec.signals_ready(secs(60)));
        let cancelling = async {
            diary.has("start", 1).await;
            tree.terminate_child("a").await
        };
        let (started, cancelled) = tokio::join!(starting, cancelling);
        assert!(started.is_err());
        cancelled.unwrap();
        diary.has("dropped", 1).await;
        end(&tree).await;
    });
}

/// Instances of a template that end alike are counted, and all errors but the first are dropped.
#[test]
fn errors_that_are_only_counted_are_dropped_with_no_lock_held() {
    guarded(async {
        let diary = Diary::default();
        let inner = diary.clone();
        let template = Template::worker("a", move |cx, (): ()| {
            let diary = inner.clone();
            async move {
                cx.token().cancelled().await;
                Err::<(), _>(Asks(cx.supervisor(), diary))
            }
        });
        let tree = builder("app").template(template).start().await.unwrap();
        for _ in 0..3 {
            tree.start_child(()).await.unwrap();
        }
        assert!(tree.terminate(&within(5, 6)).await.unwrap().is_clean());
        assert_eq!(diary.read(), ["dropped"; 3]);
    });
}

#[test]
fn an_error_whose_destructor_panics_ends_nobody_else() {
    guarded(async {
        let diary = Diary::default();
        let inner = diary.clone();
        let bomb = ChildSpec::worker("bomb", move |_cx| {
            let diary = inner.clone();
            async { Err::<(), _>(Bomb(diary)) }
        });
        let tree = builder("app").child(diary.worker("a")).start().await.unwrap();
        tree.start_child(bomb.restart(RestartType::Temporary)).await.unwrap();
        diary.has("dropped", 1).await;
        assert_eq!(tree.count_children().active, 1);
        end(&tree).await;
        assert_eq!(diary.read(), ["start a", "dropped", "stop a", "gone a"]);
        assert_eq!(tree.end_cause(), Some(EndCause::Terminated));
    });
}
