//! The program as a child process: what it prints, and its exit code.

use std::process::{Command, Output, Stdio};

use super::relay::Folder;

fn run(folder: &Folder, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_landfall-demo"))
        .args(args)
        .env("TMPDIR", folder.path())
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[track_caller]
fn check_refused(output: &Output, code: i32, says: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    for words in says {
        assert!(stderr.contains(words), "no {words:?} in:\n{stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

fn is_empty(folder: &Folder) -> bool {
    std::fs::read_dir(folder.path()).unwrap().count() == 0
}

#[test]
fn it_runs_for_a_while_and_reports_a_clean_end_as_json() {
    let folder = Folder::new("program-until");
    let output = run(&folder, &["--until", "1200ms", "--json"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["clean"], &report["name"]), (&true.into(), &"relay".into()), "{report}");
    assert!(stderr.lines().any(|line| line.starts_with("listening on http://127.0.0.1:")), "{stderr}");
    assert!(stderr.contains("accepted"), "one status line at least: {stderr}");
    assert!(is_empty(&folder), "the temporary database is removed");
}

#[test]
fn a_report_for_people_is_the_default() {
    let folder = Folder::new("program-report");
    let output = run(&folder, &["--until", "1ms", "--no-sample"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.stdout.is_empty());
    assert!(stderr.contains("clean: nothing is left"), "{stderr}");
}

#[test]
fn a_port_that_is_taken_ends_with_an_error() {
    let folder = Folder::new("program-port");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&folder, &["--no-sample", "--listen", &address]);
    check_refused(&output, 1, &["cannot listen on", &address, "in use"]);
    assert!(is_empty(&folder));
}

#[test]
fn a_database_that_cannot_be_used_ends_with_an_error() {
    let folder = Folder::new("program-database");
    std::fs::write(folder.path().join("relay.db"), "this is not the header of a database").unwrap();
    let output = run(&folder, &["--no-sample", "--database", &folder.database()]);
    check_refused(&output, 1, &["relay.db", "not a database"]);
    let missing = format!("sqlite:{}", folder.path().join("none/relay.db").display());
    check_refused(&run(&folder, &["--no-sample", "--database", &missing]), 1, &["none/relay.db", "nable to open"]);
}

#[test]
fn certificates_that_cannot_be_read_end_with_an_error() {
    let folder = Folder::new("program-tls");
    let missing = folder.path().join("ca.pem").display().to_string();
    check_refused(&run(&folder, &["--tls-ca", &missing]), 1, &[&missing]);
}

#[test]
fn a_wrong_value_ends_with_the_flag_the_value_and_what_is_allowed() {
    let folder = Folder::new("program-flags");
    check_refused(&run(&folder, &["--until", "soon"]), 2, &["--until", "soon", "ms, s, m or h"]);
    check_refused(&run(&folder, &["--queue-max", "0"]), 2, &["--queue-max", "'0'", "1..=1000000"]);
    check_refused(&run(&folder, &["--grace", "-1s"]), 2, &["--grace", "-1s"]);
}

#[test]
fn help_says_what_it_does_and_how_it_ends() {
    let folder = Folder::new("program-help");
    let output = run(&folder, &["--help"]);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    for words in ["POST /events", "--allow-target", "--until", "[default: 20s]", "exit code", "--no-sample"] {
        assert!(stdout.contains(words), "no {words:?} in:\n{stdout}");
    }
}
