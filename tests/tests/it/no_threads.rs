//! A process that can make no thread: nobody keeps the deadlines, so grace ends at once, and the report says why.

use std::path::Path;
use std::time::Duration;

use landfall_tests::deadline::Deadline;
use landfall_tests::process::Process;
use landfall_tests::workplace::Workplace;

/// The ways to end a set or a stack; the service is seen from its report.
const WAYS: &[&str] =
    &["current-thread", "two-workers", "blocking", "blocking-on-a-worker", "stack", "stack-blocking", "service"];

const NO_CLOCK: &str = "grace cut: Some(NoClockThread)";

/// How long one of them may take until it hangs.
const SECONDS_MAX: u64 = 60;

/// Runs it to its end, and checks the first thing that it says and then the lines that it must say.
#[track_caller]
fn check(args: &[&str], first: &str, expected: &[&str]) {
    let workplace = Workplace::new().expect("a folder");
    let program = Path::new(env!("CARGO_BIN_EXE_program-no-threads"));
    let mut process = Process::start(program, args, &workplace).expect("it was built");
    let status = process.wait(Deadline::after(Duration::from_secs(SECONDS_MAX)));
    let (said, stderr, way) = (process.stdout(), process.stderr(), args.join(" "));
    assert_eq!(status.and_then(|status| status.code()), Some(0), "{way}: {status:?}\n{said}\n{stderr}");
    assert!(said.starts_with(first), "{way}: {said}");
    assert!(!stderr.contains("panicked"), "{way}: {stderr}");
    for line in expected {
        assert!(said.lines().any(|said| said == *line), "{way}: {line:?} is missing in\n{said}\n{stderr}");
    }
}

#[test]
fn without_a_clock_thread_every_way_to_terminate_ends_in_time_and_says_why_grace_was_cut() {
    for way in WAYS {
        let expected: &[&str] = match *way {
            "service" => &[NO_CLOCK, "aborted: 1"],
            // What it aborts is woken on the worker that it holds, so it may be left too.
            "blocking-on-a-worker" => &["in time: true", NO_CLOCK, "afterwards clean: true"],
            _ => &["in time: true", NO_CLOCK, "aborted: 1", "left: [\"held\"]", "afterwards clean: true"],
        };
        // What it says first is what became of an attempt to make one.
        check(&[way], "no thread: ", expected);
    }
}

/// The control: the same program with no limit keeps its grace.
#[test]
fn with_a_clock_thread_grace_is_not_cut() {
    for way in ["current-thread", "stack", "service"] {
        check(&[way, "--unlimited"], "a thread: true", &["grace cut: None", "aborted: 1"]);
    }
}
