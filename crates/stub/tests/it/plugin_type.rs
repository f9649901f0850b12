//! A plugin as a type: its methods are handlers like any others.

use std::sync::Arc;

use landfall_stub::messages::{
    Container, Event, LinuxResources, PodSandbox, UpdatePodSandboxRequest, ValidateContainerAdjustmentRequest,
};
use landfall_stub::testing::{TestPlugin, TestRuntime};
use landfall_stub::{
    Adjustment, BoxError, BuildError, Configuration, EventMask, HandlerCx, Plugin, Resources, Stub, Update,
};

use crate::harness::{Notes, clock, container, end, pod, soon};

type Done = Result<(), BoxError>;

/// Has a method of its own for everything, each of which notes that it was called.
struct All {
    notes: Notes,
    events: EventMask,
}

impl All {
    fn of_both(&self, event: &str, pod: &PodSandbox, container: &Container) -> Done {
        self.notes.note(format!("{event} {} {}", pod.id, container.id));
        Ok(())
    }

    fn of_pod(&self, event: &str, pod: &PodSandbox) -> Done {
        self.notes.note(format!("{event} {}", pod.id));
        Ok(())
    }
}

fn shares(container: &str) -> Vec<Update> {
    vec![Update::new(container, Resources::new().cpu_shares(7))]
}

impl Plugin for All {
    fn events(&self) -> EventMask {
        self.events
    }

    async fn configure(&self, _: HandlerCx, configuration: Configuration) -> Result<EventMask, BoxError> {
        self.notes.note("Configure");
        Ok(configuration.events)
    }

    async fn synchronize(&self, _: HandlerCx, _: Vec<PodSandbox>, _: Vec<Container>) -> Result<Vec<Update>, BoxError> {
        self.notes.note("Synchronize");
        Ok(shares("synchronized"))
    }

    async fn run_pod_sandbox(&self, _: HandlerCx, pod: PodSandbox) -> Done {
        self.of_pod("RunPodSandbox", &pod)
    }

    async fn update_pod_sandbox(&self, _: HandlerCx, request: UpdatePodSandboxRequest) -> Done {
        self.of_pod("UpdatePodSandbox", &request.pod.unwrap_or_default())
    }

    async fn post_update_pod_sandbox(&self, _: HandlerCx, pod: PodSandbox) -> Done {
        self.of_pod("PostUpdatePodSandbox", &pod)
    }

    async fn stop_pod_sandbox(&self, _: HandlerCx, pod: PodSandbox) -> Done {
        self.of_pod("StopPodSandbox", &pod)
    }

    async fn remove_pod_sandbox(&self, _: HandlerCx, pod: PodSandbox) -> Done {
        self.of_pod("RemovePodSandbox", &pod)
    }

    async fn create_container(&self, _: HandlerCx, pod: PodSandbox, it: Container) -> Result<Adjustment, BoxError> {
        self.of_both("CreateContainer", &pod, &it)?;
        Ok(Adjustment::new().annotation("a", "b"))
    }

    async fn post_create_container(&self, _: HandlerCx, pod: PodSandbox, it: Container) -> Done {
        self.of_both("PostCreateContainer", &pod, &it)
    }

    async fn start_container(&self, _: HandlerCx, pod: PodSandbox, it: Container) -> Done {
        self.of_both("StartContainer", &pod, &it)
    }

    async fn post_start_container(&self, _: HandlerCx, pod: PodSandbox, it: Container) -> Done {
        self.of_both("PostStartContainer", &pod, &it)
    }

    async fn update_container(
        &self,
        _: HandlerCx,
        pod: PodSandbox,
        it: Container,
        _: LinuxResources,
    ) -> Result<Vec<Update>, BoxError> {
        self.of_both("UpdateContainer", &pod, &it)?;
        Ok(shares("updated"))
    }

    async fn post_update_container(&self, _: HandlerCx, pod: PodSandbox, it: Container) -> Done {
        self.of_both("PostUpdateContainer", &pod, &it)
    }

    async fn stop_container(&self, _: HandlerCx, pod: PodSandbox, it: Container) -> Result<Vec<Update>, BoxError> {
        self.of_both("StopContainer", &pod, &it)?;
        Ok(shares("stopped"))
    }

    async fn remove_container(&self, _: HandlerCx, pod: PodSandbox, it: Container) -> Done {
        self.of_both("RemoveContainer", &pod, &it)
    }

    async fn validate_container_adjustment(&self, _: HandlerCx, _: ValidateContainerAdjustmentRequest) -> Done {
        Err("not allowed".into())
    }
}

/// Has none of its own.
struct Idle(EventMask);

impl Plugin for Idle {
    fn events(&self) -> EventMask {
        self.0
    }
}

async fn serving<P: Plugin>(plugin: &Arc<P>, runtime: &TestRuntime) -> (Stub, TestPlugin) {
    let stub = Stub::builder("typed", 10).clock(clock()).dialer(runtime.dialer()).plugin(plugin).build();
    let stub = stub.expect("sound");
    soon("start", stub.start()).await.expect("started");
    let plugin = soon("registration", runtime.next_plugin()).await.expect("a plugin");
    (stub, plugin)
}

