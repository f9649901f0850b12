//! Everything that gives a future is dropped at every poll; wherever that is, nothing is lost and nothing is left.

use std::sync::atomic::{AtomicBool, Ordering};

use diesel::result::Error;
use diesel::sql_types::BigInt;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use futures_util::TryStreamExt;
use landfall_diesel_adapter::Retry;
use landfall_lifecycle::testing::{cancel_at_every_poll, cancel_at_every_poll_on};
use landfall_lifecycle::{Shutdown, Terminate};

use super::{PgPool, counted, end, insert, pool, pool_of_orders};
use crate::server::{LONG, on_server_on_both};

/// Every slot serves, one after the other.
async fn whole(pool: &PgPool, slots: usize) {
    let mut held = Vec::new();
    for _ in 0..slots {
        let mut connection = pool.claim().await.expect("there are others");
        connection.batch_execute("SELECT 1").await.expect("it is idle");
        held.push(connection);
    }
}

#[test]
fn a_claim_and_a_query() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool(cluster, 2);
        let queries = async || {
            let mut connection = pool.claim().await.expect("there are others");
            diesel::dsl::sql::<BigInt>("SELECT 7::int8").get_result::<i64>(&mut connection).await.expect("it answers")
        };
        cancel_at_every_poll(queries).spurious().check_async(async |_| whole(&pool, 2).await).await;
        let batches = async || {
            pool.claim().await.expect("there are others").batch_execute("SELECT 1; SELECT 2").await.expect("it answers")
        };
        cancel_at_every_poll(batches).spurious().check_async(async |_| whole(&pool, 2).await).await;
        end(&pool, witness).await;
    });
}

#[test]
fn a_stream() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool(cluster, 1);
        let streams = async || {
            let mut connection = pool.claim().await.expect("there are others");
            let series = diesel::dsl::sql::<BigInt>("SELECT generate_series(1, 3000)::int8");
            let rows = series.load_stream::<i64>(&mut connection).await.expect("it begins");
            rows.try_fold(0, async |sum, row| Ok(sum + row)).await.expect("it ends")
        };
        cancel_at_every_poll(streams).check_async(async |_| whole(&pool, 1).await).await;
        end(&pool, witness).await;
    });
}

/// Wherever it is given up, all of it is there or nothing.
#[test]
fn a_transaction_that_is_tried_twice() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool_of_orders(cluster, 1).await;
        let two = async || {
            let is_first = AtomicBool::new(true);
            let mut connection = pool.claim().await.expect("there are others");
            let transaction = connection.transaction_with(Retry::serializable(), async |connection| {
                insert(connection).await?;
                insert(connection).await?;
                if is_first.swap(false, Ordering::Relaxed) {
                    let kind = diesel::result::DatabaseErrorKind::SerializationFailure;
                    return Err(Error::DatabaseError(kind, Box::new("planned".to_owned())));
                }
                Ok(())
            });
            transaction.await.expect("the second goes well");
        };
        cancel_at_every_poll(two).check_async(async |_| assert_eq!(counted(&pool).await % 2, 0)).await;
        let one = async || pool.transaction(Retry::serializable(), insert).await.expect("it goes well");
        cancel_at_every_poll(one).check_async(async |_| whole(&pool, 1).await).await;
        end(&pool, witness).await;
    });
}

#[test]
fn terminate_with_its_closes() {
    on_server_on_both(async |cluster, witness| {
        let how = Shutdown::within(LONG, LONG);
        let set_up = async || {
            let pool = pool(cluster, 2);
            whole(&pool, 2).await;
            pool
        };
        cancel_at_every_poll_on(set_up, async |pool: &mut PgPool| pool.terminate(&how).await.map(drop))
            .ready_at_once()
            .check(async |pool, _| end(&pool, witness).await)
            .await;
    });
}
