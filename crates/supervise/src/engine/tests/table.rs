//! The table of a child's states in `docs/supervision.md`: each state, each event, what the child does then.

use std::time::Duration;

use super::super::{Call, CallId, Engine, Event};
use super::world::*;
use crate::backoff::Backoff;
use crate::child_id::InstanceId;
use crate::exit::Exit;
use crate::policy::{RestartType, ShutdownPolicy, SpecInfo, Strategy, StuckPolicy};

/// An engine with a child `a` in some state, and its instance, which may have gone.
struct At {
    engine: Engine<&'static str>,
    now: Duration,
    instance: Option<InstanceId>,
}

impl At {
    /// Static children that are about to start, with a start limit of 30 s and 5 s to stop.
    fn new(specs: &[SpecInfo]) -> Self {
        let mut settings = settings(Strategy::OneForOne, 0, secs(3_600));
        settings.intensity = if specs.iter().any(|spec| spec.restart.backoff.is_some()) { 0 } else { 9 };
        settings.stuck = StuckPolicy::Leave;
        let at = Self { engine: engine(settings, specs), now: secs(0), instance: None };
        at.on(Event::Begin)
    }

    fn on(mut self, event: Event<&'static str>) -> Self {
        self.engine.on(event, self.now, &mut Vec::new());
        let living = self.engine.find(&"a".into()).and_then(|row| row.instance);
        self.instance = living.or(self.instance);
        self
    }

    fn ready(self) -> Self {
        let instance = self.instance.expect("it was started");
        self.on(Event::Ready(instance))
    }

    fn exited(self, exit: Exit) -> Self {
        let instance = self.instance.expect("it was started");
        self.on(Event::Exited(instance, exit))
    }

    /// Lets the time of the child be over.
    fn due(mut self) -> Self {
        self.now = self.engine.next_due().unwrap_or(self.now + secs(100_000));
        self.on(Event::Tick)
    }

    fn call(self, call: Call<&'static str>) -> Self {
        self.on(Event::Call(CallId(1), call))
    }

    fn reach(state: &str) -> Self {
        let running = || Self::new(&[permanent("a")]).ready();
        let start = || Call::Start { spec: permanent("a").into(), make: "" };
        let terminated = || running().call(Call::Terminate("a".into()));
        let delayed = spec("a", RestartType::Permanent.delayed(Backoff::constant(secs(9))));
        match state {
            "down" => Self::new(&[permanent("a")]).exited(Exit::Declined),
            "starting, initial" => Self::new(&[permanent("a")]),
            "starting, by a call" => Self::new(&[]).call(start()),
            "starting, restart" => running().exited(Exit::failed("x")),
            "running" => running(),
            "stopping, asked" => terminated(),
            "stopping, aborted" => terminated().due(),
            "lost" => Self::new(&[permanent("a"), permanent("b")]).ready().exited(Exit::failed("x")),
            "waiting" => Self::new(&[delayed]).ready().exited(Exit::failed("x")),
            _ => terminated().due().due(),
        }
    }

    /// What the child does.
    fn shown(&self) -> String {
        self.engine.find(&"a".into()).map_or("-".to_owned(), |row| row.state.to_string())
    }
}

/// Of the states that last from one event to the next; a child that retries is started in the same step.
#[test]
fn each_event_in_each_state_does_what_the_table_says() {
    let events = ["up", "crash", "declines", "left something", "cannot end", "time"];
    let table = [
        ("down", ["down", "down", "down", "down", "down", "down"]),
        ("starting, initial", ["running", "-", "down", "stopping", "stuck", "stopping"]),
        ("starting, by a call", ["running", "-", "down", "stopping", "stuck", "stopping"]),
        ("starting, restart", ["running", "restarting", "down", "restarting", "stuck", "restarting"]),
        ("running", ["running", "restarting", "restarting", "stopping", "stuck", "running"]),
        ("stopping, asked", ["stopping", "down", "down", "stopping", "stuck", "stopping"]),
        ("stopping, aborted", ["stopping", "down", "down", "stopping", "stuck", "stuck"]),
        ("lost", ["restarting", "restarting", "restarting", "restarting", "restarting", "restarting"]),
        (
            "waiting",
            [
                "waiting to restart",
                "waiting to restart",
                "waiting to restart",
                "waiting to restart",
                "waiting to restart",
                "restarting",
            ],
        ),
        ("stuck", ["stuck", "down", "down", "stuck", "stuck", "stuck"]),
    ];
    for (state, expected) in table {
        for (event, expected) in events.into_iter().zip(expected) {
            let at = At::reach(state);
            let instance = at.instance.expect("it was started");
            let at = match event {
                "up" => at.ready(),
                "crash" => at.exited(Exit::failed("x")),
                "declines" => at.exited(Exit::Declined),
                "left something" => at.on(Event::Lingers(instance)),
                "cannot end" => at.on(Event::Stuck(instance)),
                _ => at.due(),
            };
            assert_eq!(at.shown(), expected, "{state}: {event}");
        }
    }
}

/// What a limit is: without one, the time of a child that is being stopped is never over.
#[test]
fn a_child_with_infinity_has_no_time_that_could_be_over() {
    let spec = SpecInfo { shutdown: ShutdownPolicy::Infinity, ..permanent("a") };
    let at = At::new(&[spec]).ready().call(Call::Terminate("a".into())).due();
    assert_eq!(at.shown(), "stopping");
}
