//! A slow, obvious supervisor: a list of children, and OTP's rules one after the other. Its children start and stop in
//! no time, so that whatever happens is through before the next thing does.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::world::secs;
use crate::exit::Exit;
use crate::policy::{AutoShutdown, RestartType, SpecInfo, Strategy, WindowClock};

use super::super::Settings;

#[derive(Clone, Debug, PartialEq)]
enum Is {
    Down,
    Up,
    Failed,
    Waiting(Duration),
}

#[derive(Clone, Debug)]
struct Kid {
    spec: SpecInfo,
    is: Is,
}

#[derive(Debug)]
pub(super) struct Model {
    settings: Settings,
    template: Option<SpecInfo>,
    kids: Vec<Kid>,
    pub(super) starts: HashMap<String, VecDeque<Option<Exit>>>,
    stamps: Vec<Duration>,
    pub(super) now: Duration,
    pub(super) log: Vec<String>,
    pub(super) ended: Option<String>,
}

impl Model {
    pub(super) fn new(settings: Settings, specs: &[SpecInfo]) -> Self {
        let is_simple = settings.strategy == Strategy::SimpleOneForOne;
        let template = is_simple.then(|| specs[0].clone());
        let kids = specs.iter().filter(|_| !is_simple).map(|spec| Kid { spec: spec.clone(), is: Is::Down }).collect();
        Self {
            settings,
            template,
            kids,
            starts: HashMap::new(),
            stamps: Vec::new(),
            now: Duration::ZERO,
            log: Vec::new(),
            ended: None,
        }
    }

    fn is_by_instance(&self) -> bool {
        matches!(self.settings.strategy, Strategy::SimpleOneForOne | Strategy::Dynamic)
    }

    pub(super) fn len(&self) -> usize {
        self.kids.len()
    }

    pub(super) fn is_up(&self, at: usize) -> bool {
        self.kids[at].is == Is::Up
    }

    pub(super) fn place_of(&self, id: &str) -> Option<usize> {
        self.kids.iter().position(|kid| kid.spec.id.as_str() == id)
    }

    pub(super) fn states(&self) -> Vec<String> {
        if self.ended.is_some() {
            return Vec::new();
        }
        let shown = |kid: &Kid| match kid.is {
            Is::Down => "down",
            Is::Up => "running",
            Is::Failed => "restarting",
            Is::Waiting(_) => "waiting to restart",
        };
        self.kids.iter().map(|kid| format!("{} {}", kid.spec.id, shown(kid))).collect()
    }

    pub(super) fn begin(&mut self) {
        let mut at = 0;
        while at < self.kids.len() {
            match self.start(at) {
                None => at += 1,
                Some(Exit::Declined) if self.is_temporary(at) => drop(self.kids.remove(at)),
                Some(Exit::Declined) => at += 1,
                Some(cause) => {
                    let child = self.kids[at].spec.id.clone();
                    return self.end(format!("failed to start child {child}: {cause}"));
                }
            }
        }
    }

    fn is_temporary(&self, at: usize) -> bool {
        self.kids[at].spec.restart.kind == RestartType::Temporary
    }

    /// Starts a child; why it is not up, if it is not.
    fn start(&mut self, at: usize) -> Option<Exit> {
        let id = self.kids[at].spec.id.to_string();
        self.log.push(format!("start {id}"));
        let exit = self.starts.get_mut(&id).and_then(VecDeque::pop_front).flatten();
        self.log.push(if exit.is_none() { format!("up {id}") } else { format!("gone {id}") });
        self.kids[at].is = match &exit {
            None => Is::Up,
            Some(Exit::Declined) => Is::Down,
            Some(_) => Is::Failed,
        };
        exit
    }

    /// Stops a child if it is up; whether it goes for good.
    fn stop(&mut self, at: usize) -> bool {
        if self.kids[at].is == Is::Up {
            let id = &self.kids[at].spec.id;
            self.log.extend([format!("stop {id}"), format!("gone {id}")]);
        }
        self.kids[at].is = Is::Down;
        self.is_by_instance() || self.is_temporary(at)
    }

    pub(super) fn end(&mut self, cause: String) {
        if self.ended.is_some() {
            return;
        }
        if self.is_by_instance() {
            let up: Vec<_> = self.kids.iter().filter(|kid| kid.is == Is::Up).map(|kid| kid.spec.id.clone()).collect();
            self.log.extend(up.iter().map(|id| format!("stop {id}")));
            self.log.extend(up.iter().map(|id| format!("gone {id}")));
        } else {
            for at in (0..self.kids.len()).rev() {
                self.stop(at);
            }
        }
        self.kids.clear();
        self.ended = Some(cause);
    }

