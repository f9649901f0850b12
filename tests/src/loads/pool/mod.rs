//! Pools with connections in every state: idle, claimed, being opened, in backoff, being prepared and being closed, with
//! claims in line. One is terminated; of another the last handle is dropped; one is called through tower; one tries out a
//! backend that it has ejected.

mod connector;
pub mod dns;
mod names;
mod peer;
mod tower;
mod trial;

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use landfall_lifecycle::{Level, Report, Stack, TaskSet};
use landfall_pool::{BuildError, Builder, ClaimError, Connector, FixedResolver, Policy, Pool};
use tokio::net::TcpListener;

use self::connector::{DRIVER, Tcp};
pub use self::tower::{TOWER_TWINS, tower};
pub use self::trial::{TRIAL_TWINS, trial};
use crate::findings::Kind;
use crate::observed::{BodyError, Course};
use crate::random::Random;
use crate::twin::Twin;

/// The faults of the product that show where a pool is terminated.
pub const TWINS: &[Twin] = &[
    Twin::product("leave-thread", Kind::Thread).named("landfall-clock"),
    Twin::product("pool/end-early", Kind::Unclean),
    Twin::product("pool/keep-socket", Kind::Socket).named("tcp 127.0.0.1:"),
    Twin::product("pool/leave-driver", Kind::ForeignTask).at_if_told(DRIVER.1),
    Twin::product("pool/leave-maintenance", Kind::ForeignTask).at_if_told(BUILD.1),
];

/// The faults of the product that show where the last pool is dropped.
pub const DROPPED_TWINS: &[Twin] = &[
    Twin::product("pool/forget-dropped", Kind::ForeignTask).at_if_told(BUILD.1),
    Twin::product("pool/keep-socket", Kind::Socket).named("tcp 127.0.0.1:"),
    Twin::product("pool/leave-driver", Kind::ForeignTask).at_if_told(DRIVER.1),
];

/// What starts the pool's own tasks.
type Builds = (fn(Builder<Tcp>) -> Result<Pool<Tcp>, BuildError>, &'static str);

const BUILD: Builds = (|it| it.build(), concat!(file!(), ":", line!()));

const SLOTS: usize = 8;
/// Tasks that claim, use and release. More than there are slots, so that some of them wait.
const CLAIMERS: usize = 14;
/// Time between two looks of a thread without a runtime.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// A holder that nobody interrupts gives up then.
const HELD_MAX: Duration = Duration::from_secs(2);

/// Runs one that is terminated.
///
/// # Errors
///
/// When something is refused before the termination has begun.
pub async fn load(course: Course) -> Result<Report, BodyError> {
    let mut random = course.random();
    let scene = Scene::new().await?;
    let (pool, holders) = (scene.pool()?, course.told(TaskSet::new("holders")));
    occupy(&pool, &holders, &mut random).await?;
    watch(&pool, &holders)?;
    // The holders with the pool: its handles are out when its end begins.
    let stack = Stack::new("stack");
    stack.push(scene.peers)?;
    stack.push_level(Level::of(pool).and(holders))?;
    course.while_it_runs(&mut random).await;
    let report = course.end(&stack).await;
    drop(scene.black_hole);
    report
}

/// Runs one whose last handle is dropped, with handles out.
///
/// # Errors
///
/// When something is refused before the end has begun.
pub async fn dropped(course: Course) -> Result<Report, BodyError> {
    let mut random = course.random();
    let scene = Scene::new().await?;
    let (pool, holders) = (scene.pool()?, course.told(TaskSet::new("holders")));
    hold(&pool, &holders).await?;
    // Idle, being prepared, being closed.
    for _ in 0..random.within(4..20) {
        let mut handle = pool.claim().await?;
        handle.echo().await?;
    }
    course.while_it_runs(&mut random).await;
    // Nobody ends it.
    drop(pool);
    let stack = Stack::new("stack");
    stack.push(scene.peers)?;
    stack.push(holders)?;
    let report = course.end(&stack).await;
    drop(scene.black_hole);
    report
}

/// Where a pool connects to: one that answers, one that refuses, one that accepts and says nothing.
struct Scene {
    peers: TaskSet,
    addresses: [SocketAddr; 3],
    black_hole: TcpListener,
}

impl Scene {
    async fn new() -> Result<Self, BodyError> {
        let peers = TaskSet::new("peers");
        let answers = peer::serve(&peers).await?;
        let black_hole = TcpListener::bind("127.0.0.1:0").await?;
        let refuses = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        Ok(Self { peers, addresses: [answers, refuses, black_hole.local_addr()?], black_hole })
    }

    fn pool(&self) -> Result<Pool<Tcp>, BodyError> {
        Ok(BUILD.0(self.builder(Tcp))?)
    }

    fn builder<K: Connector>(&self, connector: K) -> Builder<K> {
        let mut policy = Policy::default();
        policy.slots_max = SLOTS;
        policy.spares_wanted = 2;
        policy.connect_timeout = Duration::from_millis(200);
        policy.validate_after = Some(Duration::from_millis(5));
        policy.backoff_min = Duration::from_millis(10);
        Pool::builder("pool").resolver(FixedResolver::new(self.addresses)).connector(connector).policy(policy)
    }
}

/// Claims from all sides until the pool ends.
async fn occupy(pool: &Pool<Tcp>, holders: &TaskSet, random: &mut Random) -> Result<(), BodyError> {
    hold(pool, holders).await?;
    for _ in 0..CLAIMERS {
        let (pool, mut random) = (pool.downgrade(), Random::new(random.number()));
        holders.spawn("heedless claimer", async move {
            while let Some(pool) = pool.upgrade() {
                match pool.claim().await {
                    Ok(mut handle) => match random.within(0..8) {
                        0 => handle.discard(),
                        1 => drop(handle.take_out()),
                        _ => drop(handle.echo().await),
                    },
                    Err(ClaimError::Terminating { .. }) => return,
                    Err(_) => {}
                }
            }
        })?;
    }
    Ok(())
}

/// Keeps the grace until only handles are left of the pool: what it gives up and closes by itself is not to be aborted.
fn watch(pool: &Pool<Tcp>, holders: &TaskSet) -> Result<(), BodyError> {
    let (pool, begun) = (pool.clone(), holders.token());
    holders.spawn("drains, watching", async move {
        begun.cancelled().await;
        let is_busy = || {
            let slots = pool.slots();
            slots.connecting + slots.idle + slots.granted + slots.checking + slots.closing > 0
        };
        while is_busy() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    })?;
    Ok(())
}

/// Has one handle held by a task and another by a thread without a runtime, each until it is interrupted.
async fn hold(pool: &Pool<Tcp>, holders: &TaskSet) -> Result<(), BodyError> {
    let [mut by_task, by_thread] = [pool.claim().await?, pool.claim().await?];
    holders.spawn("heedless holder", async move {
        by_task.interrupted().await;
        drop(by_task);
    })?;
    holders.spawn_thread("heedless thread", move |_stop| {
        let flag = by_thread.interrupt_flag();
        let began = std::time::Instant::now();
        while !flag.load(Ordering::SeqCst) && began.elapsed() < HELD_MAX {
            thread::sleep(LOOK_EVERY);
        }
        drop(by_thread);
    })?;
    Ok(())
}
