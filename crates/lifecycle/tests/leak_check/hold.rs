//! The hold point in a program that calls it by hand.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use landfall_lifecycle::leak_check::{Footprint, HoldError, HoldPoint, Stage, Standing};
use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_is_held_until_it_is_let_go_and_says_what_lives() {
    let path = std::env::temp_dir().join(format!("landfall-hold-{}-by-hand", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let set = TaskSet::new("set");
    let child = set.child("child").unwrap();
    let line = line!() + 1;
    child.spawn("kept", std::future::pending::<()>()).unwrap();
    let standing = Standing::of(&Handle::current()).with_set(&set);
    let point = HoldPoint::at(&path);
    let holds = move |_: &CancellationToken| point.hold(Stage::Ended, &standing).unwrap();
    let mut held = set.spawn_thread("holds", holds).unwrap();

    let (connection, _) = listener.accept().unwrap();
    let mut text = String::new();
    BufReader::new(&connection).read_line(&mut text).unwrap();
    let said: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&said["stage"], &said["pid"]), (&json!("ended"), &json!(std::process::id())));
    let tasks = said["tasks"].as_array().unwrap();
    let kept = tasks.iter().find(|task| task["name"] == "kept").expect(&text);
    assert_eq!((&kept["kind"], &kept["place"]), (&json!("task"), &json!(format!("{}:{}", file!(), line))));
    assert!(said["alive"].as_u64() >= said["registered"].as_u64(), "{text}");

    // The program's end of the connection is known by its inode, and is left out by it.
    let connection_inode = said["connection"].as_u64().unwrap();
    let has_it = |footprint: &Footprint| footprint.sockets().iter().any(|socket| socket.inode == connection_inode);
    let footprint = Footprint::of_self().unwrap();
    assert!(has_it(&footprint) && !has_it(&footprint.without_socket(connection_inode)));

    assert!(futures_util::poll!(&mut held).is_pending(), "it is held");
    (&connection).write_all(b"x").unwrap();
    held.await.unwrap();
    drop(set.terminate(&Shutdown::within(Duration::ZERO, Duration::from_secs(60))).await.unwrap());
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn nobody_there_is_said_and_holds_nobody() {
    let error = HoldPoint::at("/nowhere/landfall").hold(Stage::Over, &Standing::default()).unwrap_err();
    assert!(matches!(&error, HoldError::Unheard { path, .. } if path.ends_with("landfall")), "{error}");
}
