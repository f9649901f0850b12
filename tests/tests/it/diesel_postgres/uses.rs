//! A handle is a connection of diesel-async's.

use std::pin::pin;
use std::time::Duration;

use diesel::associations::{Associations, Identifiable};
use diesel::deserialize::Queryable;
use diesel::query_builder::AsChangeset;
use diesel::result::Error;
use diesel::sql_types::{BigInt, Text};
use diesel::{BelongingToDsl, ExpressionMethods, QueryDsl, Selectable, SelectableHelper};
use diesel_async::{AsyncConnection, RunQueryDsl, SaveChangesDsl, SimpleAsyncConnection};
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use landfall_diesel_adapter::PgConnector;
use landfall_lifecycle::{Shutdown, Terminate};
use landfall_pool::Handle;

use super::{assert_clean, builder, count, discarded, end, insert, opened, pool, pool_of_orders, until_none};
use crate::server::{LONG, on_server_on_both};

diesel::table! {
    people (id) {
        id -> Integer,
        name -> Text,
    }
}

diesel::table! {
    pets (id) {
        id -> Integer,
        person_id -> Integer,
        name -> Text,
    }
}

diesel::joinable!(pets -> people (person_id));
diesel::allow_tables_to_appear_in_same_query!(people, pets);

#[derive(AsChangeset, Clone, Debug, Identifiable, PartialEq, Queryable, Selectable)]
#[diesel(table_name = people)]
struct Person {
    id: i32,
    name: String,
}

#[derive(Associations, Clone, Debug, Identifiable, PartialEq, Queryable, Selectable)]
#[diesel(belongs_to(Person), table_name = pets)]
struct Pet {
    id: i32,
    person_id: i32,
    name: String,
}

const SCHEMA: &str = "DROP TABLE IF EXISTS pets; DROP TABLE IF EXISTS people;
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE pets (id INTEGER PRIMARY KEY, person_id INTEGER NOT NULL REFERENCES people (id), name TEXT NOT NULL)";

async fn fill(handle: &mut Handle<PgConnector>) {
    handle.batch_execute(SCHEMA).await.expect("it may");
    let names = [(1, "Ann"), (2, "Bob")];
    let rows: Vec<_> = names.iter().map(|(id, name)| (people::id.eq(id), people::name.eq(name))).collect();
    let filled: Vec<Person> =
        diesel::insert_into(people::table).values(&rows).get_results(handle).await.expect("it may");
    assert_eq!(filled.len(), 2);
    let pet = (pets::id.eq(1), pets::person_id.eq(2), pets::name.eq("Rex"));
    assert_eq!(diesel::insert_into(pets::table).values(pet).execute(handle).await.expect("it may"), 1);
}

#[test]
fn its_queries_run_on_a_handle_and_cost_no_connection() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool(cluster, 1);
        let mut handle = pool.claim().await.expect("the server answers");
        fill(&mut handle).await;
        let joined = pets::table.inner_join(people::table).select((Pet::as_select(), Person::as_select()));
        let found: Vec<(Pet, Person)> = joined.load(&mut handle).await.expect("they are there");
        let [(rex, bob)] = &found[..] else { panic!("{found:?}") };
        assert_eq!((&*rex.name, &*bob.name), ("Rex", "Bob"));
        assert_eq!(Pet::belonging_to(bob).first::<Pet>(&mut handle).await.as_ref(), Ok(rex));
        let renamed = Person { name: "Rob".to_owned(), ..bob.clone() };
        assert_eq!(renamed.save_changes::<Person>(&mut handle).await.expect("he is there"), renamed);
        let unknown = people::table.filter(people::name.eq("Eve")).first::<Person>(&mut handle).await;
        assert_eq!(unknown, Err(Error::NotFound));
        // What the server refuses is no end of the connection either.
        let twice = diesel::insert_into(people::table).values((people::id.eq(1), people::name.eq("Ann")));
        assert!(matches!(twice.execute(&mut handle).await, Err(Error::DatabaseError(..))));
        drop(handle);
        // The first row only, again and again: the rest of each answer has come with it.
        for _ in 0..50 {
            let mut handle = pool.claim().await.expect("it is idle");
            let one = diesel::dsl::sql::<BigInt>("SELECT 1::int8").get_result::<i64>(&mut handle).await;
            assert_eq!(one, Ok(1));
        }
        assert_eq!((discarded(&pool), opened(&pool)), (0, 1));
        end(&pool, witness).await;
    });
}

