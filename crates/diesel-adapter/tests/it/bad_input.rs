//! What cannot be is a typed error that names the option.

use std::error::Error;
use std::time::Duration;

use diesel::QueryResult;
use diesel::sqlite::SqliteConnection;
use landfall_diesel_adapter::{BuildError, DieselPool, OpenError, SyncBuilder};
use landfall_pool::{ClaimError, ConnectError};

use crate::harness::{File, SqlitePool, end, on_both, plain};

#[track_caller]
fn refused(builder: SyncBuilder<SqliteConnection>, option: &str) {
    match builder.build() {
        Err(BuildError::Option { option: found, .. }) => assert_eq!(found, option),
        other => panic!("{option} is let in: {other:?}"),
    }
}

#[test]
fn options_that_cannot_be_are_named() {
    on_both(|| async {
        let sqlite = || DieselPool::sqlite("orders.db").policy(plain(2));
        refused(sqlite().health_query(" "), "health_query");
        refused(sqlite().health_query("SELECT '\0'"), "health_query");
        refused(sqlite().threads_max(1), "threads_max");
        refused(sqlite().busy_timeout(Duration::from_secs(3_601)), "busy_timeout");
        refused(DieselPool::sqlite("orders\0.db"), "the address");
        refused(DieselPool::sqlite(":memory:").policy(plain(2)), "the address");
        refused(DieselPool::sqlite("").policy(plain(2)), "the address");
        let alone = DieselPool::sqlite(":memory:").policy(plain(1)).build().unwrap();
        end(&alone).await;
        let policy = DieselPool::sqlite("orders.db").policy(plain(0)).build();
        assert!(matches!(policy, Err(BuildError::Pool(landfall_pool::BuildError::Policy { .. }))), "{policy:?}");
    });
}

#[test]
fn outside_of_a_runtime_nothing_is_built() {
    let built = DieselPool::sqlite("orders.db").build();
    assert!(matches!(built, Err(BuildError::Pool(landfall_pool::BuildError::NoRuntime { .. }))), "{built:?}");
}

/// The error below a claim that finds nothing online.
async fn why_not(pool: &SqlitePool) -> OpenError {
    let Err(ClaimError::NoneOnline { last: Some(ConnectError::Failed { source, .. }), .. }) = pool.claim().await else {
        panic!("it was opened");
    };
    match (&*source as &(dyn Error + 'static)).downcast_ref::<OpenError>() {
        Some(OpenError::Refused { database, source }) => {
            OpenError::Refused { database: database.clone(), source: clone(source) }
        }
        Some(OpenError::SetUp { database, source }) => {
            OpenError::SetUp { database: database.clone(), source: source.to_string().into() }
        }
        Some(OpenError::Panicked { database, message }) => {
            OpenError::Panicked { database: database.clone(), message: message.clone() }
        }
        other => panic!("{other:?}"),
    }
}

fn clone(error: &diesel::ConnectionError) -> diesel::ConnectionError {
    diesel::ConnectionError::BadConnection(error.to_string())
}

fn hasty(slots_max: usize) -> landfall_pool::Policy {
    let mut policy = plain(slots_max);
    policy.offline_wait = Duration::ZERO;
    policy
}

#[test]
fn a_file_that_cannot_be_opened_is_said_with_its_name() {
    on_both(|| async {
        let file = File::new();
        let missing = format!("{}/missing/orders.db", file.address());
        let pool = DieselPool::sqlite(missing.clone()).policy(hasty(1)).build().unwrap();
        let error = why_not(&pool).await;
        assert!(matches!(&error, OpenError::Refused { database, .. } if *database == missing), "{error:?}");
        assert_eq!(error.to_string(), format!("cannot open {missing}"));
        assert!(error.source().unwrap().to_string().contains("unable to open database file"));
        end(&pool).await;
    });
}

#[test]
fn a_hook_that_fails_or_panics_is_said() {
    on_both(|| async {
        let file = File::new();
        let fails = file.pool(1).policy(hasty(1)).on_open(|_| Err("planned")).build().unwrap();
        let error = why_not(&fails).await;
        assert!(matches!(&error, OpenError::SetUp { source, .. } if source.to_string() == "planned"), "{error:?}");
        end(&fails).await;
        let panics =
            file.pool(1).policy(hasty(1)).on_open(|_| -> QueryResult<()> { panic!("planned") }).build().unwrap();
        let error = why_not(&panics).await;
        assert!(matches!(&error, OpenError::Panicked { message, .. } if message == "planned"), "{error:?}");
        end(&panics).await;
    });
}

/// Neither in what is shown of the pool nor in an error is there anything of an address but its harmless part.
#[test]
fn secrets_in_an_address_are_shown_nowhere() {
    on_both(|| async {
        let address = "postgres://ann:canary@db.example/orders?password=canary";
        let builder: SyncBuilder<SqliteConnection> = DieselPool::synchronous(address).policy(hasty(1));
        let mut shown = format!("{builder:?}");
        let pool = builder.build().unwrap();
        let error = pool.claim().await.unwrap_err();
        let mut cause: Option<&dyn Error> = Some(&error);
        while let Some(error) = cause {
            shown += &format!("\n{error}\n{error:?}");
            cause = error.source();
        }
        shown += &format!("\n{pool:?}\n{:?}", pool.pool().stats());
        let zero: SyncBuilder<SqliteConnection> = DieselPool::synchronous(format!("{address}\0"));
        shown += &zero.build().unwrap_err().to_string();
        assert!(shown.contains("postgres://"), "{shown}");
        assert!(!shown.contains("canary"), "{shown}");
        end(&pool).await;
    });
}
