//! Names that outlive restarts (Elixir: `Registry`).

use std::sync::Arc;

use landfall_supervise::{ChildSpec, Exit, NameTaken, Registry, StartChildError, Supervisor};
use tokio::sync::Notify;

use crate::harness::*;

/// A child that holds a name, and crashes when it is kicked.
fn named(names: &Registry<u32>, value: u32, kick: &Arc<Notify>, diary: &Diary) -> ChildSpec {
    let (names, kick, diary) = (names.clone(), Arc::clone(kick), diary.clone());
    ChildSpec::worker("named", move |cx| {
        let (names, kick, diary) = (names.clone(), Arc::clone(&kick), diary.clone());
        async move {
            let _name = names.register("the name", value)?;
            diary.write("registered");
            cx.ready();
            tokio::select! {
                () = kick.notified() => Ok::<_, NameTaken<u32>>(crash()),
                () = cx.token().cancelled_owned() => Ok(Exit::Shutdown),
            }
        }
    })
    .signals_ready(secs(1))
}

/// Elixir: clean up registry on process crash.
#[test]
fn a_name_is_free_before_the_restarted_child_registers_it() {
    guarded(async {
        let (names, kick, diary) = (Registry::new(), Arc::new(Notify::new()), Diary::default());
        let tree = builder("app").intensity(10, secs(1)).child(named(&names, 7, &kick, &diary)).start().await.unwrap();
        for times in 1..=5 {
            // A name that was still held would have failed the start, and been tried again.
            diary.has("registered", times).await;
            assert_eq!(names.wait_for("the name").await, 7);
            kick.notify_one();
        }
        diary.has("registered", 6).await;
        assert_eq!(tree.which_child("named").unwrap().restarts, 5);
        assert_eq!(names.names(), ["the name"]);
        end(&tree).await;
        assert_eq!(names.lookup("the name"), None);
    });
}

/// OTP: `already_started_outside_supervisor`. The error has the holder with it, and nothing is stored.
#[test]
fn a_name_that_a_foreigner_holds_fails_the_start_and_says_who_holds_it() {
    guarded(async {
        let names = Registry::new();
        let foreigner = names.register("the name", 42).unwrap();
        let tree = Supervisor::builder("app").clock(clock()).start().await.unwrap();
        let spec = || named(&names, 7, &Arc::default(), &Diary::default());
        let error = tree.start_child(spec()).await.unwrap_err();
        assert!(error.to_string().contains("the name \"the name\" is taken"), "{error}");
        let StartChildError::Failed { cause: Exit::Failed(failure), .. } = &error else { panic!("{error}") };
        assert_eq!(failure.error().downcast_ref::<NameTaken<u32>>().unwrap().holder, 42);
        assert_eq!(tree.which_children(), []);
        drop(foreigner);
        tree.start_child(spec()).await.unwrap();
        assert_eq!(names.lookup("the name"), Some(7));
        end(&tree).await;
    });
}

#[test]
fn who_waits_for_a_name_gets_it_when_it_is_there() {
    guarded(async {
        let names = Registry::new();
        let (found, held) = tokio::join!(names.wait_for("late"), async {
            let other = names.register("other", 1).unwrap();
            tokio::task::yield_now().await;
            drop(other);
            names.register("late", 2).unwrap()
        });
        assert_eq!((found, held.name()), (2, "late"));
    });
}
