//! The program that is watched: a shell's command line in a process group of its own.

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus};

use rustix::process::{Pid, kill_process};

use crate::process::{Process, Signal};
use crate::witness;
use crate::workplace::Workplace;

use super::problem::Problem;

/// A command line that runs, with whatever it started. All of it is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) process: Process,
    /// Its process group has the same number.
    id: u32,
}

/// A process that belongs to a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) id: u32,
    pub(super) name: String,
}

impl Subject {
    pub(super) fn start(
        line: &str,
        folder: &Path,
        settings: &[(&str, &Path)],
        workplace: &Workplace,
    ) -> Result<Self, Problem> {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(folder).envs(settings.iter().copied()).process_group(0);
        let started = Process::spawn(&mut shell, workplace);
        let process = started.map_err(Problem::machine(format!("start `{line}` in {}", folder.display())))?;
        Ok(Self { id: process.id(), process })
    }

    /// The living processes that it consists of: those with its mark and those of its group. Either can be lost, by an
    /// emptied environment or by a session of its own; whoever loses both is not seen.
    pub(super) fn members(&self) -> Vec<Member> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let mut members = Vec::new();
        for id in ids {
            let Some((name, state, group)) = status(id) else { continue };
            // One that has ended is left to whoever inherited it.
            let lives = !matches!(state, 'Z' | 'X');
            if lives && (group == self.id || witness::is_marked(id, self.process.mark())) {
                members.push(Member { id, name });
            }
        }
        members
    }

    /// Whether the process that is signalled is a shell that waits for the program.
    pub(super) fn is_behind_a_shell(&self) -> bool {
        let is_shell =
            status(self.id).is_some_and(|(name, ..)| matches!(name.as_str(), "sh" | "dash" | "bash" | "busybox"));
        is_shell && self.members().iter().any(|member| member.id != self.id)
    }

    /// Kills what is left of it, each by its id.
    pub(super) fn kill(&self) {
        for member in self.members() {
            let pid = i32::try_from(member.id).ok().and_then(Pid::from_raw);
            // It may have ended since.
            pid.map(|pid| kill_process(pid, Signal::KILL));
        }
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The name, the state and the group of a process; `None` if there is none.
fn status(id: u32) -> Option<(String, char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name stands in brackets, and may hold any.
    let (before, after) = stat.rsplit_once(')')?;
    let name = before.split_once('(')?.1.to_owned();
    let mut fields = after.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((name, state, fields.nth(1)?.parse().ok()?))
}

/// How a process ended, in words.
pub(super) fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::deadline::Deadline;

    const LONG: Duration = Duration::from_secs(60);

    fn start(line: &str, workplace: &Workplace) -> Subject {
        Subject::start(line, workplace.root(), &[], workplace).expect("there is a shell")
    }

    #[test]
    fn what_it_started_belongs_to_it_by_mark_or_by_group() {
        let workplace = Workplace::new().expect("a folder");
        // One without the mark, one in a session of its own.
        let line = "env -i sleep 600 & setsid sleep 601 & echo ready; wait";
        let mut subject = start(line, &workplace);
        assert!(subject.process.line_with("ready", Deadline::after(LONG)).is_some());
        let seen = Deadline::after(LONG).poll(|| {
            let sleeps = subject.members().into_iter().filter(|member| member.name == "sleep").count();
            (sleeps == 2).then_some(())
        });
        assert!(seen.is_some(), "{:?}", subject.members());
        assert!(subject.is_behind_a_shell());
        subject.kill();
        let gone = Deadline::after(LONG).poll(|| subject.members().is_empty().then_some(()));
        assert!(gone.is_some(), "{:?}", subject.members());
    }

    #[test]
    fn a_program_that_took_the_shells_place_is_signalled_itself() {
        let workplace = Workplace::new().expect("a folder");
        let mut subject = start("echo ready; exec sleep 600", &workplace);
        assert!(subject.process.line_with("ready", Deadline::after(LONG)).is_some());
        let exec = Deadline::after(LONG).poll(|| (!subject.is_behind_a_shell()).then_some(()));
        assert!(exec.is_some());
    }
}
