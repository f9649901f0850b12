//! Operations on a connection's thread, and what becomes of the connection.

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::sqlite::SqliteConnection;
use landfall_diesel_adapter::{RunError, Unusable};

use crate::harness::{File, end, on_both, one};

diesel::table! {
    orders (id) {
        id -> BigInt,
    }
}

fn make_table(connection: &mut SqliteConnection) -> QueryResult<()> {
    connection.batch_execute("CREATE TABLE IF NOT EXISTS orders (id BIGINT PRIMARY KEY NOT NULL)")
}

fn insert(connection: &mut SqliteConnection, id: i64) -> QueryResult<usize> {
    diesel::insert_into(orders::table).values(orders::id.eq(id)).execute(connection)
}

fn ids(connection: &mut SqliteConnection) -> QueryResult<Vec<i64>> {
    orders::table.select(orders::id).order(orders::id).load(connection)
}

#[test]
fn a_closure_has_the_connection_for_as_many_statements_as_it_likes() {
    on_both(|| async {
        let file = File::new();
        let pool = file.pool(1).on_open(make_table).build().unwrap();
        let mut connection = pool.claim().await.unwrap();
        let found = connection.run(|connection| {
            (1..=5).try_for_each(|id| insert(connection, id).map(drop))?;
            ids(connection)
        });
        assert_eq!(found.await.unwrap(), [1, 2, 3, 4, 5]);
        drop(connection);
        end(&pool).await;
    });
}

#[test]
fn an_error_is_the_operation_s_own_and_the_connection_goes_on() {
    on_both(|| async {
        let file = File::new();
        let pool = file.pool(1).build().unwrap();
        let mut connection = pool.claim().await.unwrap();
        let failed = connection.run(ids).await;
        assert!(matches!(&failed, Err(RunError::Failed(diesel::result::Error::DatabaseError(..)))), "{failed:?}");
        assert_eq!(connection.run(one).await.unwrap(), 1);
        drop(connection);
        assert_eq!(pool.pool().slots().idle, 1);
        end(&pool).await;
    });
}

#[test]
fn a_panic_is_an_error_and_costs_its_own_connection_only() {
    on_both(|| async {
        let file = File::new();
        let pool = file.pool(1).on_open(make_table).build().unwrap();
        let mut connection = pool.claim().await.unwrap();
        let panicked = connection.run(|connection| -> QueryResult<()> {
            connection.transaction(|connection| {
                insert(connection, 1)?;
                panic!("planned {}", 7)
            })
        });
        let panicked = panicked.await;
        assert!(matches!(&panicked, Err(RunError::Panicked { message, .. }) if message == "planned 7"), "{panicked:?}");
        let refused = connection.run(one).await;
        assert!(matches!(refused, Err(RunError::Unusable { why: Unusable::Panicked, .. })));
        drop(connection);
        // Another connection, which sees nothing of the transaction.
        assert!(pool.claim().await.unwrap().run(ids).await.unwrap().is_empty());
        assert_eq!(pool.pool().stats().totals.discarded, 1);
        end(&pool).await;
    });
}

#[test]
fn a_transaction_goes_on_in_the_next_operation_and_never_reaches_another_user() {
    on_both(|| async {
        let file = File::new();
        let pool = file.pool(1).on_open(make_table).build().unwrap();
        let begin = |connection: &mut SqliteConnection| AnsiTransactionManager::begin_transaction(connection);
        let commit = |connection: &mut SqliteConnection| AnsiTransactionManager::commit_transaction(connection);
        let mut connection = pool.claim().await.unwrap();
        connection.run(begin).await.unwrap();
        connection.run(|connection| insert(connection, 1)).await.unwrap();
        connection.run(commit).await.unwrap();
        drop(connection);
        assert_eq!(pool.pool().slots().idle, 1);

        let mut connection = pool.claim().await.unwrap();
        connection.run(begin).await.unwrap();
        connection.run(|connection| insert(connection, 2)).await.unwrap();
        drop(connection);
        assert_eq!(pool.claim().await.unwrap().run(ids).await.unwrap(), [1]);
        assert_eq!(pool.pool().stats().totals.discarded, 1);

        // One that Diesel does not know of.
        let unknown = |connection: &mut SqliteConnection| {
            connection.batch_execute("BEGIN")?;
            insert(connection, 3)
        };
        pool.claim().await.unwrap().run(unknown).await.unwrap();
        assert_eq!(pool.claim().await.unwrap().run(ids).await.unwrap(), [1]);
        assert_eq!(pool.pool().stats().totals.discarded, 2);
        end(&pool).await;
    });
}

#[test]
fn a_test_s_transaction_is_left_open_from_one_user_to_the_next() {
    on_both(|| async {
        let file = File::new();
        let pool = file.pool(1).on_open(make_table).on_open(Connection::begin_test_transaction).build().unwrap();
        pool.claim().await.unwrap().run(|connection| insert(connection, 1)).await.unwrap();
        assert_eq!(pool.claim().await.unwrap().run(ids).await.unwrap(), [1]);
        end(&pool).await;
        let after = file.pool(1).build().unwrap();
        assert!(after.claim().await.unwrap().run(ids).await.unwrap().is_empty());
        end(&after).await;
    });
}

/// The connection is on one thread for all its life, which is named after the database.
#[test]
fn every_operation_of_a_connection_is_on_its_thread() {
    on_both(|| async {
        let file = File::new();
        let pool = file.pool(2).build().unwrap();
        let here = |_: &mut SqliteConnection| {
            let thread = std::thread::current();
            QueryResult::Ok((thread.id(), thread.name().map(str::to_owned)))
        };
        let (mut first, mut second) = (pool.claim().await.unwrap(), pool.claim().await.unwrap());
        let (thread, name) = first.run(here).await.unwrap();
        assert_eq!(name, Some(format!("connection to {}", file.address())));
        assert_eq!(first.run(here).await.unwrap().0, thread);
        assert_ne!(second.run(here).await.unwrap().0, thread);
        drop((first, second));
        end(&pool).await;
    });
}

#[test]
fn an_idle_connection_is_asked_whether_it_works_and_closed_if_not() {
    on_both(|| async {
        let file = File::new();
        let mut policy = crate::harness::plain(1);
        policy.validate_after = Some(std::time::Duration::from_millis(1));
        let pool = file.pool(1).on_open(make_table).policy(policy).health_query("INSERT INTO orders VALUES (1)");
        let pool = pool.build().unwrap();
        // The first check inserts, the second fails on what is there.
        while pool.pool().stats().totals.checks_failed == 0 {
            drop(pool.claim().await.unwrap());
            tokio::task::yield_now().await;
        }
        assert_eq!(pool.claim().await.unwrap().run(ids).await.unwrap(), [1]);
        end(&pool).await;
    });
}

#[test]
fn a_database_in_memory_is_shared_by_all_connections() {
    on_both(|| async {
        let name = format!("file:{:?}?mode=memory&cache=shared", std::thread::current().id());
        let pool = landfall_diesel_adapter::DieselPool::sqlite(name).policy(crate::harness::plain(2)).build().unwrap();
        let (mut first, mut second) = (pool.claim().await.unwrap(), pool.claim().await.unwrap());
        first.run(make_table).await.unwrap();
        let count = |connection: &mut SqliteConnection| {
            diesel::dsl::sql::<BigInt>("SELECT count(*) FROM orders").get_result::<i64>(connection)
        };
        assert_eq!(second.run(count).await.unwrap(), 0);
        drop((first, second));
        end(&pool).await;
    });
}
