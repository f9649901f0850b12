//! A pool of connections to a file of SQLite: built, used, given up, and ended on purpose.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::sqlite::SqliteConnection;
use landfall_diesel_adapter::DieselPool;
use landfall_lifecycle::{Shutdown, Terminate};
use tokio::time::timeout;

diesel::table! {
    /// What was ordered.
    orders (id) {
        /// The number of the order.
        id -> BigInt,
        /// What.
        item -> Text,
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let set_up = |connection: &mut SqliteConnection| {
        connection
            .batch_execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY NOT NULL, item TEXT NOT NULL)")
    };
    let pool = DieselPool::sqlite("file:orders?mode=memory&cache=shared").name("orders").on_open(set_up).build()?;

    // One hop to the connection's thread and back for the whole closure.
    let mut connection = pool.claim().await?;
    let items = connection.run(|connection| {
        connection.transaction(|connection| {
            diesel::insert_into(orders::table).values(orders::item.eq("tea")).execute(connection)?;
            orders::table.select(orders::item).load::<String>(connection)
        })
    });
    println!("ordered: {:?}", items.await?);
    drop(connection);

    // It would count for ever. Given up, it is interrupted, and its connection replaced.
    let counts = async {
        let query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
        let count = |connection: &mut SqliteConnection| diesel::dsl::sql::<BigInt>(query).get_result::<i64>(connection);
        Ok::<_, Box<dyn std::error::Error>>(pool.claim().await?.run(count).await?)
    };
    println!("counted: {:?}", timeout(Duration::from_millis(50), counts).await.map_err(|late| late.to_string()));

    let report = pool.terminate(&Shutdown::within(Duration::from_secs(5), Duration::from_secs(6))).await?;
    println!("{report}");
    assert!(report.is_clean());
    Ok(())
}
