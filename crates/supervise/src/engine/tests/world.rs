//! A world of children that start, run and stop as a script says, so that a test reads as a story.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use super::super::{Action, Budget, Call, CallId, Engine, Event, Reply, Row, Settings, Up};
use crate::call_error::StartChildError;
use crate::child_id::{ChildRef, InstanceId};
use crate::child_state::ChildState;
use crate::exit::Exit;
use crate::policy::{
    AutoShutdown, ChildKind, Restart, RestartType, ShutdownPolicy, SpecInfo, Strategy, StuckPolicy, WindowClock,
};
use crate::report::{EndCause, Offender, ReportContext, ReportReason};

pub(super) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(super) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// OTP's defaults but for the intensity, which a test is to say.
pub(super) fn settings(strategy: Strategy, intensity: u32, period: Duration) -> Settings {
    Settings {
        strategy,
        auto_shutdown: AutoShutdown::Never,
        intensity,
        period,
        clock: WindowClock::Precise,
        children_max: usize::MAX,
        calls_max: 8,
        stuck: StuckPolicy::Escalate,
        stuck_after: secs(1),
    }
}

pub(super) fn spec(id: &str, restart: impl Into<Restart>) -> SpecInfo {
    SpecInfo {
        id: id.into(),
        kind: ChildKind::Worker,
        restart: restart.into(),
        shutdown: ShutdownPolicy::Timeout(secs(5)),
        significant: false,
        start_limit: Some(secs(30)),
    }
}

pub(super) fn permanent(id: &str) -> SpecInfo {
    spec(id, RestartType::Permanent)
}

pub(super) fn transient(id: &str) -> SpecInfo {
    spec(id, RestartType::Transient)
}

pub(super) fn temporary(id: &str) -> SpecInfo {
    spec(id, RestartType::Temporary)
}

/// What takes events and gives actions: the engine, or one that was tampered with.
pub(super) trait Machine {
    fn on(&mut self, event: Event<&'static str>, now: Duration) -> Vec<Action<&'static str>>;
    fn engine(&self) -> &Engine<&'static str>;
}

impl Machine for Engine<&'static str> {
    fn on(&mut self, event: Event<&'static str>, now: Duration) -> Vec<Action<&'static str>> {
        let mut actions = Vec::new();
        Self::on(self, event, now, &mut actions);
        actions
    }

    fn engine(&self) -> &Engine<&'static str> {
        self
    }
}

/// What becomes of the next start of a child.
#[derive(Clone, Debug)]
pub(super) enum OnStart {
    Ready,
    Ends(Exit),
    Hangs,
}

/// What a child does when it is asked to stop, and when it is aborted.
#[derive(Clone, Debug)]
pub(super) enum OnStop {
    Ends(Exit),
    /// It does not listen; the abort ends it.
    Ignores,
    /// Not even the abort ends it.
    Immortal,
}

#[derive(Debug)]
pub(super) struct World<E = Engine<&'static str>> {
    pub(super) machine: E,
    pub(super) now: Duration,
    /// What was done to the children: `start a`, `up a`, `stop a`, `abort a`, `gone a`.
    pub(super) log: Vec<String>,
    /// The living instances with the ids of their children.
    pub(super) live: BTreeMap<InstanceId, String>,
    pub(super) made: Vec<&'static str>,
    starts: HashMap<String, VecDeque<OnStart>>,
    stops: HashMap<String, OnStop>,
    events: VecDeque<Event<&'static str>>,
    pub(super) replies: HashMap<CallId, Reply>,
    pub(super) reports: Vec<(ReportContext, ReportReason, Offender)>,
    /// The ids of children that came up, and whether by a call.
    pub(super) progress: Vec<(String, bool)>,
    pub(super) is_up: bool,
    pub(super) is_straggling: bool,
    pub(super) ended: Option<EndCause>,
    calls: u64,
}

pub(super) fn engine(settings: Settings, specs: &[SpecInfo]) -> Engine<&'static str> {
    let template = (settings.strategy == Strategy::SimpleOneForOne).then(|| specs[0].clone().into());
    let is_simple = template.is_some();
    let mut engine = Engine::new(1, settings, template, 42);
    for spec in specs.iter().filter(|_| !is_simple) {
        engine.add(spec.clone().into(), "static");
    }
    engine
}

