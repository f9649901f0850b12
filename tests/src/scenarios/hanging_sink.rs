//! A sink that takes deliveries and never answers: it cannot hold up the end, the report names what hung, nothing is lost.

use std::time::Duration;

use clap::Args;

use crate::findings::Findings;
use crate::journal::{EventId, Journal, Number};
use crate::process::Signal;
use crate::relay::{Program, Relay, Times};
use crate::scenario::{Failure, Setting};
use crate::sink::{Conduct, Sink};
use crate::verdict::Outcome;
use crate::workplace::Workplace;

const TIMES: Times = Times { grace: Duration::from_secs(1), abort_after: Duration::from_secs(1) };

/// The sink has far longer than the termination.
const OPTIONS: &[&str] = &["--attempt-timeout", "10m", "--retry-min", "50ms", "--retry-max", "500ms"];

/// How long after the deliveries hang the signal comes, at most.
const JITTER: Duration = Duration::from_millis(300);

/// How much is done.
#[derive(Clone, Copy, Debug, Args)]
pub struct Sizes {
    /// Deliveries that hang at once
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=16))]
    pub deliveries: u64,
}

/// Runs it.
///
/// # Errors
///
/// When it cannot be run to its end.
pub fn run(setting: &Setting, sizes: Sizes) -> Result<Outcome, Failure> {
    let program = setting.relay()?;
    let workplace = Workplace::new()?;
    let sink = Sink::bind()?;
    // A relay with a planted fault delivers one after the other.
    let events = if setting.fault.is_some() { 1 } else { sizes.deliveries };
    let mut findings = Findings::default();
    let mut journal = Journal::default();
    let took =
        sink.during(Conduct::Hang, || hang(setting, &program, &workplace, &sink, events, &mut journal, &mut findings))?;
    let redelivered = sink.during(Conduct::Accept, || {
        let mut relay = Relay::start(&program, &workplace, TIMES, OPTIONS, setting.deadline)?;
        // What a faulty relay has lost never comes.
        let patience = Duration::from_secs(if setting.fault.is_some() { 1 } else { 20 });
        let deadline = setting.deadline.within(patience);
        deadline.poll(|| journal.missing(&sink.arrived()).is_empty().then_some(()));
        let account = journal.judge(&sink.arrived(), |id| relay.sight(id));
        findings.extend("after the restart", account.findings);
        let stop = relay.stop(Signal::TERM, TIMES.limit());
        findings.extend("after the restart", stop.orderly("stop", TIMES.limit()));
        Ok::<_, Failure>(account.redelivered)
    })?;
    let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let counts = vec![("hanging deliveries", events), ("ms the stop", took), ("redelivered", redelivered)];
    Ok(Outcome { findings, counts, ..Outcome::default() })
}

/// The relay's first life: it gets the signal while its deliveries hang. Gives how long its end took.
fn hang(
    setting: &Setting,
    program: &Program,
    workplace: &Workplace,
    sink: &Sink,
    events: u64,
    journal: &mut Journal,
    findings: &mut Findings,
) -> Result<Duration, Failure> {
    let mut relay = Relay::start(program, workplace, TIMES, OPTIONS, setting.deadline)?;
    for number in 0..events {
        journal.accept(relay.post(&sink.target(), Number(number))?, Number(number));
    }
    let hanging = setting.deadline.poll(|| {
        let ids = sink.hanging();
        (u64::try_from(ids.len()).ok() >= Some(events)).then_some(ids)
    });
    let hanging: Vec<EventId> = hanging.ok_or_else(|| Failure::TimedOut(format!("{events} hanging deliveries")))?;
    std::thread::sleep(setting.random().time_below(JITTER));
    let stop = relay.stop(Signal::TERM, TIMES.limit());
    findings.extend("while deliveries hang", stop.orderly("stop", TIMES.limit()));
    for id in hanging {
        findings.extend("while deliveries hang", stop.names(&format!("delivery {} ", id.0)));
    }
    if stop.status.is_some() {
        findings.extend("while deliveries hang", relay.remains(workplace));
    }
    Ok(stop.took)
}
