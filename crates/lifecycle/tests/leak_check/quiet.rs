//! What leaves nothing must pass, round after round, however much it did.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

use landfall_lifecycle::leak_check::{Footprint, Kind, LeakCx, LeakTest, leak_test};
use landfall_lifecycle::{Stack, TaskSet};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const ROUNDS: usize = 20;

#[test]
fn an_empty_test() {
    leak_test(|_| async {});
}

/// Everything that the faults leave is made here too, and ended.
async fn busy(cx: LeakCx) {
    let stack = Stack::new("stack");
    let set = TaskSet::new("set");
    stack.push(set.clone()).unwrap();
    let token = set.token();
    set.spawn("waits", async move { token.cancelled().await }).unwrap();
    set.spawn_thread("thread", |_: &CancellationToken| drop(File::open("Cargo.toml"))).unwrap();
    let job = set.spawn_blocking("job", |_: &CancellationToken| {
        let child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        child.stdin.take().unwrap().write_all(b"x").unwrap();
        child.stdout.take().unwrap().read_to_end(&mut Vec::new()).unwrap();
        child.wait().unwrap()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = set.spawn_with_handle("client", async move {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"x").await.unwrap();
    });
    let (mut server, _) = listener.accept().await.unwrap();
    // The client has closed first, so its end is in TIME_WAIT when all is over.
    assert_eq!(server.read_to_end(&mut Vec::new()).await.unwrap(), 1);
    client.unwrap().await.unwrap();
    assert!(job.unwrap().await.unwrap().success());
    cx.watch(&set);
    cx.own(stack);
}

#[test]
fn nothing_is_found_in_20_rounds_on_two_workers() {
    for _ in 0..ROUNDS {
        leak_test(busy);
    }
}

#[test]
fn nothing_is_found_in_20_rounds_on_one_thread() {
    for _ in 0..ROUNDS {
        LeakTest::new().current_thread().run(busy);
    }
}

/// In a process of one thread the lowest free number is the next one, so this is exact.
#[test]
fn a_number_that_is_used_again_is_known_by_what_it_points_to() {
    LeakTest::new().current_thread().run(|_| async {
        let file = File::open("Cargo.toml").unwrap();
        let number = file.as_raw_fd();
        let before = Footprint::of_self().unwrap();
        assert_eq!(Footprint::of_self().unwrap().since(&before), []);

        drop(file);
        let other = File::open("README.md").unwrap();
        assert_eq!(other.as_raw_fd(), number);
        let found = Footprint::of_self().unwrap().since(&before);
        let [leak] = &*found else { panic!("{found:?}") };
        assert!(leak.kind == Kind::Descriptor && leak.name.ends_with("README.md"), "{leak}");

        drop(other);
        let again = File::open("Cargo.toml").unwrap();
        assert_eq!(again.as_raw_fd(), number);
        assert_eq!(Footprint::of_self().unwrap().since(&before), [], "it is held as before");
    });
}
