//! A file that cannot grow any more: posts are refused, what was accepted before is kept, and the relay ends all the same.

use std::process::Command;
use std::time::Duration;

use clap::Args;

use crate::findings::{Findings, Kind};
use crate::http::Client;
use crate::journal::{EventId, Journal, Number};
use crate::process::{Process, Signal};
use crate::relay::{Program, Relay, Times};
use crate::scenario::{Failure, Setting};
use crate::sink::{Conduct, Sink};
use crate::stop::shortened;
use crate::verdict::Outcome;
use crate::workplace::Workplace;

/// Short: what cannot be recorded on a full disk is tried until the grace ends.
const TIMES: Times = Times { grace: Duration::from_secs(1), abort_after: Duration::from_secs(1) };

const OPTIONS: &[&str] = &["--retry-min", "50ms", "--retry-max", "500ms", "--attempt-timeout", "5s"];

/// Sets a limit to the size of every file that the program writes, without root and for this process alone. A write
/// beyond it fails, as on a full disk, for the signal that comes with it is ignored.
const LIMITED: &str = r#"trap "" XFSZ; ulimit -f "$0"; exec "$@""#;

/// Bytes of each event, so that the file is soon full.
const EVENT_BYTES: usize = 2_048;

/// Posts after which a file should have been full.
const POSTS_MAX: u64 = 2_000;
/// Fewer do where nothing is ever written.
const TWIN_POSTS_MAX: u64 = 300;

/// How much is done.
#[derive(Clone, Copy, Debug, Args)]
pub struct Sizes {
    /// Blocks of 512 bytes that a file may have
    #[arg(long, value_name = "N", default_value_t = 3_000, value_parser = clap::value_parser!(u32).range(200..=100_000))]
    pub blocks: u32,

    /// Posts that have to be refused
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub refusals: u64,
}

/// What the posts came to.
#[derive(Default)]
struct Posts {
    journal: Journal,
    refused: u64,
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
    let mut findings = Findings::default();
    sink.during(Conduct::Accept, || {
        let posts = fill(setting, sizes, &program, &workplace, &sink, &mut findings)?;
        let mut relay = Relay::start(&program, &workplace, TIMES, OPTIONS, setting.deadline)?;
        let patience = Duration::from_secs(if setting.fault.is_some() { 1 } else { 20 });
        let arrived = || posts.journal.missing(&sink.arrived()).is_empty().then_some(());
        setting.deadline.within(patience).poll(arrived);
        // Whether a refused post was stored all the same does not matter: nobody was told that it was.
        let account = posts.journal.judge(&sink.arrived(), |id| relay.sight(id));
        findings.check(!account.findings.has(Kind::Lost), Kind::Lost, || account.findings.to_string());
        findings.check(!account.findings.has(Kind::Undelivered), Kind::Undelivered, || account.findings.to_string());
        let stop = relay.stop(Signal::TERM, TIMES.limit());
        findings.extend("with room again", stop.orderly("stop", TIMES.limit()));
        let accepted = u64::try_from(posts.journal.len()).unwrap_or(u64::MAX);
        let counts = vec![("accepted", accepted), ("refused", posts.refused), ("redelivered", account.redelivered)];
        Ok(Outcome { findings, counts, ..Outcome::default() })
    })
}

/// The relay's first life, in which its file gets full.
fn fill(
    setting: &Setting,
    sizes: Sizes,
    program: &Program,
    workplace: &Workplace,
    sink: &Sink,
    findings: &mut Findings,
) -> Result<Posts, Failure> {
    let mut command = Command::new("sh");
    command.args(["-c", LIMITED, &sizes.blocks.to_string()]).arg(&program.path);
    command.args(program.args(&workplace.database(), TIMES, OPTIONS));
    let mut relay = Relay::listening(Process::spawn(&mut command, workplace)?, setting.deadline)?;
    let mut posts = Posts::default();
    let posts_max = if setting.fault.is_some() { TWIN_POSTS_MAX } else { POSTS_MAX };
    for number in 0..posts_max {
        if posts.refused == sizes.refusals {
            break;
        }
        post(&mut relay.connect()?, sink, Number(number), &mut posts, findings)?;
    }
    let enough = posts.refused == sizes.refusals;
    findings.check(enough, Kind::WrongAnswer, || format!("of {posts_max} posts only {} were refused", posts.refused));
    let health = relay.connect().and_then(|mut client| client.get("/healthz"));
    let is_well = health.is_ok_and(|answer| answer.status == 200);
    findings.check(is_well, Kind::WrongAnswer, || "it is not alive any more with a full disk".to_owned());

    let stop = relay.stop(Signal::TERM, TIMES.limit());
    for found in [stop.in_time(TIMES.limit()), stop.without_panic()] {
        findings.extend("with a full disk", found);
    }
    // What could not be recorded may make the end unclean, but there is a report that says so.
    let code = stop.status.and_then(|status| status.code());
    let agrees = stop.report().is_some_and(|report| report["clean"] == (code == Some(0)));
    findings.check(agrees, Kind::WrongExit, || {
        format!("with a full disk: code {code:?}, report: {}", shortened(&stop.stdout))
    });
    Ok(posts)
}

fn post(
    client: &mut Client,
    sink: &Sink,
    number: Number,
    posts: &mut Posts,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let filler = "x".repeat(EVENT_BYTES);
    let body = serde_json::json!({ "target": sink.target(), "body": { "number": number.0, "filler": filler } });
    let answer = client.post("/events", body.to_string().as_bytes())?;
    match (answer.status, answer.json()["id"].as_i64()) {
        (202, Some(id)) => posts.journal.accept(EventId(id), number),
        (503, _) => posts.refused += 1,
        (status, _) => findings.add(Kind::WrongAnswer, format!("a post was answered with {status}")),
    }
    Ok(())
}
