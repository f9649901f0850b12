//! The supervisor as a pure machine: an event and the time go in, actions come out.
//!
//! It has no clock, starts nothing and waits for nothing, so the same events give the same actions. What each event
//! does in each state is tabled in `docs/supervision.md`.

mod calls;
mod children;
mod end;
mod event;
mod exits;
mod group;
mod random;
mod starts;
mod state;
mod stops;
#[cfg(test)]
mod tests;
mod view;
mod window;

use std::collections::VecDeque;
use std::time::Duration;

use self::children::{Child, Children, Key};
use self::end::End;
pub(crate) use self::event::{Action, Budget, Call, CallId, Event, Reply, Up};
use self::group::Group;
use self::random::Random;
use self::state::State;
pub(crate) use self::view::Row;
use self::window::Window;
use crate::child_id::InstanceId;
use crate::exit::Exit;
use crate::policy::{AutoShutdown, RestartType, Strategy, StuckPolicy, WindowClock};
use crate::report::{Offender, ReportContext, ReportReason};
use crate::spec::Spec;

/// How a supervisor is set.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) strategy: Strategy,
    pub(crate) auto_shutdown: AutoShutdown,
    pub(crate) intensity: u32,
    pub(crate) period: Duration,
    pub(crate) clock: WindowClock,
    pub(crate) children_max: usize,
    pub(crate) calls_max: usize,
    pub(crate) stuck: StuckPolicy,
    /// How long an aborted instance has until it counts as stuck.
    pub(crate) stuck_after: Duration,
}

/// What the supervisor as a whole is at.
#[derive(Debug)]
enum Phase {
    New,
    /// Static children are started in order.
    Starting(Starts),
    /// Nothing concerns more than one child.
    Running,
    /// In a group strategy, one child is started or stopped by a call: others wait, as in OTP.
    Busy(Key),
    /// A group restart.
    Restarting(Group),
    Stopping(End),
    Ended,
}

#[derive(Debug)]
struct Starts {
    left: VecDeque<Key>,
    current: Option<Key>,
}

/// What waits until the supervisor is through with a group of children, or with one child, in order of arrival.
#[derive(Debug)]
enum Deferred<M> {
    Call(CallId, Call<M>),
    /// A child that is lost.
    Exit(Key),
    /// A restart that failed and is tried again.
    TryAgain(Key),
    /// A restart whose delay has passed, or that waited for a stuck instance: it is not counted.
    Uncounted(Key),
}

/// What the engine does not need any more, but is a user's: its destructor runs where it holds up nobody.
#[derive(Debug)]
pub(crate) struct Spent<M> {
    pub(crate) makes: Vec<M>,
    pub(crate) exits: Vec<Exit>,
}

impl<M> Default for Spent<M> {
    fn default() -> Self {
        Self { makes: Vec::new(), exits: Vec::new() }
    }
}

impl<M> Spent<M> {
    pub(crate) fn is_empty(&self) -> bool {
        self.makes.is_empty() && self.exits.is_empty()
    }

    fn take_child(&mut self, child: Child<M>) {
        let (make, state) = child.into_parts();
        self.makes.extend(make);
        self.take_state(state);
    }

    fn take_state(&mut self, state: State) {
        if let State::Lost { exit } = state {
            self.exits.push(exit);
        }
    }
}

/// The engine of one supervisor; `M` is what makes a child.
#[derive(Debug)]
pub(crate) struct Engine<M> {
    /// Tells the instances of this supervisor from those of others.
    number: u32,
    settings: Settings,
    template: Option<Spec>,
    phase: Phase,
    children: Children<M>,
    deferred: VecDeque<Deferred<M>>,
    /// How many of the deferred are calls.
    calls: usize,
    window: Window,
    random: Random,
    budget: Option<Budget>,
    instances: u64,
    now: Duration,
    actions: Vec<Action<M>>,
    spent: Spent<M>,
    /// Whether changes of states are wanted as actions.
    is_watched: bool,
}

