//! What a resolver holds, by the allocator's count, beside the bytes that it may keep. In a binary of its own: the
//! counting allocator is the whole process's.
#![forbid(unsafe_code)]
#![cfg(feature = "dns")]

use std::alloc::System;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Message, OpCode};
use hickory_proto::rr::rdata::{A, SRV};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
use landfall_pool::Resolver;
use landfall_pool::dns::{DnsPolicy, DnsResolver, Families, Transport};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What a server says of a service: so many targets with names so long, each with so many addresses.
#[derive(Clone, Copy, Debug)]
struct Zone {
    targets: usize,
    name_bytes: usize,
    addresses: u8,
}

fn target(zone: Zone, number: usize) -> Name {
    let mut text = format!("t{number}");
    while text.len() + 60 < zone.name_bytes {
        text += &format!(".{}", "x".repeat(50));
    }
    Name::from_ascii(text + ".example.").unwrap()
}

fn reply(zone: Zone, question: &[u8]) -> Vec<u8> {
    let question = Message::from_vec(question).unwrap();
    let query = question.queries[0].clone();
    let mut reply = Message::response(question.metadata.id, OpCode::Query);
    let data: Vec<RData> = match query.query_type {
        RecordType::SRV => (0..zone.targets).map(|n| RData::SRV(SRV::new(0, 1, 5432, target(zone, n)))).collect(),
        _ => (0..zone.addresses).map(|n| RData::A(A(Ipv4Addr::new(127, 0, 0, n)))).collect(),
    };
    reply.add_answers(data.into_iter().map(|data| Record::from_rdata(query.name.clone(), 3_600, data)));
    reply.add_query(query);
    reply.to_vec().unwrap()
}

async fn answer(mut stream: TcpStream, zone: Zone) -> std::io::Result<()> {
    let mut question = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut question).await?;
    let reply = reply(zone, &question);
    stream.write_u16(reply.len().try_into().unwrap()).await?;
    stream.write_all(&reply).await
}

async fn serve(zone: Zone, tasks: &TaskSet) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, set, stop) = (listener.local_addr().unwrap(), tasks.downgrade(), tasks.token());
    let accept = async move {
        while let (Ok((stream, _)), Some(set)) = (listener.accept().await, set.upgrade()) {
            // Who asked may have gone.
            set.spawn("answer", async move { drop(answer(stream, zone).await) }).unwrap();
        }
    };
    tasks.spawn("accept", async move { stop.run_until_cancelled(accept).await }).unwrap();
    address
}

fn live() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// What a resolver holds, and how many backends it has found, once it has nothing more to tell. Were that too soon it
/// would be less.
async fn held(zone: Zone, policy: &DnsPolicy) -> (usize, usize) {
    let tasks = TaskSet::new("server");
    let service = DnsResolver::service("_pg._tcp.example").servers([serve(zone, &tasks).await]);
    let mut resolver = service.policy(policy.clone()).build().unwrap();
    let mut found = resolver.next().await.unwrap().len();
    while let Ok(set) = timeout(Duration::from_millis(500), resolver.next()).await {
        found = set.unwrap().len();
    }
    // Nothing else runs meanwhile.
    let before = live();
    drop(resolver);
    let held = before - live();
    let ended = tasks.terminate(&Shutdown::within(Duration::from_secs(50), Duration::from_secs(55))).await.unwrap();
    assert!(ended.is_clean(), "{ended}");
    (held, found)
}

#[test]
fn a_resolver_holds_no_more_than_it_may() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut policy = DnsPolicy::default();
        (policy.families, policy.transport) = (Families::Ipv4, Transport::Tcp);
        policy.bytes_max = 64 << 20;
        let ample = Zone { targets: 200, name_bytes: 230, addresses: 20 };
        let (held_amply, found) = held(ample, &policy).await;
        assert_eq!(found, 200 * 20, "20 addresses of each");
        for bytes_max in [64 << 10, 256 << 10] {
            policy.bytes_max = bytes_max;
            let few = Zone { addresses: 1, ..ample };
            let short = Zone { targets: 1_000, name_bytes: 0, addresses: 1 };
            let one = Zone { targets: 1, name_bytes: 0, addresses: 250 };
            for zone in [ample, few, short, one] {
                let (held, found) = held(zone, &policy).await;
                assert!(found > 0 && held <= bytes_max, "{held} bytes of {bytes_max} for {found} backends of {zone:?}");
                assert!(held < held_amply);
            }
        }
    });
}
