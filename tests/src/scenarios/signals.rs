//! More than one signal: the second cuts the grace to nothing, the third exits at once, one during the start ends the start.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use crate::deadline::Deadline;
use crate::findings::{Findings, Kind};
use crate::http::Client;
use crate::journal::Number;
use crate::process::{Process, Signal};
use crate::program;
use crate::random::Random;
use crate::relay::{Program, Relay, Times};
use crate::scenario::{Failure, Setting};
use crate::scenarios::busy_service;
use crate::sink::{Conduct, Sink};
use crate::stop::{Stop, shortened};
use crate::verdict::Outcome;
use crate::workplace::Workplace;

/// A grace that nobody waits for, so that whatever ends sooner was cut.
const PATIENT: Times = Times { grace: Duration::from_secs(60), abort_after: Duration::from_secs(1) };

const OPTIONS: &[&str] = &["--attempt-timeout", "10m"];

/// After the second signal: the window for cleanup, and one second.
const CUT: Duration = Duration::from_secs(2);

/// After the third signal: the report is printed, in half a second, and the process exits.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A burst of signals begins up to this long after the start, and its signals are up to this far apart.
const SPREAD: Duration = Duration::from_millis(80);

/// How much is done.
#[derive(Clone, Copy, Debug, Args)]
pub struct Sizes {
    /// Bursts of one to four signals at random moments, most of them during the start
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    pub bursts: u64,
}

/// Runs it.
///
/// # Errors
///
/// When it cannot be run to its end.
pub fn run(setting: &Setting, sizes: Sizes) -> Result<Outcome, Failure> {
    let program = setting.relay()?;
    let mut findings = Findings::default();
    let mut skipped = Vec::new();
    let pairs = [("TERM, TERM", Signal::TERM, Signal::TERM), ("TERM, INT", Signal::TERM, Signal::INT)];
    for (name, first, second) in pairs {
        findings.extend(name, cut_short(setting, &program, first, second)?);
        if setting.fault.is_some() {
            // One is enough to find the planted fault.
            return Ok(Outcome { findings, ..Outcome::default() });
        }
    }
    for (name, third, code) in [("third TERM", Signal::TERM, 143), ("third INT", Signal::INT, 130)] {
        findings.extend(name, third_signal(setting, third, code)?);
    }
    match during_start(setting, &program)? {
        Some(found) => findings.extend("during the start", found),
        None => skipped.push("a signal during the start: there is no /proc to see when it is heard".to_owned()),
    }
    let mut random = setting.random();
    let workplace = Workplace::new()?;
    for burst in 1..=sizes.bursts {
        findings.extend(&format!("burst {burst}"), burst_of_signals(&program, &workplace, &mut random)?);
    }
    let counts = vec![("second signals", 2), ("third signals", 2), ("bursts", sizes.bursts)];
    Ok(Outcome { findings, counts, skipped, ..Outcome::default() })
}

/// A delivery hangs and the grace is long; the second signal ends it.
fn cut_short(setting: &Setting, program: &Program, first: Signal, second: Signal) -> Result<Findings, Failure> {
    let workplace = Workplace::new()?;
    let sink = Sink::bind()?;
    sink.during(Conduct::Hang, || {
        let mut findings = Findings::default();
        let mut relay = Relay::start(program, &workplace, PATIENT, OPTIONS, setting.deadline)?;
        let id = relay.post(&sink.target(), Number(0))?;
        let hangs = setting.deadline.poll(|| (!sink.hanging().is_empty()).then_some(()));
        hangs.ok_or_else(|| Failure::TimedOut("a hanging delivery".to_owned()))?;
        relay.process.signal(first);
        // The listener is the first to end: then the first signal was heard, and the second counts as one of its own.
        let refuses = || Client::connect(relay.address, CUT).is_err().then_some(());
        let heard = setting.deadline.within(Duration::from_secs(5)).poll(refuses);
        findings.check(heard.is_some(), Kind::Late, || "it still listens 5 s after the first signal".to_owned());
        let ended = relay.process.ended();
        findings.check(ended.is_none(), Kind::WrongExit, || format!("the first signal ended it: {ended:?}"));
        let stop = relay.stop(second, CUT);
        findings.extend("second", stop.orderly("stop", CUT));
        findings.extend("second", stop.names(&format!("delivery {} ", id.0)));
        let is_cut = stop.report().is_some_and(|report| has_field(&report, "grace_cut", "forced"));
        findings.check(is_cut, Kind::Unnamed, || "the report does not say that the grace was cut".to_owned());
        Ok(findings)
    })
}

/// Whether an owner anywhere in a report has this word in this field.
fn has_field(report: &Value, field: &str, word: &str) -> bool {
    report[field] == word
        || report["children"].as_array().into_iter().flatten().any(|child| has_field(child, field, word))
}