impl World {
    /// A supervisor that is not started yet.
    pub(super) fn new(settings: Settings, specs: &[SpecInfo]) -> Self {
        Self::of(engine(settings, specs))
    }

    /// A supervisor with all its static children up, and an empty log.
    pub(super) fn started(settings: Settings, specs: &[SpecInfo]) -> Self {
        let mut world = Self::new(settings, specs);
        world.tell(Event::Begin);
        assert!(world.is_up);
        world.log.clear();
        world.progress.clear();
        world
    }
}

impl<E: Machine> World<E> {
    pub(super) fn of(machine: E) -> Self {
        Self {
            machine,
            now: Duration::ZERO,
            log: Vec::new(),
            live: BTreeMap::new(),
            made: Vec::new(),
            starts: HashMap::new(),
            stops: HashMap::new(),
            events: VecDeque::new(),
            replies: HashMap::new(),
            reports: Vec::new(),
            progress: Vec::new(),
            is_up: false,
            is_straggling: false,
            ended: None,
            calls: 0,
        }
    }

    /// Says what becomes of the next starts of a child; after these it starts well.
    pub(super) fn starting(&mut self, id: &str, starts: impl IntoIterator<Item = OnStart>) {
        self.starts.entry(id.to_owned()).or_default().extend(starts);
    }

    /// Says how a child stops from now on.
    pub(super) fn stopping(&mut self, id: &str, stop: OnStop) {
        self.stops.insert(id.to_owned(), stop);
    }

    /// Gives an event to the machine, and goes on until the world is at rest.
    pub(super) fn tell(&mut self, event: Event<&'static str>) {
        self.events.push_back(event);
        while let Some(event) = self.events.pop_front() {
            if let Event::Exited(instance, _) = &event
                && let Some(id) = self.live.remove(instance)
            {
                self.log.push(format!("gone {id}"));
            }
            let actions = self.machine.on(event, self.now);
            for action in actions {
                self.perform(action);
            }
        }
    }

    fn perform(&mut self, action: Action<&'static str>) {
        match action {
            Action::Start { instance, spec, make } => {
                let id = spec.id.to_string();
                self.log.push(format!("start {id}"));
                self.live.insert(instance, id.clone());
                self.made.push(make);
                match self.starts.get_mut(&id).and_then(VecDeque::pop_front).unwrap_or(OnStart::Ready) {
                    OnStart::Ready => self.events.push_back(Event::Ready(instance)),
                    OnStart::Ends(exit) => self.events.push_back(Event::Exited(instance, exit)),
                    OnStart::Hangs => {}
                }
            }
            Action::Stop { instance, .. } => {
                let id = self.live[&instance].clone();
                self.log.push(format!("stop {id}"));
                if let OnStop::Ends(exit) = self.stops.get(&id).cloned().unwrap_or(OnStop::Ends(Exit::Shutdown)) {
                    self.events.push_back(Event::Exited(instance, exit));
                }
            }
            Action::Abort { instance } => {
                let id = self.live[&instance].clone();
                self.log.push(format!("abort {id}"));
                if !matches!(self.stops.get(&id), Some(OnStop::Immortal)) {
                    self.events.push_back(Event::Exited(instance, Exit::Aborted));
                }
            }
            Action::Reply(call, reply) => {
                assert!(self.replies.insert(call, reply).is_none(), "{call:?} was answered twice");
            }
            Action::Report { context, reason, offender } => self.reports.push((context, reason, offender)),
            Action::Progress { offender, by_call } => {
                self.log.push(format!("up {}", offender.id));
                self.progress.push((offender.id.to_string(), by_call));
            }
            Action::Changed { .. } => {}
            Action::Up => self.is_up = true,
            Action::Straggling => self.is_straggling = true,
            Action::Ended(cause) => {
                assert!(self.ended.replace(cause).is_none(), "it ended twice");
            }
        }
    }

    pub(super) fn exit(&mut self, id: &str, exit: Exit) {
        let instance = self.instance(id);
        self.tell(Event::Exited(instance, exit));
    }

    pub(super) fn crash(&mut self, id: &str) {
        self.exit(id, Exit::failed("crash"));
    }

    pub(super) fn terminate(&mut self, grace: Duration, abort: Duration) {
        let budget = Budget { grace: self.now + grace, abort: self.now + abort };
        self.tell(Event::Terminate(budget));
    }

