//! Servers that cannot start.

use hyper_util::rt::TokioTimer;
use landfall_lifecycle::SpawnError;
use landfall_lifecycle::serving::{ServeOptions, Server, StartError};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

use super::App;

#[tokio::test]
async fn a_wrong_option_is_refused_and_the_listener_is_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut options = ServeOptions::default();
    options.connections_max = 0;
    let error = Server::start("http", listener, App::new(), options).unwrap_err();
    assert_eq!(error.to_string(), "option connections_max is 0; allowed: 1 to 4294967295");
    assert!(matches!(error, StartError::Option { field: "connections_max", .. }));
    assert!(TcpStream::connect(addr).await.is_err());
}

#[test]
fn a_server_needs_a_runtime() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let error = Server::start("http", listener, App::new(), ServeOptions::default()).unwrap_err();
    assert!(matches!(error, StartError::Spawn { source: SpawnError::NoRuntime }), "{error:?}");
}

#[test]
fn a_timer_that_its_runtime_does_not_have_is_found_at_the_start() {
    let runtime = Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = ServeOptions::with_timer(TokioTimer::new());
        let error = Server::start("http", listener, App::new(), options).unwrap_err();
        assert!(matches!(error, StartError::Timer { .. }), "{error:?}");
    });
}
