//! What a hostile runtime can make a plugin hold, counted as live bytes. One test of its program at a time: the counts are
//! those of the process.
#![forbid(unsafe_code)]

use std::alloc::System;
use std::time::Duration;

use futures_util::FutureExt;
use landfall_lifecycle::{Clock, Shutdown, TaskSet, Terminate};
use landfall_stub::messages::{
    Container, CreateContainerRequest, KeyValue, LinuxContainer, LinuxDevice, Mount, PodSandbox, SynchronizeRequest,
    User,
};
use landfall_stub::{Adjustment, CloseCause, Connection, Loss, Phase, Stub, StubBuilder, StubOptions};
use prost::Message;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, mpsc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Who counts.
static ALONE: Mutex<()> = Mutex::const_new(());

/// What the stub, its tasks and its buffers may hold however little the peer does.
const FIXED_BYTES_MAX: isize = 1 << 20;

fn held(region: &Region<'_, System>) -> isize {
    let stats = region.change();
    stats.bytes_allocated as isize - stats.bytes_deallocated as isize
}

/// A stub that begins to register with a peer that the test plays.
async fn facing_peer() -> (Victim, DuplexStream) {
    facing_peer_as(|builder| builder.on_create_container(async |_, _, _| Ok(Adjustment::new()))).await
}

async fn facing_peer_as(handlers: impl FnOnce(StubBuilder) -> StubBuilder) -> (Victim, DuplexStream) {
    let (give, mut peers) = mpsc::unbounded_channel();
    let stub = handlers(Stub::builder("victim", 0))
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
    let _alone = ALONE.lock().await;
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

/// The least that may be asked for.
const DECODED_BYTES_MAX: usize = 8 << 20;

/// ttrpc: `Request`, as far as it matters here.
#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(string, tag = "1")]
    service: String,
    #[prost(string, tag = "2")]
    method: String,
    #[prost(bytes = "vec", tag = "3")]
    payload: Vec<u8>,
    #[prost(message, repeated, tag = "5")]
    metadata: Vec<KeyValue>,
}

/// A request of `parts` of the same sort, by the name of the sort.
fn heavy(sort: &str, parts: usize) -> Envelope {
    let mut metadata = Vec::new();
    let container = Container::default();
    let create = |container| CreateContainerRequest { pod: None, container: Some(container) }.encode_to_vec();
    let of_linux = |linux| create(Container { linux: Some(linux), ..Container::default() });
    let (method, payload) = match sort {
        "metadata" => {
            metadata = vec![KeyValue::default(); parts];
            ("CreateContainer", Vec::new())
        }
        "pods" => (
            "Synchronize",
            SynchronizeRequest { pods: vec![PodSandbox::default(); parts], ..Default::default() }.encode_to_vec(),
        ),
        "containers" => (
            "Synchronize",
            SynchronizeRequest { containers: vec![container; parts], ..Default::default() }.encode_to_vec(),
        ),
        "env" => ("CreateContainer", create(Container { env: vec![String::new(); parts], ..container })),
        "labels" => {
            let labels = (0..parts).map(|part| (format!("{part:x}"), String::new())).collect();
            ("CreateContainer", create(Container { labels, ..container }))
        }
        "mounts" => ("CreateContainer", create(Container { mounts: vec![Mount::default(); parts], ..container })),
        "options" => {
            let mount = Mount { options: vec!["x".to_owned(); parts], ..Mount::default() };
            ("CreateContainer", create(Container { mounts: vec![mount], ..container }))
        }
        "devices" => (
            "CreateContainer",
            of_linux(LinuxContainer { devices: vec![LinuxDevice::default(); parts], ..Default::default() }),
        ),
        "groups" => {
            let user = User { additional_gids: vec![1; parts], ..User::default() };
            ("CreateContainer", create(Container { user: Some(user), ..container }))
        }
        other => panic!("there is no {other}"),
    };
    let service = "nri.pkg.api.v1alpha1.Plugin".to_owned();
    Envelope { service, method: method.to_owned(), payload, metadata }
}

