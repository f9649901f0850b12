//! Calls through the driver.

use landfall_lifecycle::{SelfJoin, Terminate};
use landfall_supervise::{
    ChildCounts, ChildSpec, DeleteChildError, Exit, Refused, RestartChildError, RestartType, SimpleSupervisor,
    StartChildError, Supervisor, Template, TerminateChildError,
};
use tokio::sync::oneshot;

use crate::harness::*;

#[test]
fn a_child_is_added_stopped_restarted_and_deleted() {
    guarded(async {
        let diary = Diary::default();
        let tree = builder("app").start().await.unwrap();
        let first = tree.start_child(diary.worker("a")).await.unwrap().instance.unwrap();
        assert_eq!(tree.which_child("a").unwrap().instance, Some(first));
        let again = tree.start_child(diary.worker("a")).await.unwrap_err();
        assert_eq!(again, StartChildError::AlreadyStarted { id: "a".into(), instance: first });
        let running = DeleteChildError::Running { child: "a".into(), instance: first };
        assert_eq!(tree.delete_child("a").await, Err(running));
        tree.terminate_child("a").await.unwrap();
        let again = tree.start_child(diary.worker("a")).await.unwrap_err();
        assert_eq!(again, StartChildError::AlreadyPresent { id: "a".into() });
        assert_ne!(tree.restart_child("a").await.unwrap().instance, Some(first));
        tree.terminate_child("a").await.unwrap();
        tree.delete_child("a").await.unwrap();
        let not_found = RestartChildError::NotFound { child: "a".into() };
        assert_eq!(tree.restart_child("a").await.unwrap_err(), not_found);
        assert_eq!(tree.count_children(), ChildCounts::default());
        end(&tree).await;
        assert_eq!(tree.terminate_child("a").await, Err(TerminateChildError::Refused(Refused::Terminating)));
        let refused = tree.start_child(diary.worker("a")).await.unwrap_err();
        assert_eq!(refused, StartChildError::Refused(Refused::Terminating));
    });
}

/// OTP: extra_return.
#[test]
fn what_a_child_gives_when_it_is_ready_comes_to_the_caller() {
    guarded(async {
        let spec = ChildSpec::worker("a", |cx| async move {
            cx.ready_with(42_u16);
            cx.token().cancelled().await;
        });
        let tree = builder("app").start().await.unwrap();
        let started = tree.start_child(spec.signals_ready(secs(1))).await.unwrap();
        assert_eq!(started.into_info::<u16>(), Some(42));
        tree.terminate_child("a").await.unwrap();
        assert_eq!(tree.restart_child("a").await.unwrap().into_info::<u16>(), Some(42));
        end(&tree).await;
    });
}

#[test]
fn a_start_that_declines_fails_panics_or_takes_too_long() {
    guarded(async {
        let tree = builder("app").start().await.unwrap();
        let declines = ChildSpec::worker("declines", |_cx| async { Exit::Declined }).signals_ready(secs(1));
        assert_eq!(tree.start_child(declines).await.unwrap().instance, None);
        let fails = ChildSpec::worker("fails", |_cx| async { Err::<(), _>("no port") }).signals_ready(secs(1));
        let failed = StartChildError::Failed { id: "fails".into(), cause: Exit::failed("no port") };
        assert_eq!(tree.start_child(fails).await.unwrap_err(), failed);
        let panics = ChildSpec::worker("panics", |_cx| ouch()).signals_ready(secs(1));
        let failed = StartChildError::Failed { id: "panics".into(), cause: Exit::Panicked("ouch".into()) };
        assert_eq!(tree.start_child(panics).await.unwrap_err(), failed);
        let hangs = ChildSpec::worker("hangs", |_cx| std::future::pending::<()>()).signals_ready(secs(1));
        let failed = StartChildError::Failed { id: "hangs".into(), cause: Exit::StartTimedOut { limit: secs(1) } };
        assert_eq!(tree.start_child(hangs).await.unwrap_err(), failed);
        assert_eq!(tree.which_children().len(), 1);
        end(&tree).await;
    });
}

