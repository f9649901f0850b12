//! Events are posted to a relay that is stopped, or killed, at random moments and started again: none is lost.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::findings::{Findings, Kind};
use crate::load::Load;
use crate::observed::watch::{SETTLE, Watch};
use crate::process::{Process, Signal};
use crate::random::Random;
use crate::relay::{Program, Relay, Times};
use crate::scenario::{Failure, Setting};
use crate::sink::{Conduct, Sink};
use crate::stop::Stop;
use crate::twin::Planted;
use crate::verdict::Outcome;
use crate::workplace::Workplace;

const TIMES: Times = Times { grace: Duration::from_secs(5), abort_after: Duration::from_secs(1) };

/// A failed attempt is soon made again, so that the end need not be waited for.
const OPTIONS: &[&str] = &["--retry-min", "50ms", "--retry-max", "500ms", "--attempt-timeout", "5s"];

/// The signal comes up to this long after its event was accepted.
const JITTER: Duration = Duration::from_millis(60);

/// A relay that is killed while it starts has lived at most this long.
const YOUNG: Duration = Duration::from_millis(60);

/// A relay with a planted fault needs fewer events, restarts and clients to show it.
const TWIN: (u64, u64, u64) = (300, 2, 8);

/// How the relay is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// In order: SIGTERM.
    Sigterm,
    /// Not at all in order: SIGKILL, also while it starts.
    Sigkill,
}

/// How much is done.
#[derive(Clone, Copy, Debug, Args)]
pub struct Sizes {
    /// Events in total
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub events: u64,

    /// How often the relay is ended and started again while they are posted
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    pub restarts: u64,

    /// Clients that post at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=256))]
    pub clients: u64,
}

/// One run.
struct Course<'a> {
    setting: &'a Setting,
    by: By,
    program: Program,
    workplace: Workplace,
    load: &'a Load,
    random: Random,
    findings: Findings,
    killed_young: u64,
    slowest: Duration,
    took: Vec<Duration>,
    report: Option<Value>,
}

/// Runs it.
///
/// # Errors
///
/// When it cannot be run to its end.
pub fn run(setting: &Setting, sizes: &Sizes, by: By) -> Result<Outcome, Failure> {
    let (events, restarts, clients) =
        if setting.fault.is_some() { TWIN } else { (sizes.events, sizes.restarts, sizes.clients) };
    let sink = Sink::bind()?;
    // However fast the relay before was, the last one has clients too.
    let kept_back = clients.min(events / (restarts + 1)).max(1);
    let load = Load::new(sink.target(), events, kept_back);
    let mut course = Course {
        setting,
        by,
        program: setting.relay()?,
        workplace: Workplace::new()?,
        load: &load,
        random: setting.random(),
        findings: Findings::default(),
        killed_young: 0,
        slowest: Duration::ZERO,
        took: Vec::new(),
        report: None,
    };
    let clients = usize::try_from(clients).unwrap_or(usize::MAX);
    sink.during(Conduct::Accept, || {
        load.during(clients, setting.deadline, || {
            for life in 1..=restarts {
                course.live(events * life / (restarts + 1))?;
            }
            course.last(&sink, events)
        })
    })
    .map(|counted| course.into_outcome(restarts, counted))
}

/// What was counted at the end.
struct Counted {
    accepted: u64,
    redelivered: u64,
    unseen: u64,
}

