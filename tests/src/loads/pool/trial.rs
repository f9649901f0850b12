//! A pool that has ejected a backend and tries it out, terminated while the check that a trial begins with is under way.

use std::time::Duration;

use landfall_lifecycle::{Report, Stack, TaskSet};
use landfall_pool::{Backend, BoxError, ConnectCx, Connected, Connector, FixedResolver, Policy, Pool};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::peer::GREETING;
use super::{LOOK_EVERY, peer};
use crate::findings::Kind;
use crate::observed::{BodyError, Course};
use crate::twin::Twin;

/// The faults of the product that show where a backend is on trial.
pub const TRIAL_TWINS: &[Twin] = &[Twin::product("pool/leave-trial", Kind::Socket).named("tcp 127.0.0.1:")];

/// Connects, and checks a connection for ever.
struct Patient;

impl Connector for Patient {
    type Connection = TcpStream;

    async fn connect(&self, backend: &Backend, _: &ConnectCx) -> Result<Connected<TcpStream>, BoxError> {
        let mut stream = TcpStream::connect(backend.address).await?;
        if stream.read_u8().await? != GREETING {
            return Err("it does not greet".into());
        }
        Ok(stream.into())
    }

    async fn is_valid(&self, _: &mut TcpStream) -> Result<(), BoxError> {
        // Nor does the other side's end end it.
        std::future::pending().await
    }
}

/// Runs it.
///
/// # Errors
///
/// When something is refused before the termination has begun.
pub async fn trial(course: Course) -> Result<Report, BodyError> {
    let mut random = course.random();
    // They begin to end once the pool has ended: until then grace is not cut.
    let peers = course.awaited(TaskSet::new("peers"));
    let (sound, fails) = (peer::serve(&peers).await?, peer::serve(&peers).await?);
    let mut policy = Policy::default();
    (policy.slots_max, policy.slots_min) = (4, 4);
    // Nothing is checked but what is on trial, and that is cut by the end alone.
    (policy.validate_after, policy.keepalive) = (None, None);
    policy.check_timeout = Duration::from_secs(60);
    policy.ejection_failures = Some(1);
    (policy.ejection_time, policy.ejection_time_max) = (Duration::from_millis(1), Duration::from_millis(10));
    let resolver = FixedResolver::new([sound, fails]);
    let pool = Pool::builder("pool").resolver(resolver).connector(Patient).policy(policy).build()?;
    let stack = Stack::new("stack");
    stack.push(peers)?;
    stack.push(pool.clone())?;
    while pool.slots().checking == 0 {
        let handle = pool.claim().await?;
        if handle.backend().address == fails {
            handle.discard();
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    for _ in 0..random.within(1..20) {
        drop(pool.claim().await?);
    }
    course.while_it_runs(&mut random).await;
    course.end(&stack).await
}
