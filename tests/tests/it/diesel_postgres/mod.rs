//! Diesel's connections to a real PostgreSQL server.

mod cancel;
mod ending;
mod give_up;
mod open;
mod tls;
mod transactions;
mod uses;

use diesel::QueryResult;
use diesel::sql_types::BigInt;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use landfall_diesel_adapter::{DieselPool, PgBuilder, PgConnection, PgConnector};
use landfall_lifecycle::{Report, Shutdown, Terminate};
use landfall_pool::Policy;
use landfall_tests::postgres::{Cluster, Witness};

use crate::server::LONG;

type PgPool = DieselPool<PgConnector>;

fn url(cluster: &Cluster) -> String {
    format!("postgres://landfall@{}/postgres", cluster.address())
}

/// Keeps nothing ready and nothing timed, so that a test sees only what it asks for.
fn plain(slots_max: usize) -> Policy {
    let mut policy = Policy::default();
    policy.slots_max = slots_max;
    policy.spares_wanted = 0;
    policy.validate_after = None;
    policy.keepalive = None;
    policy.idle_timeout = None;
    policy.lifetime_max = None;
    policy.ejection_failures = None;
    policy.ejection_failure_percent = None;
    // A busy machine is no outage.
    policy.connect_timeout = LONG;
    policy.close_timeout = LONG;
    policy.check_timeout = LONG;
    policy.claim_timeout = LONG;
    policy
}

fn builder(cluster: &Cluster, slots_max: usize) -> PgBuilder {
    DieselPool::postgres(url(cluster)).plain_text().policy(plain(slots_max))
}

fn pool(cluster: &Cluster, slots_max: usize) -> PgPool {
    builder(cluster, slots_max).build().expect("it is fine")
}

/// A pool beside an empty table.
async fn pool_of_orders(cluster: &Cluster, slots_max: usize) -> PgPool {
    let pool = pool(cluster, slots_max);
    let made = "DROP TABLE IF EXISTS orders; CREATE TABLE orders (id SERIAL PRIMARY KEY, item TEXT NOT NULL)";
    pool.claim().await.expect("the server answers").batch_execute(made).await.expect("it may");
    pool
}

async fn insert(connection: &mut PgConnection) -> QueryResult<()> {
    diesel::sql_query("INSERT INTO orders (item) VALUES ('tea')").execute(connection).await.map(drop)
}

async fn count(connection: &mut PgConnection) -> QueryResult<i64> {
    diesel::dsl::sql::<BigInt>("SELECT count(*) FROM orders").get_result(connection).await
}

async fn counted(pool: &PgPool) -> i64 {
    count(&mut pool.claim().await.expect("the server answers")).await.expect("it is there")
}

/// How many connections were ever opened.
fn opened(pool: &PgPool) -> u64 {
    pool.pool().stats().backends.iter().map(|backend| backend.connects).sum()
}

/// How many came back unfit.
fn discarded(pool: &PgPool) -> u64 {
    pool.pool().stats().totals.discarded
}

/// Terminates a pool that nobody holds anything of: right after it the server has none of its sessions.
async fn end(pool: &PgPool, witness: &mut Witness) {
    let report = pool.terminate(&Shutdown::within(LONG, LONG)).await.expect("no task of the pool calls");
    assert_eq!(witness.others().expect("it answers"), 0);
    assert_clean(&report);
}

#[track_caller]
fn assert_clean(report: &Report) {
    assert!(report.is_clean(), "\n{report}");
}

/// Waits until so many sessions do what looks like this.
async fn until_active(witness: &mut Witness, query: &str, count: usize) {
    let asked = format!(
        "select pid from pg_stat_activity where query like '%{query}%' and state = 'active' and pid <> pg_backend_pid()"
    );
    while witness.query(&asked).expect("it answers").len() != count {
        tokio::task::yield_now().await;
    }
}

/// Waits until the server has no session but the witness's.
async fn until_none(witness: &mut Witness) {
    while witness.others().expect("it answers") > 0 {
        tokio::task::yield_now().await;
    }
}
