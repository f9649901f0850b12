//! Starts that have to fail: with a code, in words, soon, and without anything left.

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use super::Part;
use crate::findings::{Findings, Kind};
use crate::process::Process;
use crate::relay::{Program, Times};
use crate::scenario::{Failure, Setting};
use crate::stop::{Stop, shortened};
use crate::witness::Scene;
use crate::workplace::Workplace;

pub(super) const TIMES: Times = Times { grace: Duration::from_secs(5), abort_after: Duration::from_secs(1) };

/// A start that is refused: it may wait for a lock for a while, and ends by itself.
const LIMIT: Duration = Duration::from_secs(10);

/// Checks that a command ends with this code, and says all of these words.
pub(super) fn refused(
    name: &str,
    command: &mut Command,
    code: i32,
    words: &[&str],
    workplace: &Workplace,
) -> Result<Findings, Failure> {
    let began = Instant::now();
    let mut process = Process::spawn(command, workplace)?;
    let stop = Stop::of(&mut process, began, LIMIT);
    let mut findings = Findings::default();
    for found in [stop.in_time(LIMIT), stop.with_code(code), stop.without_panic()] {
        findings.extend(name, found);
    }
    for word in words {
        findings.check(stop.stderr.contains(word), Kind::WrongAnswer, || {
            format!("{name}: it does not say `{word}`: {}", shortened(&stop.stderr))
        });
    }
    let scene = Scene { mark: process.mark(), address: None, folders: &[(&workplace.temporary(), &[])] };
    findings.extend(name, scene.inspect());
    Ok(findings)
}

/// A port that somebody else listens on.
pub(super) fn port_taken(setting: &Setting) -> Result<Part, Failure> {
    let Program { path, .. } = setting.relay()?;
    let workplace = Workplace::new()?;
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let mut part = Part { tried: 2, ..Part::default() };
    for sample in [&["--no-sample"][..], &[]] {
        let mut command = Command::new(&path);
        command.args(["--json", "--listen", &address]).args(sample);
        let words = ["cannot listen on", &address, "in use"];
        part.findings.extend("port", refused(&format!("taken {sample:?}"), &mut command, 1, &words, &workplace)?);
    }
    Ok(part)
}