/// Tasks that never yield outlive the second signal; the third ends the process.
fn third_signal(setting: &Setting, third: Signal, code: i32) -> Result<Findings, Failure> {
    let mut findings = Findings::default();
    let workplace = Workplace::new()?;
    let args = ["--busy", "2", "--grace-ms", "60000", "--abort-after-ms", "60000"];
    let mut process = Process::start(program::own("program-busy-service")?, args, &workplace)?;
    for (signal, line) in [(None, "all workers are held"), (Some(Signal::TERM), "begun"), (Some(Signal::INT), "forced")]
    {
        signal.into_iter().for_each(|signal| process.signal(signal));
        if process.line_with(line, setting.deadline.within(Duration::from_secs(5))).is_none() {
            findings.add(Kind::Late, format!("it did not say `{line}`: {}", shortened(&process.stderr())));
            return Ok(findings);
        }
    }
    let stop = Stop::by(&mut process, third, AT_ONCE);
    for found in [stop.in_time(AT_ONCE), stop.with_code(code), stop.without_panic()] {
        findings.extend("stop", found);
    }
    findings.extend("partial report", busy_service::named(&stop.stderr));
    Ok(findings)
}

/// Another relay holds the database, so that the start waits; then a signal comes. `None` where it cannot be seen from
/// outside whether signals are heard yet.
fn during_start(setting: &Setting, program: &Program) -> Result<Option<Findings>, Failure> {
    let times = Times { grace: Duration::from_secs(8), abort_after: Duration::from_secs(1) };
    let workplace = Workplace::new()?;
    let mut holder = Relay::start(program, &workplace, times, &[], setting.deadline)?;
    let args = program.args(&workplace.database(), times, &[]);
    let mut process = Process::start(&program.path, args, &workplace)?;
    let heard = setting.deadline.within(Duration::from_secs(5)).poll(|| process.hears(Signal::TERM).ok());
    let mut findings = Findings::default();
    if heard.is_some() {
        let began = Instant::now();
        let has_ended = process.ended().is_some();
        findings.check(!has_ended, Kind::WrongExit, || "the start did not wait for the database".to_owned());
        process.signal(Signal::TERM);
        let stop = Stop::of(&mut process, began, times.limit());
        findings.extend("second relay", stop.orderly("stop", times.limit()));
        let said = process.stderr().contains("listening on");
        findings.check(!said, Kind::WrongAnswer, || "it listened with a database that another one holds".to_owned());
    }
    let stop = holder.stop(Signal::TERM, times.limit());
    findings.extend("first relay", stop.orderly("stop", times.limit()));
    findings.extend("first relay", holder.remains(&workplace));
    Ok(heard.map(|()| findings))
}

/// Whatever signals come whenever: it ends soon, without a panic, with a code that is documented.
fn burst_of_signals(program: &Program, workplace: &Workplace, random: &mut Random) -> Result<Findings, Failure> {
    let times = Times { grace: Duration::from_secs(2), abort_after: Duration::from_secs(1) };
    let mut process = Process::start(&program.path, program.args(&workplace.database(), times, &[]), workplace)?;
    let mut sent = Vec::new();
    let mut began = None;
    for _ in 0..=random.within(0..4) {
        std::thread::sleep(random.time_below(SPREAD));
        let signal = if random.within(0..2) == 0 { Signal::TERM } else { Signal::INT };
        process.signal(signal);
        sent.push(signal);
        began.get_or_insert_with(Instant::now);
    }
    let stop = Stop::of(&mut process, began.unwrap_or_else(Instant::now), times.limit());
    let mut findings = stop.in_time(times.limit());
    findings.extend("it", stop.without_panic());
    let ended = stop.status.map(|status| (status.code(), std::os::unix::process::ExitStatusExt::signal(&status)));
    let is_documented = match ended {
        Some((Some(0), _)) => !stop.clean().has(Kind::Unclean),
        // The third signal, or more, all of them ones that were sent.
        Some((Some(130), _)) => sent.len() >= 3 && sent.contains(&Signal::INT),
        Some((Some(143), _)) => sent.len() >= 3 && sent.contains(&Signal::TERM),
        // Before the program had begun to hear signals they do what they do by default.
        Some((None, Some(2 | 15))) => !stop.stderr.contains("listening on"),
        Some(_) => false,
        // That it has not ended is said already.
        None => true,
    };
    let told = shortened(&stop.stderr);
    findings.check(is_documented, Kind::WrongExit, || format!("{sent:?} ended it with {ended:?}: {told}"));
    if ended.is_none() {
        process.signal(Signal::KILL);
        process.wait(Deadline::after(Duration::from_secs(5)));
    }
    Ok(findings)
}
