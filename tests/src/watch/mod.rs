//! Somebody else's program, watched from outside: it is started, driven, signalled at a random moment, and judged by how
//! it ends and what it leaves.
//!
//! `cargo xtask leak-check --command ..` starts this as `program-watch`, which prints a line for each round and closes
//! with one line of JSON.

mod interrupt;
mod left;
mod options;
mod problem;
mod round;
mod sessions;
mod stages;
mod subject;

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::random::Random;

use self::interrupt::Interrupt;
use self::round::{Round, Setting};
use self::sessions::Sessions;

pub use self::options::Options;
pub use self::problem::Problem;
pub use self::sessions::Server;

/// Exit codes: all is well, something was found, the program could not be watched.
const FOUND: u8 = 1;
const NOT_WATCHED: u8 = 2;

/// All rounds.
#[derive(Debug)]
struct Watched {
    rounds: Vec<Round>,
    /// What could not be looked at, with the reason.
    skipped: Vec<String>,
    /// What whoever reads the result has to know.
    notes: Vec<String>,
}

/// Watches the program, and prints what was seen.
pub fn main(options: &Options) -> ExitCode {
    let seed = options.seed.unwrap_or_else(Random::draw_seed);
    eprintln!("watching with seed {seed}: {}", options.command);
    match interrupt::heard(|interrupt| watch(options, seed, interrupt)) {
        Ok(watched) => {
            println!("{}", watched.to_json(options, seed));
            if watched.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(FOUND) }
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(NOT_WATCHED)
        }
    }
}

fn watch(options: &Options, seed: u64, interrupt: &Interrupt) -> Result<Watched, Problem> {
    let mut watched = Watched { rounds: Vec::new(), skipped: Vec::new(), notes: Vec::new() };
    let sessions = match &options.postgres {
        Some(server) => Sessions::on(server)?,
        None => None,
    };
    if options.postgres.is_some() && sessions.is_none() {
        watched.skipped.push(sessions::NO_PSQL.to_owned());
    }
    for number in 1..=options.rounds {
        // Consecutive seeds: a single round is run again by its own seed.
        let seed = seed.wrapping_add(number - 1);
        let round = round::run(&Setting { options, number, seed, sessions: sessions.as_ref(), interrupt })?;
        eprintln!("{round}");
        watched.rounds.push(round);
    }
    watched.take_notes(options);
    Ok(watched)
}

impl Watched {
    fn is_clean(&self) -> bool {
        self.rounds.iter().all(|round| round.findings.is_empty())
    }

    /// A witness that saw nothing at all proves nothing.
    fn take_notes(&mut self, options: &Options) {
        if self.rounds.iter().all(|round| round.stages.is_empty()) {
            self.notes.push(
                "threads, descriptors, sockets and tasks were not counted: the program has no hold point".to_owned(),
            );
        }
        let looked = options.postgres.is_some() && self.skipped.is_empty();
        if looked && self.rounds.iter().all(|round| round.sessions == Some(0)) {
            self.skipped.push(
                "server sessions: none was ever seen; does the program take its application name from PGAPPNAME, or \
                 from {app} in its command line?"
                    .to_owned(),
            );
        }
    }