impl<M: Clone> Engine<M> {
    pub(crate) fn new(number: u32, settings: Settings, template: Option<Spec>, seed: u64) -> Self {
        let window = Window::new(settings.intensity, settings.period, settings.clock);
        Self {
            number,
            settings,
            template,
            phase: Phase::New,
            children: Children::new(number),
            deferred: VecDeque::new(),
            calls: 0,
            window,
            random: Random::new(seed),
            budget: None,
            instances: 0,
            now: Duration::ZERO,
            actions: Vec::new(),
            spent: Spent::default(),
            is_watched: false,
        }
    }

    /// Adds a static child; only before the begin.
    pub(crate) fn add(&mut self, spec: Spec, make: M) {
        self.children.insert(spec, make, true);
    }

    /// Lets changes of states be actions from here on.
    pub(crate) fn watch(&mut self) {
        self.is_watched = true;
    }

    /// Takes in what happened at `now`, and adds what is to be done to `actions`.
    pub(crate) fn on(&mut self, event: Event<M>, now: Duration, actions: &mut Vec<Action<M>>) {
        self.now = self.now.max(now);
        std::mem::swap(&mut self.actions, actions);
        match event {
            Event::Begin => self.begin(),
            Event::Call(id, call) => self.accept(id, call),
            Event::Ready(instance) => self.ready(instance),
            Event::Lingers(instance) => self.lingers(instance),
            Event::Exited(instance, exit) => self.exited(instance, exit),
            Event::Stuck(instance) => self.stuck_below(instance),
            Event::Tick => {}
            Event::Terminate(budget) => self.terminate(budget),
        }
        self.fire();
        self.pump();
        std::mem::swap(&mut self.actions, actions);
    }

    /// Ends without any order, when the engine is not to be trusted any more; gives what is a user's.
    pub(crate) fn fall(&mut self) -> (Spent<M>, Vec<Action<M>>) {
        if let Phase::Stopping(end) = std::mem::replace(&mut self.phase, Phase::Ended) {
            self.spent.exits.extend(end.into_exits());
        }
        for deferred in std::mem::take(&mut self.deferred) {
            if let Deferred::Call(_, Call::Start { make, .. } | Call::StartInstance { make }) = deferred {
                self.spent.makes.push(make);
            }
        }
        self.clear();
        (self.take_spent(), std::mem::take(&mut self.actions))
    }