impl Course<'_> {
    /// One life of the relay: until so many events were accepted in all, and a random time more.
    fn live(&mut self, until: u64) -> Result<(), Failure> {
        if self.by == By::Sigkill && self.random.within(0..2) == 0 {
            self.kill_young()?;
        }
        let mut relay = self.start()?;
        // Somewhere before the next one's share, so that the moments differ with the seed.
        let until = until.saturating_sub(self.random.within(0..until / 20 + 1));
        self.wait_for(until)?;
        thread::sleep(self.random.time_below(JITTER));
        let stop = match self.by {
            By::Sigterm => self.stop_in_order(&mut relay),
            By::Sigkill => relay.stop(Signal::KILL, Duration::from_secs(5)),
        };
        self.load.direct(None);
        if self.by == By::Sigkill {
            self.findings.extend("killed", stop.without_panic());
        }
        Ok(())
    }

    fn start(&self) -> Result<Relay, Failure> {
        let relay = Relay::start(&self.program, &self.workplace, TIMES, OPTIONS, self.setting.deadline)?;
        self.load.direct(Some(relay.address));
        Ok(relay)
    }

    /// The last life that ends in order is counted from outside; a relay of ours that is wrong cannot be held.
    fn watch(&self) -> Result<Option<Watch>, Failure> {
        let is_held = self.by == By::Sigterm && self.setting.fault.is_none_or(|it| it.planted == Planted::InProduct);
        Ok(if is_held { Some(Watch::new(&self.workplace, SETTLE)?) } else { None })
    }

    fn start_watched(&self, watch: &mut Watch) -> Result<Relay, Failure> {
        let deadline = self.setting.deadline;
        let relay = Relay::start_watched(&self.program, &self.workplace, TIMES, OPTIONS, watch, deadline)?;
        self.load.direct(Some(relay.address));
        Ok(relay)
    }

    /// A relay that is killed before it listens, perhaps while it frees leases or recovers the file.
    fn kill_young(&mut self) -> Result<(), Failure> {
        let args = self.program.args(&self.workplace.database(), TIMES, OPTIONS);
        let mut process = Process::start(&self.program.path, args, &self.workplace)?;
        thread::sleep(self.random.time_below(YOUNG));
        let stop = Stop::by(&mut process, Signal::KILL, Duration::from_secs(5));
        self.findings.extend("killed while it started", stop.without_panic());
        self.killed_young += 1;
        Ok(())
    }

    fn stop_in_order(&mut self, relay: &mut Relay) -> Stop {
        let stop = relay.stop(Signal::TERM, TIMES.limit());
        self.judge_stop(&stop, relay);
        stop
    }

    fn judge_stop(&mut self, stop: &Stop, relay: &Relay) {
        let place = format!("stop after {} events", self.load.accepted());
        self.slowest = self.slowest.max(stop.took);
        self.findings.extend(&place, stop.orderly("report", TIMES.limit()));
        // Clients and sink are quick, so nothing holds it up.
        self.findings.extend(&place, stop.without_waiting(TIMES.grace));
        self.findings.extend(&place, relay.remains(&self.workplace));
        self.took.push(stop.took);
        self.report = stop.report();
    }

    fn wait_for(&self, accepted: u64) -> Result<(), Failure> {
        let reached = self.setting.deadline.poll(|| (self.load.accepted() >= accepted).then_some(()));
        reached.ok_or_else(|| {
            let so_far = self.load.accepted();
            Failure::TimedOut(format!("{accepted} accepted events; there were {so_far}"))
        })
    }

    /// The last life: until all has arrived. It always ends in order.
    fn last(&mut self, sink: &Sink, events: u64) -> Result<Counted, Failure> {
        let mut watch = self.watch()?;
        let mut relay = match &mut watch {
            Some(watch) => self.start_watched(watch)?,
            None => self.start()?,
        };
        self.load.release();
        self.wait_for(events)?;
        let journal = self.load.journal();
        // A lost event is one that stays away: a relay that holds the rest in memory delivers it well within this.
        let patience = if self.setting.fault.is_some() { Duration::from_secs(5) } else { Duration::MAX / 4 };
        let deadline = self.setting.deadline.within(patience.min(Duration::from_secs(3600)));
        deadline.poll(|| {
            let has_enough = sink.count() >= journal.len();
            (has_enough && journal.missing(&sink.arrived()).is_empty()).then_some(())
        });
        let account = journal.judge(&sink.arrived(), |id| relay.sight(id));
        self.findings.extend("journal", account.findings);
        if self.by == By::Sigterm {
            // An orderly stop lets requests in flight finish; what is stored is answered.
            let text = || format!("{} events were accepted, and their clients not told", account.unseen);
            self.findings.check(account.unseen == 0, Kind::WrongAnswer, text);
        }
        match &mut watch {
            Some(watch) => {
                let stop = relay.stop_watched(Signal::TERM, TIMES.limit(), watch)?;
                self.findings.append(watch.take_findings());
                self.judge_stop(&stop, &relay);
            }
            None => drop(self.stop_in_order(&mut relay)),
        }
        let accepted = u64::try_from(journal.len()).unwrap_or(u64::MAX);
        Ok(Counted { accepted, redelivered: account.redelivered, unseen: account.unseen })
    }

    fn into_outcome(self, restarts: u64, counted: Counted) -> Outcome {
        let mut findings = self.findings;
        let number = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        findings.check(counted.accepted > 0, Kind::WrongAnswer, || "no event was accepted".to_owned());
        let odd = self.load.odd();
        findings.check(odd.is_empty(), Kind::WrongAnswer, || format!("posts were answered with {odd:?}"));
        let mut counts = vec![
            ("accepted", counted.accepted),
            ("restarts", restarts),
            ("posts refused", number(&self.load.refused)),
            ("posts unanswered", number(&self.load.unanswered)),
            ("redelivered", counted.redelivered),
            ("accepted unseen", counted.unseen),
        ];
        match self.by {
            By::Sigterm => counts.push(("ms the slowest stop", u64::try_from(self.slowest.as_millis()).unwrap_or(0))),
            By::Sigkill => counts.push(("killed while starting", self.killed_young)),
        }
        Outcome { findings, counts, took: self.took, report: self.report, ..Outcome::default() }
    }
}
