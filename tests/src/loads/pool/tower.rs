//! A pool inside of tower: callers whose calls are answered, cut while the connection works, or given up before; a buffer
//! whose worker waits to be ready; values that are ready and never called.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use landfall_lifecycle::{Level, Report, Stack, TaskSet};
use landfall_pool::tower::PooledService;
use landfall_pool::{Backend, BoxError, ConnectCx, Connected, Connector, Spawner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tower::buffer::Buffer;
use tower::{Service, ServiceExt};

use super::peer::GREETING;
use super::{CLAIMERS, LOOK_EVERY, Scene};
use crate::findings::Kind;
use crate::observed::{BodyError, Course};
use crate::random::Random;
use crate::twin::Twin;

/// The faults of the product that show here.
pub const TOWER_TWINS: &[Twin] = &[
    Twin::product("pool/keep-called", Kind::Unclean),
    Twin::product("pool/keep-socket", Kind::Socket).named("tcp 127.0.0.1:"),
];

/// What a call asks for: its byte back, or nothing.
#[derive(Clone, Copy, Debug)]
enum Ask {
    Echo,
    Silence,
}

struct Lines;

/// A connection that is a service. Its calls share it, since they outlive the borrow.
struct Line(Arc<Mutex<TcpStream>>);

impl Service<Ask> for Line {
    type Response = ();
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, ask: Ask) -> Self::Future {
        let stream = Arc::clone(&self.0);
        Box::pin(async move {
            let mut stream = stream.lock().await;
            if let Ask::Echo = ask {
                stream.write_all(b".").await?;
            }
            stream.read_exact(&mut [0]).await.map(drop)
        })
    }
}

impl Connector for Lines {
    type Connection = Line;

    async fn connect(&self, backend: &Backend, _: &ConnectCx) -> Result<Connected<Line>, BoxError> {
        let mut stream = TcpStream::connect(backend.address).await?;
        if stream.read_u8().await? != GREETING {
            return Err("it does not greet".into());
        }
        let stream = stream.into_std()?;
        let other = stream.try_clone()?;
        // One that the peer has closed already is as good as shut down.
        let interrupt = move |_: &Spawner| drop(other.shutdown(std::net::Shutdown::Both));
        let line = Line(Arc::new(Mutex::new(TcpStream::from_std(stream)?)));
        Ok(Connected::from(line).with_interrupt(interrupt))
    }
}

/// Runs one that is terminated while all of that goes on.
///
/// # Errors
///
/// When something is refused before the termination has begun.
pub async fn tower(course: Course) -> Result<Report, BodyError> {
    let mut random = course.random();
    let scene = Scene::new().await?;
    let pool = scene.builder(Lines).build()?;
    let callers = course.told(TaskSet::new("callers"));
    let service = PooledService::new(pool.clone());
    let (buffer, worker) = Buffer::pair(service.clone(), CLAIMERS);
    callers.spawn("worker", worker)?;
    for _ in 0..CLAIMERS {
        let random = Random::new(random.number());
        callers.spawn("caller", call_until_the_end(service.clone(), random))?;
        let buffer = buffer.clone();
        callers.spawn("buffered caller", async move {
            // What the buffer says last is that its service has ended.
            while buffer.clone().oneshot(Ask::Echo).await.is_ok() {}
        })?;
    }
    drop(buffer);
    let stack = Stack::new("stack");
    // They begin to end once the pool has ended: until then grace is not cut.
    stack.push(course.awaited(scene.peers))?;
    stack.push_level(Level::of(pool).and(callers))?;
    course.while_it_runs(&mut random).await;
    let report = course.end(&stack).await;
    drop(scene.black_hole);
    report
}

/// Calls, or does not, until the pool ends.
async fn call_until_the_end(service: PooledService<Lines>, mut random: Random) {
    loop {
        let mut service = service.clone();
        let Ok(ready) = ServiceExt::<Ask>::ready(&mut service).await else { return };
        match random.within(0..4) {
            // What was granted goes to the next, be it at once or when its time is over.
            0 => tokio::time::sleep(LOOK_EVERY).await,
            1 => drop(ready.call(Ask::Echo)),
            2 => drop(tokio::time::timeout(Duration::from_millis(1), ready.call(Ask::Silence)).await),
            // One that fails, since a connect took too long or the end is near, is followed by the next.
            _ => drop(ready.call(Ask::Echo).await),
        }
    }
}