/// A plugin that holds what it is given, until it is stopped.
async fn holding() -> (Victim, DuplexStream) {
    let mut options = StubOptions::default();
    options.decoded_bytes_max = DECODED_BYTES_MAX;
    let holds = |builder: StubBuilder| {
        builder
            .options(options)
            .on_create_container(async |cx, pod, container| {
                cx.token().cancelled().await;
                drop((pod, container));
                Ok(Adjustment::new())
            })
            .on_synchronize(async |cx, pods, containers| {
                cx.token().cancelled().await;
                drop((pods, containers));
                Ok(Vec::new())
            })
    };
    facing_peer_as(holds).await
}

async fn send(peer: &mut DuplexStream, stream: u32, request: &Envelope) -> std::io::Result<()> {
    let body = request.encode_to_vec();
    peer.write_all(&announced(u32::try_from(body.len()).expect("short"), stream)).await?;
    peer.write_all(&body).await?;
    // Until it is decoded and its handler waits; the registration gives up after 5 s.
    tokio::time::sleep(Duration::from_millis(10)).await;
    Ok(())
}

/// What is tiny on the wire and large in memory is weighed before it is decoded: whatever it consists of, a message that is
/// taken holds no more than it may, and one that would is a loss with a name.
#[tokio::test(start_paused = true)]
async fn messages_of_many_tiny_parts_are_weighed_before_they_are_decoded() {
    let _alone = ALONE.lock().await;
    let (victim, peer) = holding().await;
    end(victim, peer).await;
    for sort in ["metadata", "pods", "containers", "env", "labels", "mounts", "options", "devices", "groups"] {
        let mut taken = 0;
        let loss = loop {
            let parts = 1_000 << taken;
            let request = heavy(sort, parts);
            let region = Region::new(ALLOCATOR);
            let (victim, mut peer) = holding().await;
            let sent = send(&mut peer, 1, &request).await;
            let held = held(&region);
            if let Some(closed) = victim.stub.wait().now_or_never() {
                assert!(held < FIXED_BYTES_MAX, "{sort}: {held} bytes for a message that is not taken");
                end(victim, peer).await;
                break closed.expect("it had a connection").cause;
            }
            sent.expect("it is read");
            let decoded_bytes_max = isize::try_from(DECODED_BYTES_MAX).expect("small");
            assert!(held < FIXED_BYTES_MAX + decoded_bytes_max, "{sort}: {held} bytes for {parts} parts");
            end(victim, peer).await;
            taken += 1;
            assert!(taken < 12, "{sort}: {parts} parts are taken, and hold {held} bytes");
        };
        match loss {
            CloseCause::Lost(Loss::MessageTooHeavy { bytes, bytes_max: DECODED_BYTES_MAX }) => {
                assert!(taken > 0 && bytes > DECODED_BYTES_MAX, "{sort}: {bytes} bytes after {taken}");
            }
            other => panic!("{sort}: {other}"),
        }
    }
}

/// Several that may each be taken share one cap: what passes it is refused, and the connection is as good as before.
#[tokio::test(start_paused = true)]
async fn heavy_messages_at_once_share_one_cap() {
    let _alone = ALONE.lock().await;
    let (victim, peer) = holding().await;
    end(victim, peer).await;
    let region = Region::new(ALLOCATOR);
    let (victim, mut peer) = holding().await;
    let request = heavy("mounts", 8_000);
    for stream in (1..41).step_by(2) {
        send(&mut peer, stream, &request).await.expect("it is read");
    }
    let bound = FIXED_BYTES_MAX + isize::try_from(DECODED_BYTES_MAX).expect("small");
    assert!(held(&region) > 1 << 20, "{} bytes: none was taken", held(&region));
    assert!(held(&region) < bound, "{} bytes are held at once", held(&region));
    assert_eq!(victim.stub.phase(), Phase::Starting);
    end(victim, peer).await;
}

async fn end(Victim { stub, _starts }: Victim, peer: DuplexStream) {
    drop(peer);
    let clock = Clock::tokio(&Handle::current());
    let report = stub.terminate(&Shutdown::within_on(clock, Duration::from_secs(1), Duration::from_secs(2))).await;
    assert_eq!(report.expect("not its own task").stragglers().count(), 0);
}
