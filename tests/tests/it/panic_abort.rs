//! With `panic = "abort"` a panic of a task ends the process, as the crate's documentation says.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PROGRAM: &str = "program-panics";

const ABORT_SIGNAL: i32 = 6;

/// Builds the program with the profile `panic-abort`, in a target directory of its own: the one around this test may
/// be locked by the cargo that runs it.
fn built_to_abort() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("panic-abort");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    // Offline, because whatever it needs was fetched for this very test.
    let built = Command::new(cargo)
        .args(["build", "--locked", "--offline", "--quiet", "--profile", "panic-abort"])
        .args(["--package", env!("CARGO_PKG_NAME"), "--bin", PROGRAM, "--target-dir"])
        .arg(&target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("there is a cargo");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    target.join("panic-abort").join(PROGRAM)
}

fn run(program: &Path, args: &[&str]) -> Output {
    Command::new(program).args(args).env("RUST_BACKTRACE", "0").output().expect("it was built")
}

#[track_caller]
fn check_clean(output: &Output, said: &str) {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), said);
}

#[test]
fn where_panics_abort_a_task_s_panic_ends_the_process() {
    let program = built_to_abort();
    check_clean(&run(&program, &[]), "2 drained, 0 panicked");
    let output = run(&program, &["--panic"]);
    assert_eq!(output.status.signal(), Some(ABORT_SIGNAL), "{:?}", output.status);
    assert!(String::from_utf8_lossy(&output.stderr).contains("on purpose"));
    assert!(output.stdout.is_empty(), "nothing is reported");
}

/// The control: the same program, built as this test is.
#[test]
fn where_panics_unwind_it_is_an_outcome() {
    let program = Path::new(env!("CARGO_BIN_EXE_program-panics"));
    check_clean(&run(program, &[]), "2 drained, 0 panicked");
    check_clean(&run(program, &["--panic"]), "1 drained, 1 panicked");
}
