//! How a supervisor is set up.

use std::any::Any;
use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::error::Error;
use std::hash::{BuildHasher, Hasher};
use std::num::NonZeroUsize;
use std::panic::Location;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use landfall_lifecycle::Clock;

use crate::child_spec::ChildSpec;
use crate::driver::{self, Above};
use crate::engine::{Engine, Settings};
use crate::exit::Exit;
use crate::make::Make;
use crate::partitions::{PARTITIONS_MAX, PartitionsBuilder, Routing};
use crate::policy::{AutoShutdown, RestartType, SpecInfo, Strategy, StuckPolicy, WindowClock};
use crate::simple::SimpleBuilder;
use crate::spec::Spec;
use crate::spec_error::SpecError;
use crate::start_error::StartError;
use crate::supervisor::Supervisor;
use crate::template::Template;

/// A supervisor as it will be. Made by [`Supervisor::builder`].
///
/// Defaults are OTP's: one-for-one, at most 1 restart in 5 s, no auto-shutdown.
#[derive(Debug)]
#[must_use = "a supervisor does nothing until it is started"]
pub struct SupervisorBuilder {
    pub(crate) name: String,
    pub(crate) settings: Settings,
    pub(crate) children: Vec<ChildSpec>,
    pub(crate) template: Option<(SpecInfo, &'static Location<'static>)>,
    pub(crate) factory: Option<Arc<dyn Any + Send + Sync>>,
    pub(crate) routing: Option<Arc<Routing>>,
    pub(crate) clock: Clock,
    pub(crate) answers_early: bool,
}

impl SupervisorBuilder {
    pub(crate) fn new(name: String) -> Self {
        let settings = Settings {
            strategy: Strategy::OneForOne,
            auto_shutdown: AutoShutdown::Never,
            intensity: 1,
            period: Duration::from_secs(5),
            clock: WindowClock::Precise,
            children_max: usize::MAX,
            calls_max: 1_024,
            stuck: StuckPolicy::Escalate,
            stuck_after: Duration::from_secs(1),
        };
        let (children, template, clock) = (Vec::new(), None, Clock::system());
        Self { name, settings, children, template, factory: None, routing: None, clock, answers_early: false }
    }

