//! The command line as a user meets it.

use std::process::{Command, Output};

fn xtask(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_landfall-xtask")).args(arguments).output().expect("it was just built")
}

#[test]
fn help_is_printed_and_is_no_error() {
    let output = xtask(&["--help"]);
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    for verb in ["ci", "test", "tidy", "leak-check", "bench"] {
        assert!(text.contains(verb), "{text}");
    }
}

#[test]
fn what_is_unknown_is_refused_on_standard_error() {
    for (arguments, says) in [
        (["measure", "claim"], "there is no verb `measure`"),
        (["bench", "nonesuch"], "there is no bench `nonesuch`"),
        (["ci", "--steps"], "does not know `--steps`"),
        (["ci", "--step=lint"], "there is no step `lint`"),
        (["leak-check", "--scenario=nonesuch"], "there is no scenario `nonesuch`"),
    ] {
        let output = xtask(&arguments);
        assert!(!output.status.success(), "{arguments:?}");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(says), "{text}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn the_steps_of_the_gate_can_be_listed() {
    let output = xtask(&["ci", "--list"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).lines().any(|line| line.starts_with("msrv ")));
}
