//! Dynamic supervisors (Elixir: `DynamicSupervisor`), and specs that types say of themselves.

use landfall_supervise::{
    ChildSpec, Exit, RestartType, SpecError, StartChildError, Strategy, Supervisor, TerminateChildError,
};

use crate::harness::*;

/// Elixir: `set default options`.
#[test]
fn the_defaults_of_a_dynamic_supervisor_are_elixirs() {
    guarded(async {
        let jobs = Supervisor::dynamic("jobs").clock(clock()).start().await.unwrap();
        assert_eq!(jobs.strategy(), Strategy::Dynamic);
        // Three restarts in 5 s are let pass, whoever they are of; the fourth ends the supervisor.
        let (diary, kick) = (Diary::default(), std::sync::Arc::new(tokio::sync::Notify::new()));
        // No bound on children.
        for _ in 0..2_000 {
            jobs.start_child(diary.worker("idle")).await.unwrap();
        }
        jobs.start_child(diary.kicked("job", &kick, crash())).await.unwrap();
        for times in 1..=3 {
            diary.has("start job", times).await;
            kick.notify_one();
        }
        diary.has("start job", 4).await;
        assert_eq!(jobs.end_cause(), None);
        kick.notify_one();
        landfall_lifecycle::Terminate::ended(&jobs).await;
        assert_eq!(diary.read().iter().filter(|line| *line == "start job").count(), 4);
    });
}

/// They are stopped at once: together they take no longer than the slowest.
#[test]
fn dynamic_children_are_named_by_instance_and_stop_at_once_each_by_its_limit() {
    guarded(async {
        let deaf = |limit| ChildSpec::worker("deaf", |_cx| std::future::pending::<()>()).shutdown(secs(limit));
        let jobs = Supervisor::dynamic("jobs").clock(clock()).start().await.unwrap();
        let first = jobs.start_child(deaf(2)).await.unwrap().instance.unwrap();
        for limit in [2, 3, 3] {
            jobs.start_child(deaf(limit)).await.unwrap();
        }
        assert_eq!(jobs.terminate_child("deaf").await, Err(TerminateChildError::SimpleOneForOne));
        let before = tokio::time::Instant::now();
        jobs.terminate_child(first).await.unwrap();
        assert_eq!((before.elapsed().as_secs(), jobs.count_children().active), (2, 3));
        assert_eq!(jobs.tree().stop_limit(), secs(3));
        let before = tokio::time::Instant::now();
        end(&jobs).await;
        assert_eq!(before.elapsed().as_secs(), 3);
    });
}

/// Elixir: a fire-and-forget task with its own restart type and limit; without, it is temporary.
#[test]
fn a_task_is_temporary_unless_it_is_given_as_a_worker_with_a_restart_type() {
    guarded(async {
        let diary = Diary::default();
        let jobs = Supervisor::dynamic("jobs").clock(clock()).start().await.unwrap();
        let inner = diary.clone();
        let task = ChildSpec::task("once", move |_cx| async move {
            inner.write("once");
            crash()
        });
        assert_eq!(task.info().restart.kind, RestartType::Temporary);
        jobs.start_child(task).await.unwrap();
        let inner = diary.clone();
        let retried = ChildSpec::worker("retried", move |_cx| {
            let diary = inner.clone();
            async move {
                diary.write("retried");
                if diary.read().iter().filter(|line| *line == "retried").count() < 2 { crash() } else { Exit::Normal }
            }
        });
        jobs.start_child(retried.restart(RestartType::Transient).shutdown(secs(1))).await.unwrap();
        diary.has("retried", 2).await;
        end(&jobs).await;
        let lines = diary.read();
        assert_eq!(lines.iter().filter(|line| *line == "once").count(), 1);
        assert_eq!(lines.iter().filter(|line| *line == "retried").count(), 2);
    });
}

#[test]
fn a_task_can_be_nothing_but_temporary() {
    guarded(async {
        let jobs = Supervisor::dynamic("jobs").clock(clock()).start().await.unwrap();
        let task = ChildSpec::task("once", |_cx| async {}).restart(RestartType::Permanent);
        let error = jobs.start_child(task).await.unwrap_err();
        let expected = SpecError::InstanceNotTemporary { id: "once".into(), restart: RestartType::Permanent };
        assert_eq!(error, StartChildError::Spec(expected));
        end(&jobs).await;
    });
}

/// A task may say when it is up, as any worker.
#[test]
fn a_task_may_signal() {
    guarded(async {
        let jobs = Supervisor::dynamic("jobs").clock(clock()).start().await.unwrap();
        let task = ChildSpec::task("once", |cx| async move {
            cx.ready_with(7_u8);
            cx.token().cancelled().await;
        });
        let started = jobs.start_child(task.signals_ready(secs(1))).await.unwrap();
        assert_eq!(started.into_info::<u8>(), Some(7));
        end(&jobs).await;
    });
}

/// Elixir: `child_spec/1`.
struct Ticker(Diary);

impl From<Ticker> for ChildSpec {
    fn from(ticker: Ticker) -> Self {
        ticker.0.worker("ticker").shutdown(secs(1))
    }
}

#[test]
fn a_type_says_itself_how_it_is_supervised() {
    guarded(async {
        let diary = Diary::default();
        let tree = builder("app").child(Ticker(diary.clone())).start().await.unwrap();
        assert_eq!(tree.child_spec("ticker").unwrap().shutdown, secs(1).into());
        let jobs = Supervisor::dynamic("jobs").clock(clock()).start().await.unwrap();
        jobs.start_child(Ticker(diary)).await.unwrap();
        end(&jobs).await;
        end(&tree).await;
    });
}