    /// When the engine wants to be told of the time.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        [self.children.next_due(), self.cut_due()].into_iter().flatten().min()
    }

    /// Does what has waited, as far as it can be done now.
    fn pump(&mut self) {
        while matches!(self.phase, Phase::Running) {
            let Some(next) = self.deferred.iter().position(|deferred| !self.is_blocked(deferred)) else { return };
            let Some(deferred) = self.deferred.remove(next) else { return };
            match deferred {
                Deferred::Call(id, call) => {
                    self.calls -= 1;
                    self.perform(id, call);
                }
                Deferred::Exit(key) => {
                    if let Some(State::Lost { exit }) = self.state(key) {
                        self.own_end(key, exit);
                    }
                }
                Deferred::TryAgain(key) => {
                    if self.state(key) == Some(State::Retrying) {
                        self.restart(key);
                    }
                }
                Deferred::Uncounted(key) => {
                    if matches!(self.state(key), Some(State::Waiting | State::Retrying)) {
                        self.set(key, State::Retrying);
                        self.attempt(key);
                    }
                }
            }
        }
    }

    fn is_blocked(&self, deferred: &Deferred<M>) -> bool {
        match deferred {
            Deferred::Call(_, call) => self.waits_for_its_child(call),
            Deferred::Exit(_) | Deferred::TryAgain(_) | Deferred::Uncounted(_) => false,
        }
    }

    /// One child is through with what it was at: who waited for that goes on.
    fn settled(&mut self, key: Key) {
        match &mut self.phase {
            Phase::Busy(busy) if *busy == key => self.phase = Phase::Running,
            Phase::Starting(Starts { current, .. })
            | Phase::Restarting(Group { current, .. })
            | Phase::Stopping(End { current, .. })
                if *current == Some(key) =>
            {
                *current = None;
            }
            Phase::New
            | Phase::Starting(_)
            | Phase::Running
            | Phase::Busy(_)
            | Phase::Restarting(_)
            | Phase::Stopping(_)
            | Phase::Ended => {}
        }
        self.step();
    }

    /// Goes on with what concerns more than one child, as far as it goes without waiting.
    fn step(&mut self) {
        match self.phase {
            Phase::Starting(_) => self.step_starts(),
            Phase::Restarting(_) => self.step_group(),
            Phase::Stopping(_) => self.step_end(),
            Phase::New | Phase::Running | Phase::Busy(_) | Phase::Ended => {}
        }
    }

    /// Does what is due at this time.
    fn fire(&mut self) {
        // When all is aborted, no share of the time is left that could be over: whoever is aborted in this very instant
        // would count as stuck.
        if self.cut_due().is_some_and(|at| at <= self.now) {
            self.cut();
        }
        while let Some(key) = self.children.take_due(self.now) {
            self.due(key);
        }
    }

    /// Whether children are named by instance, and none is kept without one.
    fn is_by_instance(&self) -> bool {
        self.settings.strategy.is_by_instance()
    }

    fn state(&self, key: Key) -> Option<State> {
        self.children.get(key).map(|child| child.state().clone())
    }

    fn set(&mut self, key: Key, state: State) {
        let handle = if self.is_watched { self.children.handle(key) } else { None };
        let Some(before) = self.children.set_state(key, state) else { return };
        if self.is_watched
            && let Some(child) = self.children.get(key)
        {
            let now = child.state().shown(&child.spec);
            if now != before.shown(&child.spec) {
                let instance = child.state().instance().or(handle);
                self.actions.push(Action::Changed { id: child.spec.id.clone(), instance, state: now });
            }
        }
        self.spent.take_state(before);
    }

    /// Lets a child that has no instance rest; one that is temporary, or named by instance, goes for good.
    fn rest(&mut self, key: Key) {
        self.children.set_timer(key, None);
        self.set(key, State::Down);
        let goes = |child: &Child<M>| child.spec.restart.kind == RestartType::Temporary;
        if self.is_by_instance() || self.children.get(key).is_some_and(goes) {
            self.forget(key);
        }
    }

    fn forget(&mut self, key: Key) {
        if let Some(child) = self.children.remove(key) {
            self.spent.take_child(child);
        }
    }

    /// Forgets all children.
    fn clear(&mut self) {
        let mut children = self.children.clear();
        children.drain().for_each(|child| self.spent.take_child(child));
    }

    /// Takes what is not needed any more.
    pub(crate) fn take_spent(&mut self) -> Spent<M> {
        std::mem::take(&mut self.spent)
    }

    /// What waits for its delay, with the time when that is over; for a planted fault.
    #[cfg(landfall_faults)]
    pub(crate) fn waiting(&self) -> Vec<(Duration, Spec, M)> {
        let waiting = self.children.newest_first().filter(|(_, child)| *child.state() == State::Waiting);
        waiting.filter_map(|(_, child)| Some((child.timer()?, child.spec.clone(), child.make.clone()?))).collect()
    }

    fn report(&mut self, key: Key, context: ReportContext, reason: ReportReason) {
        let Some(child) = self.children.get(key) else { return };
        let offender = Offender::new(&child.spec, child.state().instance().or(self.children.handle(key)), None);
        self.actions.push(Action::Report { context, reason, offender });
    }

    fn next_instance(&mut self, key: Key) -> InstanceId {
        self.instances += 1;
        InstanceId { supervisor: self.number, number: self.instances, place: key.place() }
    }
}