    fn to_json(&self, options: &Options, seed: u64) -> Value {
        json!({
            "command": options.command,
            "seed": seed,
            "clean": self.is_clean(),
            "passed": self.is_clean(),
            "rounds": self.rounds.iter().map(Round::to_json).collect::<Value>(),
            "skipped": self.skipped,
            "notes": self.notes,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use clap::Parser;

    use super::*;
    use crate::deadline::Deadline;
    use crate::findings::Kind;
    use crate::process::{Process, Signal};
    use crate::program;
    use crate::workplace::Workplace;

    /// A seed whose moment is an early one, so that tests do not wait.
    const EARLY: u64 = 23;

    fn watched(line: &str, more: &[&str]) -> Result<Watched, Problem> {
        let ready = if more.contains(&"--ready-when") { &[][..] } else { &["--ready-when", "ready"] };
        let args = [&["program-watch", "--command", line, "--rounds", "1"], ready, more].concat();
        let options = Options::parse_from(args);
        watch(&options, EARLY, &Interrupt::default())
    }

    #[track_caller]
    fn finds(line: &str, more: &[&str], kind: Kind, says: &str) {
        let watched = watched(line, more).expect("it can be watched");
        let findings = &watched.rounds[0].findings;
        assert!(findings.has(kind) && findings.to_string().contains(says), "{findings} does not say `{says}`");
        assert!(!watched.is_clean());
    }

    #[test]
    fn a_program_that_ends_well_is_clean() {
        let watched = watched("trap 'kill $!; wait; exit 0' TERM; sleep 600 & echo ready; wait", &[]);
        let watched = watched.expect("it can be watched");
        assert!(watched.is_clean(), "{}", watched.rounds[0]);
        assert!(watched.notes[0].contains("no hold point"), "{:?}", watched.notes);
    }

    #[test]
    fn a_child_that_lives_on_is_found() {
        finds("trap 'exit 0' TERM; sleep 600 & echo ready; wait", &[], Kind::ChildProcess, "`sleep` lives on");
    }

    #[test]
    fn a_service_that_is_held_is_counted_at_each_stage() {
        let program = program::own("program-busy-service").expect("it was built");
        let line = format!("exec {} --busy 0", program.display());
        let watched = watched(&line, &["--ready-when", "all workers are held"]).expect("it can be watched");
        let round = &watched.rounds[0];
        assert!(round.findings.is_empty(), "{round}");
        assert_eq!((round.stages.as_slice(), watched.notes.len()), (&["began", "ended", "over"][..], 0));
        assert_eq!(round.to_json()["report"]["clean"], true);
    }

    #[test]
    fn what_a_held_service_has_left_is_found() {
        let program = program::own("scenario-service").expect("it was built");
        let line = |kind| format!("exec {} --target --seed 1 --planted {kind}", program.display());
        let ready = ["--ready-when", "the service runs"];
        finds(&line("thread"), &ready, Kind::Thread, "planted");
        finds(&line("descriptor"), &ready, Kind::Descriptor, "temporary");
        finds(&line("foreign-task"), &ready, Kind::ForeignTask, "1 foreign task");
    }

    #[test]
    fn files_that_are_left_are_found() {
        let line = "trap 'kill $!; exit 0' TERM; touch here $TMPDIR/there; sleep 600 & echo ready; wait";
        finds(line, &[], Kind::File, "`here` (0 bytes) is left in its working folder");
        finds(line, &[], Kind::File, "`there` (0 bytes) is left in its folder for temporary files");
    }

    #[test]
    fn a_listener_that_is_left_is_found_and_one_that_is_closed_is_not() {
        let program = program::own("program-listener").expect("it was built");
        let line = |option: &str| format!("exec {}{option}", program.display());
        finds(&line(" --leave"), &[], Kind::Socket, "is still listened on, by process");
        assert!(watched(&line(""), &[]).expect("it can be watched").is_clean());
    }

    #[test]
    fn an_exit_that_is_no_good_one_is_found() {
        finds("trap 'kill $!; exit 3' TERM; sleep 600 & echo ready; wait", &[], Kind::WrongExit, "code 3");
        finds("echo ready; exec sleep 600", &[], Kind::WrongExit, "does not handle SIGTERM");
        finds("echo ready; sleep 600; true", &[], Kind::WrongExit, "put `exec` before it");
        finds("echo ready; echo bye; exit 0", &[], Kind::WrongExit, "before the signal");
    }

    #[test]
    fn a_program_that_ignores_the_signal_is_killed_and_said() {
        let line = "trap '' TERM; echo ready; sleep 600; true";
        finds(line, &["--grace-max", "1"], Kind::Late, "had not ended 1 s after SIGTERM");
    }

    #[track_caller]
    fn not_watched(line: &str, more: &[&str], says: &str) {
        let problem = watched(line, more).expect_err("it cannot be watched").to_string();
        assert!(problem.contains(says), "`{problem}` does not say `{says}`");
    }

    #[test]
    fn a_program_that_never_gets_ready_is_said_with_the_option_that_helps() {
        let line = "echo starting; exec sleep 600";
        not_watched(line, &["--ready-max", "1"], "no line with `ready` in it; is `--ready-when` right? `--ready-max`");
        not_watched(line, &["--ready-max", "1"], "starting");
    }

    #[test]
    fn a_program_that_ends_before_it_is_ready_is_said_with_its_last_words() {
        not_watched("echo no port >&2; exit 7", &[], "exit status: 7; its last lines:\n  no port");
        not_watched("no-such-program", &[], "give an absolute path, or `--folder`");
    }

    #[test]
    fn a_drive_that_fails_while_the_program_runs_is_said() {
        let line = "trap 'kill $!; exit 0' TERM; sleep 600 & echo ready; wait";
        not_watched(line, &["--drive", "echo refused; exit 4"], "exit status: 4; its last lines:\n  refused");
        // One that is still at it is ended with the program.
        assert!(watched(line, &["--drive", "exec sleep 600"]).expect("it can be watched").is_clean());
    }

    #[test]
    fn a_folder_that_is_not_there_is_said() {
        not_watched("echo ready", &["--folder", "/nowhere/at/all"], "/nowhere/at/all");
    }

    /// As the terminal does it: to the one who watches, not to the program, which is in a group of its own.
    #[test]
    fn whoever_is_interrupted_ends_the_program_first() {
        let workplace = Workplace::new().expect("a folder");
        let note = workplace.root().join("id");
        let line = format!("echo $$ > {}; echo ready; exec sleep 600", note.display());
        let args = ["--command", &line, "--ready-when", "never"];
        let watch = program::own("program-watch").expect("it was built");
        let mut process = Process::start(watch, args, &workplace).expect("it starts");
        let deadline = Deadline::after(Duration::from_secs(60));
        let id = deadline.poll(|| fs::read_to_string(&note).ok().filter(|id| id.ends_with('\n')));
        let program = Path::new("/proc").join(id.expect("the program runs").trim());
        process.signal(Signal::INT);
        let status = process.wait(deadline).expect("it ends");
        assert_eq!(status.code(), Some(i32::from(NOT_WATCHED)), "{}", process.stderr());
        assert!(process.stderr().contains("interrupted"), "{}", process.stderr());
        assert!(deadline.poll(|| (!program.exists()).then_some(())).is_some());
    }

    #[test]
    fn the_seed_of_the_tests_is_an_early_one() {
        assert!(Random::new(EARLY).time_below(Duration::from_secs(2)) < Duration::from_millis(50));
    }
}