    /// Sets which children an end concerns. Default: one-for-one. Simple-one-for-one is set by its
    /// [template](Self::template).
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.settings.strategy = strategy;
        self
    }

    /// Allows at most `restarts` in `period`, by all children together; one more ends the supervisor, or waits if the
    /// child is delayed. Default: 1 in 5 s.
    pub fn intensity(mut self, restarts: u32, period: Duration) -> Self {
        self.settings.intensity = restarts;
        self.settings.period = period;
        self
    }

    /// Sets how that period is counted. Default: in true time; OTP counts in whole seconds.
    pub fn window_clock(mut self, clock: WindowClock) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Sets whether ends of significant children end the supervisor. Default: never.
    pub fn auto_shutdown(mut self, auto_shutdown: AutoShutdown) -> Self {
        self.settings.auto_shutdown = auto_shutdown;
        self
    }

    /// Bounds how many children there may be, those that are down or restart included. Default: no bound.
    pub fn children_max(mut self, children_max: usize) -> Self {
        self.settings.children_max = children_max;
        self
    }

    /// Bounds how many calls may wait for a group restart or for their child. Default: 1,024.
    pub fn calls_max(mut self, calls_max: usize) -> Self {
        self.settings.calls_max = calls_max;
        self
    }

    /// Sets what happens when a child outlives its stop limit and the abort by `after`. Default: escalate, after 1 s.
    pub fn stuck(mut self, policy: StuckPolicy, after: Duration) -> Self {
        self.settings.stuck = policy;
        self.settings.stuck_after = after;
        self
    }

    /// Lets [`start`](Self::start) return at once, and a supervisor above go on, before the children are up. A start
    /// that fails later ends the supervisor by itself (supervisor3: `post_init`).
    pub fn answers_early(mut self) -> Self {
        self.answers_early = true;
        self
    }

    /// Counts time on another clock, for tests; supervisors below have the clock of the one above.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Adds a static child, which is started after those before it. A type of your own may say by `Into<ChildSpec>` how
    /// it is supervised (Elixir: `child_spec/1`).
    pub fn child(mut self, spec: impl Into<ChildSpec>) -> Self {
        self.children.push(spec.into());
        self
    }

    /// Makes children from a template: simple-one-for-one.
    pub fn template<A: Clone + Send + Sync + 'static>(mut self, template: Template<A>) -> SimpleBuilder<A> {
        self.settings.strategy = Strategy::SimpleOneForOne;
        let (info, place, factory) = template.into_parts();
        self.template = Some((info, place));
        self.factory = Some(Arc::new(Arc::clone(&factory)));
        SimpleBuilder { inner: self, factory }
    }

    /// Adds a child for each of `count` partitions: what [`Partitions`](crate::Partitions) routes to. Their ids are the
    /// numbers of the partitions, from 0, whatever `factory` calls them. There may be 65,536.
    pub fn partitions(mut self, count: usize, factory: impl Fn(usize) -> ChildSpec) -> PartitionsBuilder {
        self.children.extend((0..count.min(PARTITIONS_MAX)).map(|number| factory(number).with_id(number.to_string())));
        let routing = Arc::new(Routing::new(count));
        self.routing = Some(Arc::clone(&routing));
        PartitionsBuilder { inner: self, routing }
    }

    /// As [`partitions`](Self::partitions), as many as the machine has processors (Elixir's default).
    pub fn partition_per_core(self, factory: impl Fn(usize) -> ChildSpec) -> PartitionsBuilder {
        self.partitions(available_parallelism().map_or(1, NonZeroUsize::get), factory)
    }

    /// Looks for faults without starting anything.
    ///
    /// # Errors
    ///
    /// The first [`SpecError`] found.
    pub fn check(&self) -> Result<(), SpecError> {
        if self.name.is_empty() {
            return Err(SpecError::EmptyName);
        }
        let Settings { strategy, auto_shutdown, period, children_max, stuck_after, .. } = self.settings;
        if period.is_zero() {
            let (value, allowed) = ("0".to_owned(), "more than 0");
            return Err(SpecError::OutOfBounds { field: "period", of: self.name.clone(), value, allowed });
        }
        SpecError::of_limit("period", &self.name, period)?;
        SpecError::of_limit("stuck_after", &self.name, stuck_after)?;
        if let Some(routing) = &self.routing {
            routing.check(&self.name)?;
        }
        if self.template.is_some() && strategy != Strategy::SimpleOneForOne {
            return Err(SpecError::StrategyOfTemplate { strategy });
        }
        if strategy == Strategy::Dynamic {
            if auto_shutdown != AutoShutdown::Never {
                return Err(SpecError::AutoShutdownOfDynamic);
            }
            if !self.children.is_empty() {
                return Err(SpecError::ChildrenOfDynamic);
            }
        }
        if strategy == Strategy::SimpleOneForOne {
            let Some((template, _)) = &self.template else { return Err(SpecError::TemplateMissing) };
            if auto_shutdown != AutoShutdown::Never {
                return Err(SpecError::AutoShutdownWithTemplate);
            }
            SpecError::of_spec(template, Some(auto_shutdown))?;
            if !self.children.is_empty() {
                return Err(SpecError::ChildrenBesideTemplate);
            }
        }
        if self.children.len() > children_max {
            return Err(SpecError::ChildrenMax { count: self.children.len(), children_max });
        }
        let mut ids = HashSet::new();
        for child in &self.children {
            check_child(child, Some(auto_shutdown))?;
            if !ids.insert(&child.info.id) {
                return Err(SpecError::DuplicateId { id: child.info.id.clone() });
            }
        }
        Ok(())
    }

    /// Starts the supervisor and its children, each when the one before is up.
    ///
    /// # Errors
    ///
    /// [`StartError`]: a fault of the setup, no runtime, or a child that failed to start; then those before it were
    /// stopped in reverse order.
    ///
    /// # Cancel safety
    ///
    /// Dropping it aborts what was started.
    pub async fn start(self) -> Result<Supervisor, StartError> {
        let (name, answers_early) = (self.name.clone(), self.answers_early);
        let supervisor = self.begin(None)?;
        if answers_early {
            return Ok(supervisor);
        }
        match supervisor.core().started().await {
            Ok(()) => Ok(supervisor),
            Err(cause) => Err(StartError::of_end(name, cause)),
        }
    }

    /// Starts it without waiting for the children.
    pub(crate) fn begin(self, above: Option<Above>) -> Result<Supervisor, StartError> {
        if let Err(source) = self.check() {
            return Err(StartError::Spec { supervisor: self.name, source });
        }
        driver::begin(self, above)
    }

    pub(crate) fn engine(&mut self, number: u32) -> Engine<Make> {
        let seed = RandomState::new().build_hasher().finish();
        let template = self.template.take().map(|(info, place)| Spec::new(info, place));
        let mut engine = Engine::new(number, self.settings.clone(), template, seed);
        for child in self.children.drain(..) {
            let (spec, make) = child.into_parts();
            engine.add(spec, make);
        }
        engine
    }
}

/// What sets up a supervisor that is a child: a builder, or one that could be made only with luck.
///
/// An error fails the start, which for a restart is tried again; one that is [`Declined`](crate::Declined) declines it
/// (OTP: an `init` that answers `ignore`).
pub trait IntoSupervisor {
    /// The supervisor as it will be.
    ///
    /// # Errors
    ///
    /// The exit that its start ends with.
    fn into_supervisor(self) -> Result<SupervisorBuilder, Exit>;
}

impl IntoSupervisor for SupervisorBuilder {
    fn into_supervisor(self) -> Result<SupervisorBuilder, Exit> {
        Ok(self)
    }
}

impl<B: IntoSupervisor, E: Into<Box<dyn Error + Send + Sync>>> IntoSupervisor for Result<B, E> {
    fn into_supervisor(self) -> Result<SupervisorBuilder, Exit> {
        self.map_err(Exit::failed)?.into_supervisor()
    }
}

/// Looks for faults of a spec; see [`SpecError`].
pub(crate) fn check_child(child: &ChildSpec, auto_shutdown: Option<AutoShutdown>) -> Result<(), SpecError> {
    let restart = child.info.restart.kind;
    if child.is_once && restart != RestartType::Temporary {
        return Err(SpecError::InstanceNotTemporary { id: child.info.id.clone(), restart });
    }
    SpecError::of_spec(&child.info, auto_shutdown)
}