#[test]
fn streams_are_read_to_their_end_or_left() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool(cluster, 1);
        let series = |last: u32| diesel::dsl::sql::<BigInt>(&format!("SELECT generate_series(1, {last})::int8"));
        let mut handle = pool.claim().await.expect("the server answers");
        let sum = async |rows: u32, handle: &mut Handle<PgConnector>| {
            let stream = series(rows).load_stream::<i64>(handle).await.expect("it begins");
            stream.try_fold(0, async |sum, row| Ok(sum + row)).await.expect("it ends")
        };
        assert_eq!(sum(10_000, &mut handle).await, 50_005_000);
        {
            let mut rows = pin!(series(10_000).load_stream::<i64>(&mut handle).await.expect("it begins"));
            assert_eq!(rows.next().await, Some(Ok(1)));
        }
        // What is left of it comes first, and is no part of this answer.
        assert_eq!(sum(10, &mut handle).await, 55);
        drop(series(10_000).load_stream::<i64>(&mut handle).await.expect("it begins"));
        drop(handle);
        let mut handle = pool.claim().await.expect("it is read, or another is opened");
        assert_eq!(sum(10, &mut handle).await, 55);
        drop(handle);
        end(&pool, witness).await;
    });
}

/// The next user waits for none of it.
#[test]
fn rows_without_end_that_are_left_cost_the_connection() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool(cluster, 1);
        let mut handle = pool.claim().await.expect("the server answers");
        // Each of them fills what the server keeps back.
        let endless = "SELECT n::int8, repeat('x', 8192) || pg_sleep(0.01) FROM generate_series(1, 100000000) AS n";
        let first = diesel::dsl::sql::<(BigInt, Text)>(endless).load_stream::<(i64, String)>(&mut handle).await;
        drop(first.expect("it begins"));
        drop(handle);
        let mut handle = pool.claim().await.expect("another one is opened");
        handle.batch_execute("SELECT 1").await.expect("it is idle");
        drop(handle);
        assert_eq!(opened(&pool), 2);
        // The one session there may be was ended before the other began.
        assert_eq!(witness.others().expect("it answers"), 1);
        end(&pool, witness).await;
    });
}

/// The server waits until it can send them, and does not hear that it is to end before.
#[test]
fn rows_that_nobody_takes_delay_no_end() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool(cluster, 1);
        let (begins, begun) = tokio::sync::oneshot::channel();
        let takes_one = async {
            let mut handle = pool.claim().await.expect("the server answers");
            let many = diesel::dsl::sql::<Text>("SELECT repeat('x', 8000) FROM generate_series(1, 1000000)");
            let mut rows = Box::pin(many.load_stream::<String>(&mut handle).await.expect("it begins"));
            assert_eq!(rows.next().await.expect("there are others").expect("it is text").len(), 8_000);
            let stuck = "select pid from pg_stat_activity where wait_event = 'ClientWrite'";
            while witness.query(stuck).expect("it answers").is_empty() {
                tokio::task::yield_now().await;
            }
            begins.send(()).expect("it waits");
            until_none(witness).await;
            let refused = rows.try_for_each(async |_| Ok(())).await.expect_err("it was cut").to_string();
            assert!(refused.ends_with("its rows were not taken when it was interrupted"), "{refused}");
        };
        let ends = async {
            begun.await.expect("it begins");
            pool.terminate(&Shutdown::within(Duration::ZERO, LONG)).await
        };
        let (report, ()) = futures_util::join!(ends, takes_one);
        assert_clean(&report.expect("no task of the pool calls"));
    });
}

#[test]
fn its_transactions_nest_and_tests_leave_nothing() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool_of_orders(cluster, 1).await;
        let mut handle = pool.claim().await.expect("it is idle");
        let outer = handle.transaction(async |connection| {
            insert(connection).await?;
            let inner = connection.transaction(async |connection| {
                insert(connection).await?;
                Err::<(), Error>(Error::RollbackTransaction)
            });
            assert_eq!(inner.await, Err(Error::RollbackTransaction));
            count(connection).await
        });
        assert_eq!(outer.await, Ok(1));
        let tested = handle.test_transaction(async |connection| {
            insert(connection).await?;
            count(connection).await
        });
        assert_eq!(tested.await, 2);
        assert_eq!(count(&mut handle).await, Ok(1));
        drop(handle);
        assert_eq!(discarded(&pool), 0);
        end(&pool, witness).await;
    });
}

#[test]
fn hooks_set_up_each_connection() {
    on_server_on_both(async |cluster, witness| {
        let set_up = "SET application_name = 'hooked'";
        let hooked = builder(cluster, 2)
            .on_open(move |connection| async move { Ok(connection.batch_execute(set_up).await?) }.boxed());
        let pool = hooked.build().expect("it is fine");
        let held = [pool.claim().await.expect("the server answers"), pool.claim().await.expect("it does")];
        let hooked = witness.query("select pid from pg_stat_activity where application_name = 'hooked'");
        assert_eq!(hooked.expect("it answers").len(), 2);
        drop(held);
        end(&pool, witness).await;
    });
}