/// Sends one request of every sort; gives the ids of the containers that the answers update, and the verdict.
async fn visit(plugin: &TestPlugin) -> (Vec<String>, bool) {
    let mut updated = Vec::new();
    let (p, c) = (pod("p"), container("c"));
    for event in [Event::RunPodSandbox, Event::PostUpdatePodSandbox, Event::StopPodSandbox, Event::RemovePodSandbox] {
        soon("event", plugin.pod_event(event, p.clone())).await.expect("answered");
    }
    let request = UpdatePodSandboxRequest { pod: Some(p.clone()), ..Default::default() };
    soon("update", plugin.update_pod_sandbox(request)).await.expect("answered");
    for event in [
        Event::PostCreateContainer,
        Event::StartContainer,
        Event::PostStartContainer,
        Event::PostUpdateContainer,
        Event::RemoveContainer,
    ] {
        soon("event", plugin.container_event(event, p.clone(), c.clone())).await.expect("answered");
    }
    let created = soon("create", plugin.create_container(p.clone(), c.clone())).await.expect("answered");
    updated.extend(created.adjust.map(|adjust| format!("{:?}", adjust.annotations)));
    let answer = plugin.update_container(p.clone(), c.clone(), LinuxResources::default());
    let answer = soon("update", answer).await.expect("answered").update;
    updated.extend(answer.into_iter().map(|update| update.container_id));
    let answer = soon("stop", plugin.stop_container(p, c)).await.expect("answered").update;
    updated.extend(answer.into_iter().map(|update| update.container_id));
    let verdict = soon("verdict", plugin.validate(Default::default())).await.expect("answered");
    (updated, verdict.reject)
}

#[tokio::test(start_paused = true)]
async fn each_method_is_the_handler_of_its_event() {
    let (runtime, notes) = (TestRuntime::new(), Notes::default());
    let all = Arc::new(All { notes: notes.clone(), events: EventMask::ALL });
    let (stub, plugin) = serving(&all, &runtime).await;
    assert_eq!(plugin.events(), EventMask::ALL);
    assert_eq!(plugin.synchronized().update[0].container_id, "synchronized");
    let (updated, rejected) = visit(&plugin).await;
    assert_eq!((updated, rejected), (vec![r#"{"a": "b"}"#.into(), "updated".into(), "stopped".into()], true));
    let noted = notes.take();
    assert_eq!(noted[..4], ["Configure", "Synchronize", "RunPodSandbox p", "PostUpdatePodSandbox p"]);
    assert_eq!(noted.len(), 2 + 13, "validation notes nothing: {noted:?}");
    for event in EventMask::ALL.iter().filter(|event| *event != Event::ValidateContainerAdjustment) {
        let times = noted.iter().filter(|line| line.split(' ').next() == Some(&format!("{event:?}"))).count();
        assert_eq!(times, 1, "{event:?} in {noted:?}");
    }
    end(stub, runtime).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_among_its_events_is_not_called_and_what_has_no_method_is_answered_with_nothing() {
    let (runtime, notes) = (TestRuntime::new(), Notes::default());
    let events = EventMask::NONE.with(Event::StartContainer);
    let (stub, plugin) = serving(&Arc::new(All { notes: notes.clone(), events }), &runtime).await;
    assert_eq!(plugin.events(), events);
    assert_eq!(visit(&plugin).await, (vec![], false));
    assert_eq!(notes.take(), ["Configure", "Synchronize", "StartContainer p c"]);
    end(stub, runtime).await;

    let runtime = TestRuntime::new();
    let (stub, plugin) = serving(&Arc::new(Idle(EventMask::ALL)), &runtime).await;
    assert_eq!(plugin.events(), EventMask::ALL);
    assert_eq!(visit(&plugin).await, (vec![], false));
    end(stub, runtime).await;

    let refused = Stub::builder("typed", 10).plugin(&Arc::new(Idle(EventMask::NONE))).build();
    assert!(matches!(refused, Err(BuildError::NoHandlers)), "{refused:?}");
}

/// One engine: what is registered last has the event, and a panic or failure of a method is one of a handler.
#[tokio::test(start_paused = true)]
async fn methods_and_closures_stand_beside_each_other() {
    struct Panics;

    impl Plugin for Panics {
        fn events(&self) -> EventMask {
            [Event::RunPodSandbox, Event::StopPodSandbox, Event::RemovePodSandbox].into_iter().collect()
        }

        async fn run_pod_sandbox(&self, _: HandlerCx, _: PodSandbox) -> Done {
            panic!("as planned")
        }

        async fn stop_pod_sandbox(&self, _: HandlerCx, _: PodSandbox) -> Done {
            Err("no".into())
        }
    }

    let (runtime, notes) = (TestRuntime::new(), Notes::default());
    let noted = notes.clone();
    let stub = Stub::builder("typed", 10)
        .clock(clock())
        .dialer(runtime.dialer())
        .plugin(&Arc::new(Panics))
        .on_remove_pod_sandbox(move |_, _| {
            noted.note("closure");
            async { Ok(()) }
        })
        .on_start_container(async |_, _, _| Ok(()));
    let stub = stub.build().expect("sound");
    soon("start", stub.start()).await.expect("started");
    let plugin = soon("registration", runtime.next_plugin()).await.expect("a plugin");
    assert_eq!(plugin.events().to_string(), "RunPodSandbox,StopPodSandbox,RemovePodSandbox,StartContainer");
    for (event, says) in [(Event::RunPodSandbox, "as planned"), (Event::StopPodSandbox, "no")] {
        let error = soon("event", plugin.pod_event(event, pod("p"))).await.expect_err("it fails");
        assert!(error.to_string().contains(says), "{error}");
    }
    soon("event", plugin.pod_event(Event::RemovePodSandbox, pod("p"))).await.expect("answered");
    assert_eq!(notes.take(), ["closure"]);
    end(stub, runtime).await;
}
