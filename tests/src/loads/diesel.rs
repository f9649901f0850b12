//! Connections to a file of SQLite, each on its thread, in the hands of users that finish, give up, and never end.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::result::Error;
use diesel::sqlite::SqliteConnection;
use diesel::{QueryResult, RunQueryDsl};
use landfall_diesel_adapter::{DieselPool, Retry, SyncConnector};
use landfall_lifecycle::{Level, Report, Stack, TaskSet};
use landfall_pool::Policy;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::findings::Kind;
use crate::observed::{BodyError, Course};
use crate::random::Random;
use crate::twin::Twin;

/// The faults of the product that show here.
pub const TWINS: &[Twin] = &[
    Twin::product("diesel/forget-brake", Kind::Unclean),
    Twin::product("diesel/keep-connection", Kind::Descriptor).named(FILE),
    Twin::product("leave-thread", Kind::Thread).named("landfall-clock"),
    // As much of its name as the kernel keeps.
    Twin::product("pool/leave-driver", Kind::Thread).named("connection to"),
];

const FILE: &str = "orders.db";
const SLOTS: usize = 6;
/// More than there are slots, so that some of them wait.
const USERS: usize = 10;

type Orders = DieselPool<SyncConnector<SqliteConnection>>;

/// Runs it.
///
/// # Errors
///
/// When something is refused before the termination has begun.
pub async fn load(course: Course) -> Result<Report, BodyError> {
    let mut random = course.random();
    let path = std::env::temp_dir().join(FILE);
    let (pool, users) = (pool(&path.to_string_lossy())?, course.told(TaskSet::new("users")));
    let mut held = pool.claim().await?;
    let (begins, has_begun) = oneshot::channel();
    users.spawn("heedless user of a query without end", async move {
        let runs = move |connection: &mut SqliteConnection| {
            // Nobody waits for it if the load has failed.
            _ = begins.send(());
            count_for_ever(connection)
        };
        held.run(runs).await
    })?;
    has_begun.await?;
    for _ in 0..USERS {
        let (pool, random) = (pool.clone(), Random::new(random.number()));
        users.spawn("heedless user", use_until_refused(pool, random))?;
    }
    watch(&pool, &users)?;
    // Side by side: connections are out when the end begins.
    let stack = Stack::new("stack");
    stack.push_level(Level::of(pool).and(users))?;
    course.while_it_runs(&mut random).await;
    let report = course.end(&stack).await;
    std::fs::remove_file(path)?;
    report
}

fn pool(address: &str) -> Result<Orders, BodyError> {
    let mut policy = Policy::default();
    policy.slots_max = SLOTS;
    policy.validate_after = Some(Duration::from_millis(5));
    // Nothing here is about the disk, and a slow one would only make the closes slow.
    let set_up = |connection: &mut SqliteConnection| {
        connection.batch_execute("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY")?;
        connection.batch_execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL)")
    };
    Ok(DieselPool::sqlite(address).name("orders").policy(policy).on_open(set_up).build()?)
}

/// What goes wrong is a user's to bear: it comes with giving up, and with the end.
async fn use_until_refused(pool: Orders, mut random: Random) {
    loop {
        match random.within(0..5) {
            0 => drop(pool.transaction(Retry::serializable(), order).await),
            1 => {
                let fails = |connection: &mut SqliteConnection| order(connection).and(Err::<(), _>(Error::NotFound));
                drop(pool.transaction(Retry::serializable(), fails).await);
            }
            choice => {
                let Ok(mut connection) = pool.claim().await else { return };
                match choice {
                    2 => drop(connection.run(order).await),
                    3 => {
                        let given_up = Duration::from_micros(random.within(0..3_000));
                        drop(timeout(given_up, connection.run(count_for_ever)).await);
                    }
                    _ => connection.discard(),
                }
            }
        }
    }
}

fn order(connection: &mut SqliteConnection) -> QueryResult<()> {
    diesel::sql_query("INSERT INTO orders (item) VALUES ('tea')").execute(connection).map(drop)
}

fn count_for_ever(connection: &mut SqliteConnection) -> QueryResult<()> {
    let query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
    diesel::sql_query(query).execute(connection).map(drop)
}

/// Keeps the grace until only handles are left of the pool: what it gives up and closes by itself is not to be aborted.
fn watch(pool: &Orders, users: &TaskSet) -> Result<(), BodyError> {
    let (pool, begun) = (pool.clone(), users.token());
    users.spawn("drains, watching", async move {
        begun.cancelled().await;
        let is_busy = || {
            let slots = pool.pool().slots();
            slots.connecting + slots.idle + slots.granted + slots.checking + slots.closing > 0
        };
        while is_busy() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })?;
    Ok(())
}
