//! A plugin that the runtime launches: the descriptor it inherits serves one generation. Each test is a process of its
//! own, since a process inherits once.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::process::Command;

use landfall_stub::{Adjustment, BuildError, ConnectError, StartError, Stub, StubBuilder};

/// Says in a child process which test it is to play the plugin of.
const ROLE: &str = "LANDFALL_TEST_ROLE";

fn launched() -> StubBuilder {
    Stub::builder("unnamed", 0).on_create_container(async |_, _, _| Ok(Adjustment::new())).launched()
}

/// Runs this test once more, as a plugin that a runtime has launched.
fn launch(test: &str, descriptor: &str) {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["--exact", test, "--nocapture"]).env(ROLE, test);
    child.env("NRI_PLUGIN_NAME", "launched").env("NRI_PLUGIN_IDX", "07").env("NRI_PLUGIN_SOCKET", descriptor);
    let output = child.output().expect("a child");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn is_plugin(test: &str) -> bool {
    std::env::var(ROLE).is_ok_and(|role| role == test)
}

/// Lets programs that are started inherit it.
fn inheritable(socket: &impl AsFd) {
    rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::empty()).expect("an open socket");
}

#[tokio::main(flavor = "current_thread")]
async fn start(stub: &Stub) -> StartError {
    stub.start().await.expect_err("nobody answers")
}

#[test]
fn a_descriptor_serves_one_generation() {
    const TEST: &str = "a_descriptor_serves_one_generation";
    if is_plugin(TEST) {
        let stub = launched().build().expect("sound");
        assert!(format!("{stub:?}").contains("07-launched"), "{stub:?}");
        // The test has closed the other end before.
        let lost = start(&stub);
        assert!(matches!(lost, StartError::Lost(_)), "{lost}");
        let number: i32 = std::env::var("NRI_PLUGIN_SOCKET").expect("set").parse().expect("a number");
        // The number stands for nothing now, and would be taken for a socket if something else got it.
        let again = start(&stub);
        assert!(
            matches!(again, StartError::Connect(ConnectError::NotRestartable { descriptor }) if descriptor == number),
            "{again}"
        );
        // Nor may another stub have it.
        let other = start(&launched().build().expect("sound"));
        assert!(matches!(other, StartError::Connect(ConnectError::NotRestartable { .. })), "{other}");
        return;
    }
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    inheritable(&theirs);
    drop(ours);
    launch(TEST, &theirs.as_raw_fd().to_string());
}

#[test]
fn a_descriptor_that_is_no_socket_is_left_alone() {
    const TEST: &str = "a_descriptor_that_is_no_socket_is_left_alone";
    if is_plugin(TEST) {
        let error = start(&launched().build().expect("sound"));
        assert!(matches!(error, StartError::Connect(ConnectError::NoDescriptor { .. })), "{error}");
        return;
    }
    let file = std::fs::File::open("/dev/null").expect("a file");
    inheritable(&file);
    launch(TEST, &file.as_raw_fd().to_string());
}

#[test]
fn a_descriptor_that_is_not_open_is_told() {
    const TEST: &str = "a_descriptor_that_is_not_open_is_told";
    if is_plugin(TEST) {
        let error = start(&launched().build().expect("sound"));
        assert!(matches!(error, StartError::Connect(ConnectError::NoDescriptor { .. })), "{error}");
        return;
    }
    launch(TEST, "777");
}

#[test]
fn a_variable_that_is_no_number_of_a_descriptor_is_refused() {
    const TEST: &str = "a_variable_that_is_no_number_of_a_descriptor_is_refused";
    if is_plugin(TEST) {
        let value = std::env::var("NRI_PLUGIN_SOCKET").expect("set");
        assert!(matches!(launched().build(), Err(BuildError::Descriptor { value: told }) if told == value));
        return;
    }
    for value in ["", "three", "-3", "1", "99999999999"] {
        launch(TEST, value);
    }
}