    pub(super) fn exit(&mut self, at: usize, exit: &Exit) {
        let spec = self.kids[at].spec.clone();
        self.log.push(format!("gone {}", spec.id));
        let restarts = match spec.restart.kind {
            RestartType::Permanent => true,
            RestartType::Temporary => false,
            RestartType::Transient | RestartType::Intrinsic => {
                !matches!(exit, Exit::Normal | Exit::Shutdown | Exit::ShutdownWith(_))
            }
        };
        if restarts {
            self.kids[at].is = Is::Failed;
            return self.restart(at);
        }
        self.kids[at].is = Is::Down;
        if self.is_by_instance() || self.is_temporary(at) {
            self.kids.remove(at);
        }
        if spec.restart.kind == RestartType::Intrinsic {
            return self.end(format!("the intrinsic child {} ended", spec.id));
        }
        let others = self.kids.iter().any(|kid| kid.spec.significant && kid.is != Is::Down);
        let ends = match self.settings.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => true,
            AutoShutdown::AllSignificant => !others,
        };
        if spec.significant && ends {
            self.end(format!("the significant child {} ended", spec.id));
        }
    }

    /// How many of all the restarts there ever were lie within the last period.
    fn restarts_in_period(&self) -> usize {
        let cut = |at: Duration| match self.settings.clock {
            WindowClock::Precise => at,
            WindowClock::WholeSeconds => secs(at.as_secs()),
        };
        let period = self.settings.period;
        self.stamps.iter().filter(|stamp| cut(self.now) - cut(**stamp) <= period).count()
    }

    fn restart(&mut self, mut at: usize) {
        loop {
            self.stamps.push(self.now);
            if self.restarts_in_period() > self.settings.intensity as usize {
                let spec = self.kids[at].spec.clone();
                if let Some(backoff) = spec.restart.backoff {
                    self.kids[at].is = Is::Waiting(self.now + backoff.first);
                    return;
                }
                return self.end(format!("reached_max_restart_intensity at child {}", spec.id));
            }
            match self.attempt(at) {
                None => return,
                Some(failed) => at = failed,
            }
        }
    }

    /// Restarts a child and whom the strategy puts with it; gives the place of the one that failed.
    fn attempt(&mut self, at: usize) -> Option<usize> {
        let first = match self.settings.strategy {
            Strategy::OneForOne | Strategy::SimpleOneForOne | Strategy::Dynamic => {
                return match self.start(at) {
                    None => None,
                    Some(Exit::Declined) => {
                        if self.is_by_instance() {
                            self.kids.remove(at);
                        }
                        None
                    }
                    Some(_) => Some(at),
                };
            }
            Strategy::RestForOne => at,
            Strategy::OneForAll => 0,
        };
        for other in (first..self.kids.len()).rev().filter(|other| *other != at).collect::<Vec<_>>() {
            if self.stop(other) {
                self.kids.remove(other);
            }
        }
        // Temporary ones before it may have gone in one_for_all: whoever failed is found again by its state.
        for other in first..self.kids.len() {
            match self.start(other) {
                None | Some(Exit::Declined) => {}
                Some(_) => return Some(other),
            }
        }
        None
    }

    pub(super) fn advance(&mut self, by: Duration) {
        let until = self.now + by;
        loop {
            let waiting = self.kids.iter().enumerate().filter_map(|(at, kid)| match kid.is {
                Is::Waiting(due) if due <= until => Some((due, at)),
                _ => None,
            });
            let Some((due, at)) = waiting.min() else { break };
            self.now = due;
            self.stamps.clear();
            self.kids[at].is = Is::Failed;
            if let Some(failed) = self.attempt(at) {
                self.restart(failed);
            }
        }
        self.now = until;
    }

    /// The answer to a call, in a word.
    pub(super) fn start_child(&mut self, spec: Option<SpecInfo>) -> &'static str {
        if self.ended.is_some() {
            return "terminating";
        }
        let spec = match (spec, &self.template) {
            (None, Some(template)) => template.clone(),
            (Some(spec), _) => spec,
            (None, None) => return "",
        };
        if !self.is_by_instance()
            && let Some(at) = self.place_of(spec.id.as_str())
        {
            return if self.is_up(at) { "already_started" } else { "already_present" };
        }
        if self.kids.len() >= self.settings.children_max {
            return "max_children";
        }
        self.kids.push(Kid { spec, is: Is::Down });
        let at = self.kids.len() - 1;
        match self.start(at) {
            None => "ok",
            Some(Exit::Declined) => {
                if self.is_by_instance() || self.is_temporary(at) {
                    self.kids.remove(at);
                }
                "declined"
            }
            Some(_) => {
                self.kids.remove(at);
                "failed"
            }
        }
    }

    pub(super) fn restart_child(&mut self, id: &str) -> &'static str {
        match self.place_of(id).filter(|_| !self.is_by_instance()) {
            _ if self.ended.is_some() => "terminating",
            _ if self.is_by_instance() => "simple_one_for_one",
            None => "not_found",
            Some(at) => match self.kids[at].is {
                Is::Up => "running",
                Is::Failed | Is::Waiting(_) => "restarting",
                Is::Down => match self.start(at) {
                    None => "ok",
                    Some(Exit::Declined) => "declined",
                    Some(_) => {
                        self.kids[at].is = Is::Down;
                        "failed"
                    }
                },
            },
        }
    }

    pub(super) fn delete_child(&mut self, id: &str) -> &'static str {
        match self.place_of(id) {
            _ if self.ended.is_some() => "terminating",
            _ if self.is_by_instance() => "simple_one_for_one",
            None => "not_found",
            Some(at) => match self.kids[at].is {
                Is::Up => "running",
                Is::Failed | Is::Waiting(_) => "restarting",
                Is::Down => {
                    self.kids.remove(at);
                    "ok"
                }
            },
        }
    }

    pub(super) fn terminate_child(&mut self, at: Option<usize>) -> &'static str {
        let Some(at) = at.filter(|_| self.ended.is_none()) else {
            return if self.ended.is_some() { "terminating" } else { "not_found" };
        };
        if self.stop(at) {
            self.kids.remove(at);
        }
        "ok"
    }
}
