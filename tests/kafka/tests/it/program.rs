//! The program as a process: what it refuses, and that it ends while there is no broker.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// Where somebody listens and never answers, for as long as this is held.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = listener.local_addr().unwrap().to_string();
    (listener, at)
}

fn program(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall-kafka"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn wrong_options_are_refused_in_words() {
    let refused = |arguments: &[&str], words: &str| {
        let output = program(arguments).wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(words), "{said}");
    };
    refused(&["produce", "--bootstrap", "nowhere", "--topic", "t"], "\"nowhere\" is no HOST:PORT");
    refused(&["produce", "--topic", "t"], "--bootstrap");
    refused(&["consume", "--bootstrap", "127.0.0.1:9", "--topic", "t", "--from", "x"], "an offset");
    refused(&["sing"], "sing");
}

/// The client waits for the cluster, and ends when it is told to.
#[test]
fn a_signal_ends_the_wait_for_a_cluster() {
    let (_listener, at) = silent();
    for verb in ["produce", "consume", "tree"] {
        let mut child = program(&[verb, "--bootstrap", &at, "--topic", "t"]);
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        assert_eq!(line, format!("asking {at} about topic \"t\"\n"));
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let mut rest = String::new();
        said.read_to_string(&mut rest).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{rest}");
        assert!(rest.contains("0 read, 0 sent") && rest.contains("clean: nothing is left"), "{rest}");
    }
}
