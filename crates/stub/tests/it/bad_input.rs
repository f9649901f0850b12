//! What a user may get wrong, and how it is told.

use std::error::Error;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use landfall_stub::messages::ConfigureRequest;
use landfall_stub::testing::{Script, TestRuntime};
use landfall_stub::{
    Adjustment, BuildError, CloseCause, ConnectError, Connection, StartError, Stub, StubBuilder, StubOptions,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::sync::mpsc;

use crate::harness::{clock, end, plugin, soon};

fn named(name: &str, index: u8) -> StubBuilder {
    Stub::builder(name, index).on_create_container(async |_, _, _| Ok(Adjustment::new()))
}

#[test]
fn a_bad_identity_is_refused_when_it_is_built() {
    for name in ["", "two words", "a/b", "ä"] {
        assert!(matches!(named(name, 10).build(), Err(BuildError::Name { name: told }) if told == name));
    }
    let error = named("logger", 100).build().expect_err("three digits");
    assert!(matches!(&error, BuildError::Index { index } if index == "100"));
    assert_eq!(error.to_string(), "the plugin's index is 100: it must be two digits, 00 to 99");
    assert!(named("logger", 0).build().is_ok());
}

#[test]
fn a_plugin_without_an_event_is_refused() {
    let builder = Stub::builder("idle", 0).on_synchronize(async |_, _, _| Ok(Vec::new()));
    assert!(matches!(builder.build(), Err(BuildError::NoHandlers)));
}

#[test]
fn an_option_out_of_its_range_is_refused_by_name() {
    let refused = |change: fn(&mut StubOptions)| {
        let mut options = StubOptions::default();
        change(&mut options);
        match named("logger", 0).options(options).build() {
            Err(BuildError::Option { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(|options| options.connect_timeout = Duration::ZERO), "connect_timeout");
    assert_eq!(refused(|options| options.registration_timeout = Duration::MAX), "registration_timeout");
    assert_eq!(refused(|options| options.configure_timeout = Duration::ZERO), "configure_timeout");
    assert_eq!(refused(|options| options.update_timeout = Duration::ZERO), "update_timeout");
    assert_eq!(refused(|options| options.write_timeout = Duration::MAX), "write_timeout");
    assert_eq!(refused(|options| options.stop_grace = Duration::MAX), "stop_grace");
    assert_eq!(refused(|options| options.stop_abort = Duration::MAX), "stop_abort");
    assert_eq!(refused(|options| options.calls_max = 0), "calls_max");
    assert_eq!(refused(|options| options.handlers_max = 0), "handlers_max");
    assert_eq!(refused(|options| options.received_bytes_max = 0), "received_bytes_max");
    assert_eq!(refused(|options| options.decoded_bytes_max = 0), "decoded_bytes_max");
    assert_eq!(refused(|options| options.synchronize_bytes_max = 0), "synchronize_bytes_max");
}

/// A folder of this test's own, which is removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("landfall-stub-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Fails to connect; those failures that may pass by themselves are told from the others.
async fn connect(path: impl AsRef<Path>) -> ConnectError {
    let stub = named("logger", 0).socket_path(path).build().expect("sound");
    let error = soon("start", stub.start()).await.expect_err("no runtime is there");
    let is_transient = error.is_transient();
    match error {
        StartError::Connect(error) => {
            assert_eq!(is_transient, !matches!(error, ConnectError::NoSocket { .. }), "{error}");
            error
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_path_without_a_runtime_is_told_by_what_is_there() {
    let folder = Folder::new("paths");
    let at = |name: &str| folder.0.join(name);
    assert!(matches!(connect(at("missing")).await, ConnectError::Missing { path } if path == at("missing")));
    std::fs::write(at("file"), "text").expect("a file");
    assert!(matches!(connect(at("file")).await, ConnectError::NoSocket { path } if path == at("file")));
    assert!(matches!(connect(at("file").join("below")).await, ConnectError::Missing { .. }));
    symlink(at("nowhere"), at("link")).expect("a link");
    match connect(at("link")).await {
        ConnectError::Dangling { path, target } => assert_eq!((path, target), (at("link"), at("nowhere"))),
        other => panic!("{other:?}"),
    }
    drop(std::os::unix::net::UnixListener::bind(at("socket")).expect("a socket"));
    assert!(matches!(connect(at("socket")).await, ConnectError::NobodyListens { path } if path == at("socket")));
    let path = at(&"x".repeat(200));
    match named("logger", 0).socket_path(&path).build() {
        Err(BuildError::PathTooLong { bytes, bytes_max: 107, .. }) => assert_eq!(bytes, path.as_os_str().len()),
        other => panic!("{other:?}"),
    }
}

/// Through a link to a socket it connects, as through `/var/run`; whoever listens and says nothing costs a timeout.
#[tokio::test(start_paused = true)]
async fn a_socket_that_says_nothing_fails_in_time() {
    let folder = Folder::new("silent");
    let (socket, link) = (folder.0.join("socket"), folder.0.join("link"));
    let _listener = tokio::net::UnixListener::bind(&socket).expect("a socket");
    symlink(&socket, &link).expect("a link");
    let stub = named("logger", 0).socket_path(&link).clock(clock()).build().expect("sound");
    let error = soon("start", stub.start()).await.expect_err("nobody answers");
    assert!(matches!(error, StartError::NotRegistered { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_dialer_that_fails_hangs_or_panics_fails_the_start() {
    let with = |stub: StubBuilder| stub.clock(clock()).build().expect("sound");
    let refused = with(named("logger", 0).dialer(async || Err(io::Error::other("no such place"))));
    let error = soon("start", refused.start()).await.expect_err("refused");
    assert_eq!(error.source().and_then(Error::source).expect("a cause").to_string(), "no such place");
    let hangs = with(named("logger", 0).dialer(std::future::pending));
    let error = soon("start", hangs.start()).await.expect_err("it hangs");
    assert!(matches!(error, StartError::Connect(ConnectError::TimedOut { .. })), "{error}");
    let panics = with(named("logger", 0).dialer(async || panic!("as planned")));
    let error = soon("start", panics.start()).await.expect_err("it panics");
    assert!(matches!(&error, StartError::Connect(ConnectError::TaskGone { message }) if message.contains("planned")));
}

#[test]
fn without_a_runtime_a_start_says_so() {
    let stub = named("logger", 0).build().expect("sound");
    let error = futures_util::FutureExt::now_or_never(stub.start()).expect("at once").expect_err("no runtime");
    assert!(matches!(error, StartError::NoRuntime), "{error}");
}

/// What a runtime says of itself is a peer's: numbers that make no sense are none.
#[tokio::test(start_paused = true)]
async fn a_configuration_that_makes_no_sense_is_borne() {
    let runtime = TestRuntime::new();
    let mut script = Script::default();
    script.configuration = ConfigureRequest {
        runtime_name: "x".repeat(100_000),
        registration_timeout: i64::MIN,
        request_timeout: i64::MAX,
        ..Default::default()
    };
    runtime.expect(script);
    let stub = plugin(&runtime).build().expect("sound");
    let started = soon("start", stub.start()).await.expect("started");
    assert_eq!(started.runtime.registration_timeout, None);
    assert_eq!((started.runtime.name.len(), started.runtime.nri_version), (100_000, None));
    end(stub, runtime).await;
}

/// The connection stays open, so nothing but the answer itself can end the start.
#[tokio::test(start_paused = true)]
async fn an_answer_to_the_registration_that_cannot_be_read_fails_the_start() {
    let (dialled, mut peers) = mpsc::channel(1);
    let dial = move || {
        let (ours, theirs) = duplex(4096);
        let sent = dialled.try_send(theirs).map_err(io::Error::other);
        async move { sent.map(|()| Connection::new(ours)) }
    };
    let stub = named("logger", 0).dialer(dial).clock(clock()).build().expect("sound");
    let runtime = async {
        let mut peer = peers.recv().await.expect("a connection");
        assert!(peer.read(&mut [0; 4096]).await.expect("the registration") > 0);
        // A frame of connection 2, in it a response to call 1 whose body is no message.
        peer.write_all(&[0, 0, 0, 2, 0, 0, 0, 11, 0, 0, 0, 1, 0, 0, 0, 1, 2, 0, 0xff]).await.expect("room");
        peer
    };
    let (error, _peer) = soon("start", async { tokio::join!(stub.start(), runtime) }).await;
    assert!(matches!(error, Err(StartError::Registration { .. })), "{error:?}");
    let closed = stub.wait().await.expect("it had a connection");
    assert!(matches!(closed.cause, CloseCause::Refused(_)), "{closed}");
}
