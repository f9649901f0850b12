//! Children made from arguments: workers, owners of background work, supervisors.

use std::convert::Infallible;

use landfall_lifecycle::{SpawnError, TaskSet, Terminate};
use landfall_supervise::{
    ChildKind, ChildSpec, Declined, RestartType, ShutdownPolicy, SimpleSupervisor, StartChildError, Supervisor,
    Template,
};

use crate::harness::*;

/// A component that says when its task starts and when it has gone.
async fn component(diary: Diary, name: &'static str) -> Result<TaskSet, SpawnError> {
    let tasks = TaskSet::new(name);
    let stop = tasks.token();
    diary.write(format!("start {name}"));
    let gone = Line(diary, format!("gone {name}"));
    tasks.spawn("task", async move {
        let _gone = gone;
        stop.cancelled().await;
    })?;
    Ok(tasks)
}

#[test]
fn components_are_made_from_arguments_and_end_with_their_supervisor() {
    guarded(async {
        let diary = Diary::default();
        let inner = diary.clone();
        let template = Template::component("client", move |name| component(inner.clone(), name));
        assert_eq!((template.info().kind, template.info().start_limit), (ChildKind::Component, Some(secs(30))));
        let clients =
            builder("clients").template(template.shutdown(secs(7)).start_limit(secs(9))).start().await.unwrap();
        let first = clients.start_child("one").await.unwrap().instance.unwrap();
        clients.start_child("two").await.unwrap();
        let spec = clients.supervisor().child_spec(first).unwrap();
        assert_eq!((spec.shutdown, spec.start_limit), (ShutdownPolicy::Timeout(secs(7)), Some(secs(9))));
        clients.supervisor().terminate_child(first).await.unwrap();
        assert_eq!(diary.read(), ["start one", "start two", "gone one"]);
        let report = reported_end(&clients).await;
        assert_eq!(report.children[0].name, "two");
        diary.has("gone two", 1).await;
    });
}

/// A restart makes a new one from the same arguments.
#[test]
fn a_component_that_ends_is_made_again_from_its_arguments() {
    guarded(async {
        let diary = Diary::default();
        let (made, mut sets) = tokio::sync::mpsc::unbounded_channel();
        let inner = diary.clone();
        let template = Template::component("client", move |name| {
            let (diary, made) = (inner.clone(), made.clone());
            async move {
                let tasks = component(diary, name).await?;
                made.send(tasks.clone()).expect("the test listens");
                Ok::<_, SpawnError>(tasks)
            }
        });
        let clients = builder("clients").template(template).start().await.unwrap();
        clients.start_child("one").await.unwrap();
        drop(sets.recv().await.unwrap().terminate(&within(1, 2)).await);
        drop(sets.recv().await.unwrap());
        assert_eq!(clients.supervisor().which_children()[0].restarts, 1);
        assert_eq!(diary.read(), ["start one", "gone one", "start one"]);
        end(&clients).await;
    });
}

#[test]
fn a_component_made_from_arguments_may_decline_and_fail() {
    guarded(async {
        let template = Template::component("client", |declines: bool| async move {
            let error: Box<dyn std::error::Error + Send + Sync> =
                if declines { Declined.into() } else { "no port".into() };
            Err::<TaskSet, _>(error)
        });
        let clients = builder("clients").template(template).start().await.unwrap();
        assert_eq!(clients.start_child(true).await.unwrap().instance, None);
        let error = clients.start_child(false).await.unwrap_err();
        assert!(matches!(&error, StartChildError::Failed { cause, .. } if cause.to_string() == "failed: no port"));
        assert_eq!(clients.supervisor().which_children(), []);
        end(&clients).await;
    });
}

