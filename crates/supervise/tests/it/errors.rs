//! Texts and destructors of children's errors, which are code of users: they may ask the supervisor, and may panic.

use std::fmt;
use std::sync::{Arc, Mutex};

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

/// Notes the task that makes its text.
#[derive(Debug)]
struct Shown(Arc<Mutex<Vec<Option<tokio::task::Id>>>>, usize);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.lock().unwrap().push(tokio::task::try_id());
        write!(f, "error {}", self.1)
    }
}

impl std::error::Error for Shown {}

/// They are counted by how they ended, reported and sent as events: the supervisor, which holds its lock for some of that,
/// knows the text.
#[test]
fn the_text_of_an_error_is_made_in_the_task_of_its_child() {
    guarded(async {
        let (shown, own) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let made = (Arc::clone(&shown), Arc::clone(&own));
        let worker = Template::worker("a", move |cx, number: usize| {
            let (shown, own) = (Arc::clone(&made.0), Arc::clone(&made.1));
            async move {
                own.lock().unwrap().push(tokio::task::try_id());
                cx.token().cancelled().await;
                Err::<(), _>(Shown(shown, number % 2))
            }
        });
        let tree = builder("app").template(worker).start().await.unwrap();
        let mut events = tree.supervisor().events();
        for number in 0..6 {
            tree.start_child(number).await.unwrap();
        }
        tokio::task::yield_now().await;
        end(&tree).await;
        let (shown, own) = (shown.lock().unwrap().clone(), own.lock().unwrap().clone());
        assert_eq!((own.len(), shown), (6, own));
        let mut reported = 0;
        while let Some(event) = events.recv().await {
            reported += usize::from(event.unwrap().to_string().contains("(3 instances)"));
        }
        assert_eq!(reported, 2);
    });
}
