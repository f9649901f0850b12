//! Requests, and what handlers make of them.

use std::time::Duration;

use landfall_stub::messages::{Event, LinuxResources, StateChangeEvent, ValidateContainerAdjustmentRequest};
use landfall_stub::testing::{ConfigureWhen, RequestError, Script, TestRuntime};
use landfall_stub::{Adjustment, Code, EventMask, Resources, StartError, Stub, Update, UpdateError};

use crate::harness::{Notes, clock, container, end, plugin, pod, soon};

/// Handlers for everything, each of which notes that it was called.
fn all(runtime: &TestRuntime, notes: &Notes) -> landfall_stub::StubBuilder {
    let pod_handler = |name: &'static str| {
        let notes = notes.clone();
        move |_: landfall_stub::HandlerCx, pod: landfall_stub::messages::PodSandbox| {
            notes.note(format!("{name} {}", pod.id));
            async { Ok(()) }
        }
    };
    let container_handler = |name: &'static str| {
        let notes = notes.clone();
        move |_: landfall_stub::HandlerCx,
              pod: landfall_stub::messages::PodSandbox,
              container: landfall_stub::messages::Container| {
            notes.note(format!("{name} {} {}", pod.id, container.id));
            async { Ok(()) }
        }
    };
    let shares = |id: &str| vec![Update::new(id, Resources::new().cpu_shares(7))];
    Stub::builder("all", 99)
        .clock(clock())
        .dialer(runtime.dialer())
        .on_run_pod_sandbox(pod_handler("RunPodSandbox"))
        .on_stop_pod_sandbox(pod_handler("StopPodSandbox"))
        .on_remove_pod_sandbox(pod_handler("RemovePodSandbox"))
        .on_post_update_pod_sandbox(pod_handler("PostUpdatePodSandbox"))
        .on_update_pod_sandbox(async |_, _| Ok(()))
        .on_create_container(async |_, _, _| Ok(Adjustment::new().annotation("a", "b")))
        .on_post_create_container(container_handler("PostCreateContainer"))
        .on_start_container(container_handler("StartContainer"))
        .on_post_start_container(container_handler("PostStartContainer"))
        .on_post_update_container(container_handler("PostUpdateContainer"))
        .on_remove_container(container_handler("RemoveContainer"))
        .on_update_container(move |_, _, container, _| {
            let updates = shares(&container.id);
            async { Ok(updates) }
        })
        .on_stop_container(move |_, _, _| {
            let updates = shares("other");
            async { Ok(updates) }
        })
        .on_validate_container_adjustment(async |_, request| match request.owners {
            None => Err("nobody owns it".into()),
            Some(_) => Ok(()),
        })
}

const POD_EVENTS: [Event; 4] =
    [Event::RunPodSandbox, Event::StopPodSandbox, Event::RemovePodSandbox, Event::PostUpdatePodSandbox];
const CONTAINER_EVENTS: [Event; 5] = [
    Event::PostCreateContainer,
    Event::StartContainer,
    Event::PostStartContainer,
    Event::PostUpdateContainer,
    Event::RemoveContainer,
];

#[tokio::test(start_paused = true)]
async fn every_event_reaches_its_handler_by_both_ways() {
    let (runtime, notes) = (TestRuntime::new(), Notes::default());
    let stub = all(&runtime, &notes).build().expect("sound");
    soon("start", stub.start()).await.expect("started");
    let plugin = soon("registration", runtime.next_plugin()).await.expect("a plugin");
    assert_eq!(plugin.events(), EventMask::ALL);
    for event in POD_EVENTS {
        soon("event", plugin.pod_event(event, pod("p"))).await.expect("answered");
        let change = StateChangeEvent { event: event as i32, pod: Some(pod("q")), container: None };
        soon("change", plugin.state_change(change)).await.expect("answered");
        assert_eq!(notes.take(), [format!("{event:?} p"), format!("{event:?} q")]);
    }
    for event in CONTAINER_EVENTS {
        soon("event", plugin.container_event(event, pod("p"), container("c"))).await.expect("answered");
        let change = StateChangeEvent { event: event as i32, pod: Some(pod("q")), container: Some(container("d")) };
        soon("change", plugin.state_change(change)).await.expect("answered");
        assert_eq!(notes.take(), [format!("{event:?} p c"), format!("{event:?} q d")]);
    }
    // An event of a later version is none of ours.
    let change = StateChangeEvent { event: 99, pod: None, container: None };
    soon("change", plugin.state_change(change)).await.expect("answered");
    end(stub, runtime).await;
}