#[test]
fn supervisors_are_made_from_arguments_and_shown_in_the_tree() {
    guarded(async {
        let diary = Diary::default();
        let inner = diary.clone();
        let template = Template::supervisor("tenant", move |name: &'static str| {
            Supervisor::builder(name).child(inner.worker("a")).child(inner.worker("b"))
        });
        assert_eq!(template.info().shutdown, ShutdownPolicy::Infinity);
        let tenants = builder("tenants").template(template).start().await.unwrap();
        let tenant = tenants.start_child("acme").await.unwrap().instance.unwrap();
        let below = tenants.supervisor().supervisor(tenant).unwrap();
        assert_eq!((below.name().as_ref(), below.count_children().active), ("acme", 2));
        assert_eq!(tenants.supervisor().count_children().supervisors, 1);
        let tree = tenants.supervisor().tree();
        assert_eq!(tree.children[0].below.as_ref().unwrap().children.len(), 2);
        drop(below);
        end(&tenants).await;
        assert_eq!(diary.read(), ["start a", "start b", "stop b", "gone b", "stop a", "gone a"]);
    });
}

/// A template of templates: each tenant has connections of its own.
#[test]
fn a_template_may_be_below_a_template() {
    guarded(async {
        let tenants = Template::supervisor("tenant", |name: String| {
            let connection = Template::worker("connection", |cx, ()| async move { cx.token().cancelled().await });
            Supervisor::builder(name).template(connection.restart(RestartType::Temporary))
        });
        let tenants = builder("tenants").template(tenants).start().await.unwrap();
        let tenant = tenants.start_child("acme".to_owned()).await.unwrap().instance.unwrap();
        let connections = SimpleSupervisor::<()>::of(&tenants.supervisor().supervisor(tenant).unwrap()).unwrap();
        connections.start_child(()).await.unwrap();
        assert_eq!(connections.supervisor().count_children().active, 1);
        drop(connections);
        end(&tenants).await;
    });
}

/// Signals are for workers: a template of something else has its own way to be up.
#[test]
fn only_workers_signal() {
    guarded(async {
        let set = |name: &'static str| async move { Ok::<_, Infallible>(TaskSet::new(name)) };
        let template = Template::component("set", set).signals_ready(secs(1));
        assert_eq!(template.info().start_limit, Some(secs(30)));
        let sets = builder("sets").template(template).start().await.unwrap();
        sets.start_child("one").await.unwrap();
        end(&sets).await;
    });
}

/// OTP: `sup_start_ignore_init`. At the root nothing declines: whoever does not want the supervisor does not start it.
#[test]
fn a_supervisor_whose_setup_declines_is_not_started_and_its_spec_is_kept() {
    guarded(async {
        let declines = || Err::<landfall_supervise::SupervisorBuilder, _>(Declined);
        let diary = Diary::default();
        let spec = ChildSpec::supervisor("below", declines);
        let tree = builder("app").child(spec).child(diary.worker("a")).start().await.unwrap();
        let below = tree.which_child("below").unwrap();
        assert_eq!((below.state, below.instance), (landfall_supervise::ChildState::Down, None));
        assert_eq!(tree.restart_child("below").await.unwrap().instance, None);
        let another = ChildSpec::supervisor("another", declines).restart(RestartType::Temporary);
        assert_eq!(tree.start_child(another).await.unwrap().instance, None);
        assert_eq!((tree.which_child("another"), tree.end_cause()), (None, None));
        let counts = tree.count_children();
        assert_eq!((counts.specs, counts.active, counts.supervisors), (2, 1, 1));
        end(&tree).await;
    });
}

#[test]
fn a_supervisor_whose_setup_fails_has_failed_to_start() {
    guarded(async {
        let fails = || Err::<landfall_supervise::SupervisorBuilder, _>("no configuration");
        let tree = builder("app").start().await.unwrap();
        let error = tree.start_child(ChildSpec::supervisor("below", fails)).await.unwrap_err();
        assert!(error.to_string().contains("no configuration"), "{error}");
        assert_eq!(tree.which_children(), []);
        end(&tree).await;
    });
}
