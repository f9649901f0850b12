//! What a hostile runtime can make a plugin hold, counted as live bytes. The one test of its program: the counts are those
//! of the process.
#![forbid(unsafe_code)]

use std::alloc::System;
use std::time::Duration;

use landfall_lifecycle::{Clock, Shutdown, TaskSet, Terminate};
use landfall_stub::{Adjustment, Connection, Stub};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What the stub, its tasks and its buffers may hold however little the peer does.
const FIXED_BYTES_MAX: isize = 1 << 20;

fn held(region: &Region<'_, System>) -> isize {
    let stats = region.change();
    stats.bytes_allocated as isize - stats.bytes_deallocated as isize
}

/// A stub that begins to register with a peer that the test plays.
async fn facing_peer() -> (Victim, DuplexStream) {
    let (give, mut peers) = mpsc::unbounded_channel();
    let stub = Stub::builder("victim", 0)
        .on_create_container(async |_, _, _| Ok(Adjustment::new()))
        .clock(Clock::tokio(&Handle::current()))
        .dialer(move || {
            let (ours, theirs) = duplex(64 << 10);
            give.send(theirs).expect("the test waits");
            async { Ok(Connection::new(ours)) }
        })
        .build()
        .expect("sound");
    let starts = TaskSet::new("starts");
    let starting = stub.clone();
    starts.spawn("start", async move { starting.start().await.map(drop) }).expect("open");
    let peer = peers.recv().await.expect("it connects");
    (Victim { stub, _starts: starts }, peer)
}

struct Victim {
    stub: Stub,
    /// Its start, which waits for the peer's answer.
    _starts: TaskSet,
}

/// The header of a message of `bytes` on the plugin's connection, in a frame that announces all of it.
fn announced(bytes: u32, stream: u32) -> Vec<u8> {
    let mut head = vec![0, 0, 0, 1];
    head.extend((bytes + 10).to_be_bytes());
    head.extend(bytes.to_be_bytes());
    head.extend(stream.to_be_bytes());
    head.extend([1, 0]);
    head
}

#[tokio::test(start_paused = true)]
async fn a_hostile_runtime_makes_a_plugin_hold_little() {
    // What the first use of everything allocates for good.
    let (victim, peer) = facing_peer().await;
    end(victim, peer).await;

    let part = vec![0; 1 << 20];

    // A length that is announced costs nothing.
    let region = Region::new(ALLOCATOR);
    let (victim, mut peer) = facing_peer().await;
    peer.write_all(&announced(4 << 20, 1)).await.expect("it reads");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(held(&region) < FIXED_BYTES_MAX, "{} bytes are held for a length", held(&region));

    // What comes costs as much as came, and never more than the message that was announced.
    for _ in 0..3 {
        peer.write_all(&part).await.expect("it reads");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(held(&region) < FIXED_BYTES_MAX + (4 << 20), "{} bytes for 3 MiB", held(&region));
    end(victim, peer).await;
    assert!(held(&region) < FIXED_BYTES_MAX, "{} bytes are left of a generation", held(&region));

    // Frames for nobody, empty ones, and answers to nobody leave nothing.
    let region = Region::new(ALLOCATOR);
    let (victim, mut peer) = facing_peer().await;
    for connection in 3..100_000u32 {
        let mut frame = connection.to_be_bytes().to_vec();
        frame.extend(u32::from(connection % 2 == 0).to_be_bytes());
        frame.extend(&[7][..usize::from(connection % 2 == 0)]);
        peer.write_all(&frame).await.expect("it reads");
    }
    assert!(held(&region) < FIXED_BYTES_MAX, "{} bytes are held for nobody", held(&region));
    end(victim, peer).await;

    // Generation after generation leaves nothing.
    let region = Region::new(ALLOCATOR);
    for _ in 0..200 {
        let (victim, peer) = facing_peer().await;
        end(victim, peer).await;
    }
    assert!(held(&region) < 64 << 10, "{} bytes are left of 200 generations", held(&region));
}

async fn end(Victim { stub, _starts }: Victim, peer: DuplexStream) {
    drop(peer);
    let clock = Clock::tokio(&Handle::current());
    let report = stub.terminate(&Shutdown::within_on(clock, Duration::from_secs(1), Duration::from_secs(2))).await;
    assert_eq!(report.expect("not its own task").stragglers().count(), 0);
}