#[tokio::test(start_paused = true)]
async fn answers_carry_adjustments_updates_and_rejections() {
    let (runtime, notes) = (TestRuntime::new(), Notes::default());
    let stub = all(&runtime, &notes).build().expect("sound");
    soon("start", stub.start()).await.expect("started");
    let plugin = soon("registration", runtime.next_plugin()).await.expect("a plugin");
    let created = soon("create", plugin.create_container(pod("p"), container("c"))).await.expect("answered");
    assert_eq!(created.adjust.expect("an adjustment").annotations["a"], "b");
    let resources = LinuxResources::default();
    let updated = soon("update", plugin.update_container(pod("p"), container("c"), resources)).await.expect("answered");
    assert_eq!(updated.update[0].container_id, "c");
    let stopped = soon("stop", plugin.stop_container(pod("p"), container("c"))).await.expect("answered");
    assert_eq!(stopped.update[0].container_id, "other");
    soon("pod", plugin.update_pod_sandbox(Default::default())).await.expect("answered");
    let request = ValidateContainerAdjustmentRequest::default();
    let verdict = soon("validation", plugin.validate(request.clone())).await.expect("answered");
    assert_eq!((verdict.reject, verdict.reason.as_str()), (true, "nobody owns it"));
    let request = ValidateContainerAdjustmentRequest { owners: Some(Default::default()), ..request };
    assert!(!soon("validation", plugin.validate(request)).await.expect("answered").reject);
    end(stub, runtime).await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_fails_or_panics_fails_its_request_alone() {
    let runtime = TestRuntime::new();
    let stub = plugin(&runtime)
        .on_run_pod_sandbox(async |_, _| Err("no room".into()))
        .on_stop_pod_sandbox(async |_, _| panic!("as planned"))
        .on_create_container(async |_, _, container| {
            Ok(Adjustment::new().update(Update::new(container.id, Resources::new())))
        });
    let stub = stub.build().expect("sound");
    soon("start", stub.start()).await.expect("started");
    let plugin = soon("registration", runtime.next_plugin()).await.expect("a plugin");
    let error_of = |result: Result<(), RequestError>| match result {
        Err(RequestError::Answered { code, message }) => (code, message),
        other => panic!("{other:?}"),
    };
    let failed = soon("event", plugin.pod_event(Event::RunPodSandbox, pod("p"))).await;
    assert_eq!(error_of(failed), (Code::UNKNOWN, "no room".to_owned()));
    let (code, message) = error_of(soon("event", plugin.pod_event(Event::StopPodSandbox, pod("p"))).await);
    assert_eq!(code, Code::INTERNAL);
    assert!(message.contains("as planned"), "{message}");
    let failed = soon("create", plugin.create_container(pod("p"), container("c"))).await.map(|_| ());
    assert!(error_of(failed).1.contains("is being created"));
    // And the connection is as good as before.
    soon("event", plugin.pod_event(Event::RemovePodSandbox, pod("p"))).await.expect("answered");
    end(stub, runtime).await;
}

/// The runtime has given up by then, and may have closed the connection; here it goes on.
#[tokio::test(start_paused = true)]
async fn a_handler_past_the_runtime_s_deadline_is_told_in_the_log_and_its_late_answer_is_dropped() {
    crate::log::capture();
    let (runtime, notes) = (TestRuntime::new(), Notes::default());
    let noted = notes.clone();
    let stub = plugin(&runtime).on_post_start_container(move |cx, _, _| {
        let noted = noted.clone();
        async move {
            cx.token().cancelled().await;
            noted.note(format!("told with {:?} left", cx.remaining()));
            tokio::time::sleep(Duration::from_secs(3)).await;
            Ok(())
        }
    });
    let stub = stub.build().expect("sound");
    soon("start", stub.start()).await.expect("started");
    let plugin = soon("registration", runtime.next_plugin()).await.expect("a plugin");
    let event = plugin.container_event(Event::PostStartContainer, pod("p"), container("c"));
    let error = soon("event", event).await.expect_err("it takes too long");
    assert!(matches!(error, RequestError::TimedOut { after } if after == Duration::from_secs(2)), "{error}");
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(notes.take(), ["told with Some(0ns) left"]);
    for text in ["outlived the runtime's timeout", "late answer of a handler was dropped"] {
        let lines = crate::log::lines_of("handler", "PostStartContainer", text);
        assert!(matches!(&lines[..], [line] if line.starts_with("WARN")), "{text}: {lines:?}");
    }
    soon("create", plugin.create_container(pod("p"), container("c"))).await.expect("answered");
    end(stub, runtime).await;
}

#[tokio::test(start_paused = true)]
async fn a_synchronization_in_parts_comes_to_the_handler_as_one() {
    let (runtime, notes) = (TestRuntime::new(), Notes::default());
    let noted = notes.clone();
    let stub = plugin(&runtime).on_synchronize(move |_, pods, containers| {
        noted.note(format!("{} pods, {} containers", pods.len(), containers.len()));
        let last = containers.last().map(|container| container.id.clone()).unwrap_or_default();
        async move { Ok(vec![Update::new(last, Resources::new().cpu_shares(2))]) }
    });
    let stub = stub.build().expect("sound");
    let mut script = Script::default();
    script.request_timeout = Duration::from_secs(60);
    script.pods = (0..2000).map(|nth| pod(&format!("pod {nth}"))).collect();
    let env = vec!["x".repeat(2500)];
    script.containers = (0..4000)
        .map(|nth| landfall_stub::messages::Container { env: env.clone(), ..container(&format!("container {nth}")) })
        .collect();
    runtime.expect(script);
    soon("start", stub.start()).await.expect("started");
    let plugin = soon("registration", runtime.next_plugin()).await.expect("a plugin");
    assert_eq!(notes.take(), ["2000 pods, 4000 containers"]);
    assert!(runtime.bytes(landfall_stub::testing::Direction::ToPlugin) > 2 * 4_194_304, "in three parts at least");
    assert_eq!(plugin.synchronized().update[0].container_id, "container 3999");
    end(stub, runtime).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_subscribed_to_is_what_has_a_handler_and_the_runtime_knows() {
    let (runtime, notes) = (TestRuntime::new(), Notes::default());
    let stub = all(&runtime, &notes).build().expect("sound");
    let mut script = Script::default();
    script.configuration.nri_version = String::new();
    script.configuration.runtime_name = "containerd".to_owned();
    script.configuration.runtime_version = "2.1.0".to_owned();
    runtime.expect(script.clone());
    soon("start", stub.start()).await.expect("started");
    let first = soon("registration", runtime.next_plugin()).await.expect("a plugin");
    assert_eq!(first.events(), EventMask::BEFORE_V0_10);
    end(stub, runtime).await;

    // Nothing is left of this one there, and nothing means everything to a runtime.
    let runtime = TestRuntime::new();
    let stub = Stub::builder("validator", 0)
        .clock(clock())
        .dialer(runtime.dialer())
        .on_validate_container_adjustment(async |_, _| Ok(()))
        .build()
        .expect("sound");
    runtime.expect(script);
    let error = soon("start", stub.start()).await.expect_err("nothing is left");
    assert!(matches!(&error, StartError::Configuration { message } if message.contains("2.1.0")), "{error}");
    end(stub, runtime).await;
}

#[tokio::test(start_paused = true)]
async fn a_plugin_narrows_its_events_and_never_widens_them() {
    let runtime = TestRuntime::new();
    let chosen = std::sync::Arc::new(std::sync::Mutex::new(EventMask::NONE.with(Event::CreateContainer)));
    let choice = chosen.clone();
    let stub = plugin(&runtime).on_run_pod_sandbox(async |_, _| Ok(())).on_configure(move |_, configuration| {
        assert_eq!(configuration.events.to_string(), "RunPodSandbox,CreateContainer");
        assert_eq!(configuration.config, "colour: red");
        let choice = *choice.lock().expect("no panic");
        async move { if choice.is_empty() { Err("no such colour".into()) } else { Ok(choice) } }
    });
    let stub = stub.build().expect("sound");
    let mut script = Script::default();
    script.configuration.config = "colour: red".to_owned();
    runtime.expect(script.clone());
    soon("start", stub.start()).await.expect("started");
    let plugin = soon("registration", runtime.next_plugin()).await.expect("a plugin");
    assert_eq!(plugin.events().to_string(), "CreateContainer");
    assert!(soon("stop", stub.stop()).await.expect("not its own task").is_clean());
    // A runtime that configures first closes the connection with the registration unanswered.
    for (configure, mask, says) in [
        (ConfigureWhen::AfterAnswer, EventMask::ALL, "no handler"),
        (ConfigureWhen::AfterAnswer, EventMask::NONE, "no such colour"),
        (ConfigureWhen::BeforeAnswer, EventMask::NONE, "no such colour"),
    ] {
        script.configure = configure;
        runtime.expect(script.clone());
        *chosen.lock().expect("no panic") = mask;
        let error = soon("start", stub.start()).await.expect_err("refused");
        assert!(matches!(&error, StartError::Configuration { message } if message.contains(says)), "{error}");
        assert!(soon("registration", runtime.next_plugin()).await.is_err());
    }
    end(stub, runtime).await;
}

/// The runtime waits for the handler before it makes an update: from inside of one it is refused, from beside it waits.
#[tokio::test(start_paused = true)]
async fn an_unsolicited_update_waits_until_no_handler_runs() {
    let runtime = TestRuntime::new();
    let (notes, hold) = (Notes::default(), std::sync::Arc::new(tokio::sync::Notify::new()));
    let (noted, held) = (notes.clone(), hold.clone());
    let own = std::sync::Arc::new(std::sync::OnceLock::<Stub>::new());
    let inside = own.clone();
    let stub = plugin(&runtime).on_run_pod_sandbox(move |_, _| {
        let (noted, held, inside) = (noted.clone(), held.clone(), inside.clone());
        async move {
            let stub = inside.get().expect("set before the first event");
            let update = Update::new("c", Resources::new().cpu_shares(2));
            match stub.update([update]).await {
                Err(UpdateError::InHandler { task }) => noted.note(format!("refused in {task}")),
                other => panic!("{other:?}"),
            }
            held.notified().await;
            noted.note("handler returns");
            Ok(())
        }
    });
    let stub = stub.build().expect("sound");
    assert!(matches!(stub.update([]).await, Err(UpdateError::NotServing)));
    own.set(stub.clone()).expect("once");
    soon("start", stub.start()).await.expect("started");
    let plugin = soon("registration", runtime.next_plugin()).await.expect("a plugin");
    let update = || Update::new("c", Resources::new().cpu_shares(2));
    let event = plugin.pod_event(Event::RunPodSandbox, pod("p"));
    let updated = async {
        while notes.is_empty() {
            tokio::task::yield_now().await;
        }
        let mut waiting = Box::pin(stub.update([update()]));
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        assert_eq!(runtime.updates(), []);
        hold.notify_one();
        let failed = waiting.await;
        notes.note("updated");
        failed
    };
    let (event, failed) = soon("both", async { tokio::join!(event, updated) }).await;
    event.expect("answered");
    assert_eq!(failed.expect("answered"), []);
    assert_eq!(notes.take(), ["refused in RunPodSandbox", "handler returns", "updated"]);
    assert_eq!(runtime.updates().len(), 1);
    end(stub, runtime).await;
}
