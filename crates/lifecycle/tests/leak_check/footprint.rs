//! Footprints: each kind of thing that is held is found by its identity, and what has gone is not.
//!
//! The tests of one binary share a process, so each looks only for what it made itself.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;

use landfall_lifecycle::leak_check::{Footprint, FootprintError, Kind, Leak};

fn now() -> Footprint {
    Footprint::of_self().unwrap()
}

/// The one new item that `is_it` knows.
#[track_caller]
fn one(before: &Footprint, is_it: impl Fn(&Leak) -> bool) -> Leak {
    let found = now().since(before);
    let known: Vec<&Leak> = found.iter().filter(|leak| is_it(leak)).collect();
    assert_eq!(known.len(), 1, "{found:#?}");
    known[0].clone()
}

#[track_caller]
fn none(before: &Footprint, is_it: impl Fn(&Leak) -> bool) {
    let found = now().since(before);
    assert!(!found.iter().any(is_it), "{found:#?}");
}

fn inode(socket: impl Into<OwnedFd>) -> u64 {
    File::from(socket.into()).metadata().unwrap().ino()
}

fn has_inode(inode: u64) -> impl Fn(&Leak) -> bool {
    let end = format!("inode {inode}");
    move |leak| leak.kind == Kind::Socket && leak.detail.ends_with(&end)
}

#[test]
fn a_thread_is_found_by_its_name() {
    let before = now();
    let (release, held) = channel::<()>();
    let (ready, is_ready) = channel();
    #[expect(clippy::disallowed_methods, reason = "joined below; it is what is to be found")]
    let thread = std::thread::Builder::new()
        .name("planted".to_owned())
        .spawn(move || {
            ready.send(()).unwrap();
            held.recv().unwrap_err();
        })
        .unwrap();
    is_ready.recv().unwrap();
    let is_it = |leak: &Leak| leak.kind == Kind::Thread && leak.name == "planted";
    let leak = one(&before, is_it);
    assert!(leak.age.is_some() && leak.detail.starts_with("thread "), "{leak:?}");
    drop(release);
    thread.join().unwrap();
    none(&before, is_it);
}

#[test]
fn a_descriptor_is_found_by_what_it_points_to() {
    let path = std::env::temp_dir().join(format!("landfall-footprint-{}", std::process::id()));
    let file = File::create(&path).unwrap();
    let before = now();
    let second = File::open(&path).unwrap();
    let is_it = |leak: &Leak| leak.kind == Kind::Descriptor && leak.name == path.to_string_lossy();
    let leak = one(&before, is_it);
    assert_eq!(leak.detail, format!("descriptor {}", second.as_raw_fd()));
    drop((file, second));
    none(&before, is_it);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_copy_of_a_socket_that_was_there_is_a_descriptor() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let before = now();
    let copy = socket.try_clone().unwrap();
    let name = format!("socket:[{}]", inode(socket.try_clone().unwrap()));
    let leak = one(&before, |leak| leak.name == name);
    assert_eq!((leak.kind, leak.detail), (Kind::Descriptor, format!("descriptor {}", copy.as_raw_fd())));
}

#[test]
fn a_listener_and_both_ends_of_a_connection_have_addresses_and_states() {
    let before = now();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let leak = one(&before, has_inode(inode(listener.try_clone().unwrap())));
    assert_eq!(leak.name, format!("tcp {address}"));
    assert!(leak.detail.starts_with("LISTEN, descriptor "), "{leak:?}");

    let client = TcpStream::connect(address).unwrap();
    let (server, peer) = listener.accept().unwrap();
    let leak = one(&before, has_inode(inode(client.try_clone().unwrap())));
    assert_eq!(leak.name, format!("tcp {peer} to {address}"));
    assert!(leak.detail.starts_with("ESTABLISHED, "), "{leak:?}");
    assert_eq!(one(&before, has_inode(inode(server.try_clone().unwrap()))).name, format!("tcp {address} to {peer}"));
}

/// The end that was closed first stays in the kernel as `TIME_WAIT`, which is no leak; the other end, which nobody
/// closes, is one.
#[test]
fn close_wait_is_a_leak_and_time_wait_is_none() {
    let before = now();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, peer) = listener.accept().unwrap();
    drop(client);
    assert_eq!(server.read(&mut [0; 1]).unwrap(), 0, "the other end is closed");
    let is_server = has_inode(inode(server.try_clone().unwrap()));
    let leak = one(&before, &is_server);
    assert!(leak.detail.starts_with("CLOSE_WAIT, "), "{leak:?}");
    drop(server);
    let port = format!(":{:04X} ", peer.port());
    let is_in_time_wait = |line: &str| line.contains(&port) && line.contains(" 06 ");
    let tables = || std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    assert!((0..1_000_000).any(|_| tables().lines().any(is_in_time_wait)), "it is in TIME_WAIT:\n{}", tables());
    none(&before, |leak| leak.name.contains(&peer.to_string()));
}

#[test]
fn unix_sockets_are_named_by_their_path() {
    let path = std::env::temp_dir().join(format!("landfall-footprint-{}.sock", std::process::id()));
    let before = now();
    let listener = UnixListener::bind(&path).unwrap();
    let leak = one(&before, has_inode(inode(listener.try_clone().unwrap())));
    assert_eq!(leak.name, format!("unix {}", path.display()));
    assert!(leak.detail.starts_with("LISTEN, "), "{leak:?}");
    std::fs::remove_file(&path).unwrap();
}

fn cat() -> Child {
    Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_living_child_is_found_and_a_zombie_until_it_is_waited_for() {
    let before = now();
    let mut child = cat();
    // It answers once it is what it will be: its name is another one until then.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"a").unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0; 1]).unwrap();
    let start = format!("process {}, ", child.id());
    let is_it = |leak: &Leak| leak.kind == Kind::ChildProcess && leak.detail.starts_with(&start);
    let leak = one(&before, is_it);
    assert_eq!(leak.name, "cat");
    assert!(!leak.detail.contains("waited"), "{leak:?}");

    drop(stdin);
    child.stdout.take().unwrap().read_to_end(&mut Vec::new()).unwrap();
    // Its output is closed a moment before it has ended.
    let zombie = std::iter::repeat_with(|| one(&before, is_it)).find(|leak| leak.detail.contains("waited")).unwrap();
    assert_eq!(zombie.name, "cat");
    child.wait().unwrap();
    none(&before, is_it);
}

#[test]
fn another_process_is_looked_at_by_its_id() {
    let mut child = cat();
    let footprint = Footprint::of(child.id()).unwrap();
    assert_eq!((footprint.pid(), footprint.threads().len()), (child.id(), 1));
    assert!(footprint.descriptors().iter().any(|descriptor| descriptor.number == 0), "{footprint:?}");
    assert!(footprint.children().is_empty() && footprint.since(&footprint).is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    let error = Footprint::of(child.id()).unwrap_err();
    assert!(matches!(error, FootprintError::NoProcess { .. }), "{error}");
}