#[test]
fn terminating_a_starting_child_cancels_its_start() {
    guarded(async {
        let diary = Diary::default();
        let tree = builder("app").start().await.unwrap();
        let (starting, terminated) =
            tokio::join!(tree.start_child(diary.worker("a").signals_ready(secs(3_600))), async {
                diary.has("start a", 1).await;
                tree.terminate_child("a").await
            });
        assert_eq!(starting.unwrap_err(), StartChildError::Cancelled { id: "a".into() });
        terminated.unwrap();
        assert_eq!(diary.read(), ["start a", "stop a", "gone a"]);
        end(&tree).await;
    });
}

#[test]
fn a_starting_child_must_not_call_its_supervisor() {
    guarded(async {
        let tree = builder("app").start().await.unwrap();
        let spec = ChildSpec::worker("a", |cx| async move {
            let supervisor = cx.supervisor().upgrade().unwrap();
            let during = supervisor.terminate_child("x").await.unwrap_err();
            cx.ready_with(during);
            cx.token().cancelled().await;
        });
        let started = tree.start_child(spec.signals_ready(secs(1))).await.unwrap();
        let refused = TerminateChildError::Refused(Refused::FromOwnStart);
        assert_eq!(started.into_info::<TerminateChildError>(), Some(refused));
        end(&tree).await;
    });
}

#[test]
fn a_running_child_may_call_its_supervisor_and_must_not_wait_for_its_end() {
    guarded(async {
        let (sender, receiver) = oneshot::channel();
        let sender = std::sync::Mutex::new(Some(sender));
        let spec = ChildSpec::worker("a", move |cx| {
            let sender = sender.lock().unwrap().take();
            async move {
                let supervisor: Supervisor = cx.supervisor().upgrade().unwrap();
                let sibling = ChildSpec::worker("b", |cx| async move { cx.token().cancelled().await });
                supervisor.start_child(sibling).await.unwrap();
                let error = supervisor.terminate(&within(1, 2)).await.unwrap_err();
                drop(supervisor);
                sender.unwrap().send(error).unwrap();
                cx.token().cancelled().await;
            }
        });
        let tree = builder("app").child(spec).start().await.unwrap();
        assert_eq!(receiver.await.unwrap(), SelfJoin::new("app", "a"));
        assert_eq!(tree.count_children().active, 2);
        end(&tree).await;
    });
}

#[test]
fn instances_of_a_template_have_arguments_and_no_ids() {
    guarded(async {
        let diary = Diary::default();
        let template = {
            let diary = diary.clone();
            Template::worker("peer", move |cx, name: &'static str| {
                let diary = diary.clone();
                async move {
                    diary.write(name);
                    cx.token().cancelled().await;
                }
            })
        };
        let peers = builder("peers").template(template.restart(RestartType::Temporary)).start().await.unwrap();
        let first = peers.start_child("one").await.unwrap().instance.unwrap();
        peers.start_child("two").await.unwrap();
        diary.has("two", 1).await;
        let supervisor = peers.supervisor();
        assert!(supervisor.which_children().iter().all(|child| child.id.is_none()));
        assert_eq!(supervisor.terminate_child("peer").await, Err(TerminateChildError::SimpleOneForOne));
        supervisor.terminate_child(first).await.unwrap();
        supervisor.terminate_child(first).await.unwrap();
        assert_eq!(supervisor.count_children().active, 1);
        let refused = supervisor.start_child(diary.worker("a")).await.unwrap_err();
        assert_eq!(refused, StartChildError::SimpleOneForOne);
        assert!(SimpleSupervisor::<u8>::of(supervisor).is_none());
        let again = SimpleSupervisor::<&'static str>::of(supervisor).unwrap();
        again.start_child("three").await.unwrap();
        end(&peers).await;
    });
}

/// OTP: simple_one_for_one_extra.
#[test]
fn an_instance_gives_something_to_its_caller_too() {
    guarded(async {
        let template = Template::worker("double", |cx, number: u32| async move {
            cx.ready_with(number * 2);
            cx.token().cancelled().await;
        });
        let doubles = builder("doubles").template(template.signals_ready(secs(1))).start().await.unwrap();
        for number in [1, 2] {
            let started = doubles.start_child(number).await.unwrap();
            assert_eq!(started.into_info::<u32>(), Some(number * 2));
        }
        end(&doubles).await;
    });
}

async fn ouch() {
    panic!("ouch");
}
