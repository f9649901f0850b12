//! How a server ends.

use std::io::Write;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use landfall_lifecycle::serving::{ServeOptions, Server};
use landfall_lifecycle::{Activity, Outcome, Shutdown, Stack, TaskSet, Terminate};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::client::{Client, is_refused};
use super::faults::from_fn;
use super::{App, abnormal, end, in_time, outcomes};
use crate::harness::on_both;

#[tokio::test]
async fn a_request_in_flight_is_answered_while_new_clients_are_refused() {
    let app = App::new();
    let server = app.start().await;
    let mut client = Client::connect(&server).await;
    client.ask("/gate").await;
    app.one_begun().await;

    server.begin_terminate(&in_time());
    // The listener was closed before the connections were asked to finish.
    server.token().cancelled().await;
    assert!(is_refused(&server).await);

    app.let_one_out();
    assert_eq!(client.reply().await.body, "let out");
    client.closed().await;
    let report = end(&server).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(server.connections(), 0);
}

/// At once, on the thread that began: no other thread need have done anything yet.
#[test]
fn a_client_that_comes_after_the_begin_is_not_served() {
    on_both(|| async {
        for _ in 0..20 {
            let app = App::new();
            let server = app.start().await;
            server.begin_terminate(&in_time());
            let client = std::net::TcpStream::connect(server.local_addr());
            let _asks =
                client.map(|mut client| client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").map(|()| client));
            server.ended().await;
            assert_eq!(app.begun.available_permits(), 0);
        }
    });
}

#[tokio::test]
async fn a_report_before_the_end_is_the_server_s() {
    let server = App::new().start().await;
    let report = Terminate::report(&server).unwrap();
    assert_eq!(report.name, Terminate::name(&server));
    assert!(end(&server).await.is_clean());
}

#[tokio::test]
async fn a_token_of_the_user_s_ends_the_serving_and_begins_no_termination() {
    let app = App::new();
    let mut options = ServeOptions::default();
    let given = CancellationToken::new();
    options.token = Some(given.clone());
    let server = app.start_with(options).await;
    let mut client = Client::connect(&server).await;
    client.ask("/gate").await;
    app.one_begun().await;

    given.cancel();
    while !is_refused(&server).await {}
    app.let_one_out();
    assert_eq!(client.reply().await.body, "let out");
    client.closed().await;
    assert!(end(&server).await.is_clean());
}

#[tokio::test]
async fn an_idle_connection_is_closed_when_the_termination_begins() {
    let app = App::new();
    let server = app.start().await;
    let mut client = Client::connect(&server).await;
    assert_eq!(client.get("/").await, "hello");
    assert_eq!(client.get("/").await, "hello");
    server.begin_terminate(&in_time());
    client.closed().await;
    assert!(end(&server).await.is_clean());
}

#[tokio::test]
async fn a_connection_that_has_said_nothing_is_closed_when_the_termination_begins() {
    let app = App::new();
    let server = app.start().await;
    let client = Client::connect(&server).await;
    while server.connections() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(end(&server).await.is_clean());
    client.closed().await;
}

/// Whichever it is, a new connection or one that idles: nobody has polled it since the bytes came.
#[tokio::test]
async fn a_request_that_had_arrived_when_the_termination_began_is_answered() {
    for is_idle in [false, true] {
        let app = App::new();
        let server = app.start().await;
        let mut client = Client::connect(&server).await;
        if is_idle {
            assert_eq!(client.get("/").await, "hello");
        }
        while server.connections() == 0 {
            tokio::task::yield_now().await;
        }
        client.ask("/").await;
        server.begin_terminate(&in_time());
        assert_eq!(client.reply().await.body, "hello");
        client.closed().await;
        assert!(end(&server).await.is_clean());
    }
}

#[tokio::test]
async fn a_handler_learns_of_the_termination_by_its_token() {
    let app = App::new();
    let server = app.start().await;
    let mut client = Client::connect(&server).await;
    client.ask("/stopped").await;
    app.one_begun().await;
    assert!(end(&server).await.is_clean());
    assert_eq!(client.reply().await.body, "stopped");
}

#[tokio::test]
async fn a_handler_that_never_returns_is_aborted_when_grace_ends_and_named() {
    let app = App::new();
    let server = app.start().await;
    let mut client = Client::connect(&server).await;
    client.ask("/never").await;
    app.one_begun().await;

    let how = in_time();
    server.begin_terminate(&how);
    server.token().cancelled().await;
    assert!(client.is_quiet());
    how.force();
    let report = server.terminate(&how).await.unwrap();
    assert_eq!(outcomes(&report), [(format!("connection {}", client.addr()), Outcome::Aborted)]);
    // The place is where the server was started, not a line of the library.
    assert!(abnormal(&report)[0].place.file.ends_with("tests/it/serving/mod.rs"), "{report}");
    // Nothing is left: what was aborted is told, and no reason to call it unclean.
    assert!(report.is_clean());
    client.closed().await;
}

/// Time is real here, because a thread is held: only the bound of one second after the abort instant is asserted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_holds_its_thread_is_a_straggler_with_its_client_s_address() {
    let (release, held) = mpsc::channel::<()>();
    let (begun, has_begun) = oneshot::channel();
    let held = Arc::new(Mutex::new((held, Some(begun))));
    let service = from_fn(move |_| {
        let mut held = held.lock().unwrap();
        held.1.take().unwrap().send(()).unwrap();
        held.0.recv().unwrap_err();
        "released"
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::start("http", listener, service, ServeOptions::default()).unwrap();
    let mut client = Client::connect(&server).await;
    client.ask("/").await;
    has_begun.await.unwrap();

    // Three owners report one after the other, each with the reports of those below.
    let stack = Stack::new("service");
    stack.push(server.clone()).unwrap();
    let how = Shutdown::within(Duration::from_millis(50), Duration::from_millis(100));
    let report = stack.terminate(&how).await.unwrap();
    assert!(how.clock_now() <= how.abort() + Duration::from_secs(1) + Duration::from_millis(500));
    let [straggler] = abnormal(&report)[..] else { panic!("{report:?}") };
    assert_eq!(straggler.name, format!("connection {}", client.addr()));
    assert!(matches!(straggler.outcome, Outcome::Straggler { activity: Activity::Busy { .. } }), "{straggler:?}");
    drop(release);
    server.ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminate_ends_a_hundred_connections() {
    let app = App::new();
    let server = app.start().await;
    let mut clients = Vec::new();
    for _ in 0..100 {
        let mut client = Client::connect(&server).await;
        assert_eq!(client.get("/").await, "hello");
        clients.push(client);
    }
    assert_eq!(server.connections(), 100);
    let report = end(&server).await;
    assert!(report.is_clean());
    assert_eq!(report.children.iter().map(|child| child.counts.drained).sum::<u64>(), 101, "{report:?}");
    for client in clients {
        client.closed().await;
    }
}

#[tokio::test]
async fn the_levels_end_in_order_and_the_report_shows_them() {
    let app = App::new();
    let server = app.start().await;
    let report = end(&server).await;
    assert_eq!(report.name, format!("http {}", server.local_addr()));
    let levels: Vec<_> = report.children.iter().map(|child| &*child.name).collect();
    assert_eq!(levels, ["accept", "connections", "requests"]);
}

#[tokio::test]
async fn in_a_stack_the_server_ends_before_what_its_requests_need() {
    let app = App::new();
    let server = app.start().await;
    let stack = Stack::new("service");
    let storage = TaskSet::new("storage");
    stack.push(storage.clone()).unwrap();
    stack.push(server.clone()).unwrap();
    let mut client = Client::connect(&server).await;
    client.ask("/gate").await;
    app.one_begun().await;

    stack.begin_terminate(&in_time());
    server.token().cancelled().await;
    assert!(!storage.token().is_cancelled());
    app.let_one_out();
    assert_eq!(client.reply().await.body, "let out");
    assert!(stack.terminate(&in_time()).await.unwrap().is_clean());
}

#[tokio::test]
async fn dropping_the_last_handle_closes_everything() {
    let app = App::new();
    let server = app.start().await;
    let mut client = Client::connect(&server).await;
    client.ask("/never").await;
    app.one_begun().await;
    drop(server);
    client.closed().await;
}
