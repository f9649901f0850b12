//! A pool whose backends come from DNS, terminated while questions are under way: of one name server that answers over
//! UDP and TCP, and of one that never does.

use std::net::SocketAddr;
use std::time::Duration;

use landfall_lifecycle::{Report, Stack, TaskSet};
use landfall_pool::dns::{DnsPolicy, DnsResolver};
use landfall_pool::{MergedResolver, Policy, Pool};
use tokio::net::UdpSocket;

use super::connector::Tcp;
use super::{names, peer};
use crate::findings::Kind;
use crate::observed::{BodyError, Course};
use crate::twin::Twin;

/// The faults of the product that show where a resolver is at work.
pub const TWINS: &[Twin] = &[Twin::product("pool/leave-lookup", Kind::Socket).named("udp 127.0.0.1:")];

/// Runs it.
///
/// # Errors
///
/// When something is refused before the termination has begun.
pub async fn load(course: Course) -> Result<Report, BodyError> {
    let mut random = course.random();
    // They begin to end once the pool has ended: until then grace is not cut.
    let peers = course.awaited(TaskSet::new("peers"));
    let (backend, answers) = (peer::serve(&peers).await?, names::serve(&peers).await?);
    let silent = UdpSocket::bind("127.0.0.1:0").await?;
    let of = |server: SocketAddr| {
        let mut policy = DnsPolicy::default();
        policy.ttl_min = Duration::from_millis(10);
        // Longer than the round: what is under way is cut.
        policy.server_timeout = Duration::from_secs(60);
        policy.lookup_timeout = Duration::from_secs(60);
        DnsResolver::host(names::HOST, backend.port()).servers([server]).policy(policy).build()
    };
    let resolver = MergedResolver::new().and(of(answers)?).and(of(silent.local_addr()?)?);
    let mut policy = Policy::default();
    policy.slots_max = 4;
    let pool = Pool::builder("pool").resolver(resolver).connector(Tcp).policy(policy).build()?;
    let stack = Stack::new("stack");
    stack.push(peers)?;
    stack.push(pool.clone())?;
    for _ in 0..random.within(1..20) {
        pool.claim().await?.echo().await?;
    }
    course.while_it_runs(&mut random).await;
    let report = course.end(&stack).await;
    drop(silent);
    report
}