    /// Lets time pass, from one timer to the next.
    pub(super) fn advance(&mut self, by: Duration) {
        let until = self.now + by;
        while let Some(due) = self.machine.engine().next_due().filter(|due| *due <= until) {
            assert!(due > self.now, "a timer that is due was not taken");
            self.now = due;
            self.tell(Event::Tick);
        }
        self.now = until;
        self.tell(Event::Tick);
    }

    pub(super) fn begin_call(&mut self, call: Call<&'static str>) -> CallId {
        self.calls += 1;
        let id = CallId(self.calls);
        self.tell(Event::Call(id, call));
        id
    }

    #[track_caller]
    pub(super) fn call(&mut self, call: Call<&'static str>) -> Reply {
        let id = self.begin_call(call);
        self.replies.get(&id).expect("answered at once").clone()
    }

    /// `start_child`: the instance, or none if it declined.
    #[track_caller]
    pub(super) fn start_child(&mut self, spec: SpecInfo) -> Result<Option<InstanceId>, StartChildError> {
        Self::started_child(self.call(Call::Start { spec: spec.into(), make: "by call" }))
    }

    /// `start_child` of a template.
    #[track_caller]
    pub(super) fn start_instance(&mut self) -> Result<Option<InstanceId>, StartChildError> {
        Self::started_child(self.call(Call::StartInstance { make: "arguments" }))
    }

    #[track_caller]
    fn started_child(reply: Reply) -> Result<Option<InstanceId>, StartChildError> {
        match reply {
            Reply::Start(result) => result.map(|up| match up {
                Up::Instance(instance) => Some(instance),
                Up::Declined => None,
            }),
            other => panic!("{other:?} answers a start"),
        }
    }

    #[track_caller]
    pub(super) fn terminate_child(&mut self, child: impl Into<ChildRef>) -> Reply {
        self.call(Call::Terminate(child.into()))
    }

    #[track_caller]
    pub(super) fn restart_child(&mut self, child: impl Into<ChildRef>) -> Reply {
        self.call(Call::Restart(child.into()))
    }

    #[track_caller]
    pub(super) fn delete_child(&mut self, child: impl Into<ChildRef>) -> Reply {
        self.call(Call::Delete(child.into()))
    }

    #[track_caller]
    pub(super) fn instance(&self, id: &str) -> InstanceId {
        self.row(id).instance.expect("it has an instance")
    }

    #[track_caller]
    pub(super) fn row(&self, id: &str) -> Row {
        self.machine.engine().find(&id.into()).expect("there is such a child")
    }

    /// Ids and states, oldest first, as `a running`.
    pub(super) fn states(&self) -> Vec<String> {
        let rows = self.machine.engine().rows();
        rows.iter().rev().map(|row| format!("{} {}", row.spec.id, row.state)).collect()
    }

    #[track_caller]
    pub(super) fn assert_states(&self, expected: &[&str]) {
        assert_eq!(self.states(), expected);
    }

    pub(super) fn state(&self, id: &str) -> Option<ChildState> {
        self.machine.engine().find(&id.into()).map(|row| row.state)
    }

    /// Takes the log.
    pub(super) fn story(&mut self) -> String {
        std::mem::take(&mut self.log).join(", ")
    }

    #[track_caller]
    pub(super) fn assert_story(&mut self, expected: &str) {
        assert_eq!(self.story(), expected);
    }

    /// Contexts and reasons of the reports so far, as `child_terminated a: failed: crash`.
    pub(super) fn take_reports(&mut self) -> Vec<String> {
        let text = |(context, reason, offender): (ReportContext, ReportReason, Offender)| {
            let count = offender.count.map(|count| format!(" x{count}")).unwrap_or_default();
            format!("{context} {}{count}: {reason}", offender.id)
        };
        std::mem::take(&mut self.reports).into_iter().map(text).collect()
    }

    #[track_caller]
    pub(super) fn assert_ended(&self, cause: &EndCause) {
        assert_eq!(self.ended.as_ref(), Some(cause));
        assert_eq!(self.live.len(), 0, "{:?}", self.live);
    }

    /// `specs, active, supervisors, workers`.
    pub(super) fn counts(&self) -> [usize; 4] {
        let counts = self.machine.engine().counts();
        [counts.specs, counts.active, counts.supervisors, counts.workers]
    }
}

/// The end for the intensity at a child.
pub(super) fn gave_up(child: &str) -> EndCause {
    EndCause::IntensityReached { child: child.into() }
}
