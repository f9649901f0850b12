//! Programs that are told things by lines, and what the system says of them.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::{OURS, Programs};
use crate::{Bound, Cell, Series};

/// The most that the stripped program may have, in MB.
const PROGRAM_MB: f64 = 3.0;

/// A program that answers each line with a line. It ends when this is dropped.
pub(super) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Process {
    pub(super) fn start(command: &mut Command) -> Self {
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = started.expect("the program was built");
        let (input, output) = (child.stdin.take(), child.stdout.take().expect("it was asked for"));
        Self { child, input, output: BufReader::new(output) }
    }

    /// A plugin: its name, its index, where its runtime is, and what it subscribes to.
    pub(super) fn plugin(program: &Path, index: &str, socket: &Path, events: &str, plant: bool) -> Self {
        let mut command = Command::new(program);
        command.args(["logger", index]).arg(socket).arg(events);
        if plant {
            command.arg("--plant");
        }
        let mut plugin = Self::start(&mut command);
        plugin.registered();
        plugin
    }

    /// Waits until a plugin says that it is registered.
    pub(super) fn registered(&mut self) {
        assert_eq!(self.line(), "registered");
    }

    pub(super) fn tell(&mut self, line: &str) {
        let input = self.input.as_mut().expect("it is open until the end");
        writeln!(input, "{line}").and_then(|()| input.flush()).expect("the program reads");
    }

    pub(super) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the program writes lines");
        assert!(!line.is_empty(), "the program has ended");
        line.trim_end().to_owned()
    }

    /// The processor time of all its threads so far, in microseconds.
    pub(super) fn cpu_micros(&self) -> f64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        let nanos = tasks.filter_map(|task| {
            let stat = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            stat.split_whitespace().next()?.parse::<f64>().ok()
        });
        nanos.sum::<f64>() / 1_000.0
    }

    /// How much of it is in memory, in MB.
    pub(super) fn resident_mb(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells it");
        let kilobytes = line.split_whitespace().next().and_then(|number| number.parse::<f64>().ok());
        kilobytes.expect("it is a number") * 1_024.0 / 1e6
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It ends at the end of its input.
        drop(self.input.take());
        drop(self.child.wait());
    }
}

/// The programs' plugins on one runtime: each has an event of its own, so that only one of them hears of it.
pub(super) struct Plugins {
    pub(super) ours: Process,
    pub(super) go: Process,
}

pub(super) const OUR_EVENT: &str = "StartContainer";
pub(super) const GO_EVENT: &str = "PostStartContainer";

impl Plugins {
    pub(super) fn start(programs: &Programs, socket: &Path, plant: bool) -> Self {
        let ours = Process::plugin(&programs.ours, "10", socket, OUR_EVENT, plant);
        Self { ours, go: Process::plugin(&programs.go, "20", socket, GO_EVENT, false) }
    }
}

/// How large a program is without what only debuggers read.
pub(super) fn size_of(program: &Path) -> Cell {
    let stripped = std::env::temp_dir().join(format!("landfall-bench-{}", std::process::id()));
    let status = Command::new("strip").arg("-o").arg(&stripped).arg(program).status();
    assert!(status.is_ok_and(|status| status.success()), "`strip` comes with the C compiler");
    let bytes = fs::metadata(&stripped).expect("it was just written").len();
    fs::remove_file(&stripped).expect("it is ours");
    let ours = Series { of: OURS, samples: vec![bytes as f64 / 1e6] };
    Cell {
        name: "the program of a logger, stripped".to_owned(),
        unit: "MB",
        ours,
        peer: None,
        bound: Some(Bound::Max(PROGRAM_MB)),
    }
}
