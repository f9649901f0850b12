//! PostgreSQL without a server: what cannot be is said, and no secret with it. All else is tested with one, in `tests`.

use std::error::Error;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use landfall_diesel_adapter::{BuildError, DieselPool, PgBuilder, PgConnector, PgOpenError};
use landfall_lifecycle::Terminate;
use landfall_pool::{ClaimError, ConnectError};

use crate::harness::{assert_clean, long, on_both, plain};

const URL: &str = "postgres://ann:canary@127.0.0.1:1/orders?options=canary";

#[track_caller]
fn refused(builder: PgBuilder, option: &str, says: &str) {
    match builder.build() {
        Err(error @ BuildError::Option { option: found, .. }) => {
            assert_eq!(found, option);
            let said = error.to_string();
            assert!(said.contains(says) && !said.contains("canary"), "{said}");
        }
        other => panic!("{option} is let in: {other:?}"),
    }
}

#[test]
fn options_that_cannot_be_are_named() {
    on_both(|| async {
        let of = |url: &str| DieselPool::postgres(url).plain_text().policy(plain(1));
        #[cfg(not(feature = "postgres-tls"))]
        refused(DieselPool::postgres(URL), "encryption", "plain_text");
        refused(DieselPool::postgres(format!("{URL}&sslmode=disable")), "the address", "plain_text");
        refused(of(&format!("{URL}&sslmode=require")), "the address", "sslmode");
        refused(of(URL).health_query(" "), "health_query", "a query");
        refused(of("postgres://ann:canary@127.0.0.1:port/orders"), "the address", "postgres://USER");
        // What is taken for an option may be a part of a password that is not encoded.
        refused(of(&format!("{URL}&canary=1")), "the address", "percent-encoded");
        refused(of("postgres://ann:canary@db.example/orders"), "the address", "resolver");
        let policy = of(URL).policy(plain(0)).build();
        assert!(matches!(policy, Err(BuildError::Pool(landfall_pool::BuildError::Policy { .. }))), "{policy:?}");
    });
}

#[test]
fn outside_of_a_runtime_nothing_is_built() {
    let built = DieselPool::postgres(URL).plain_text().build();
    assert!(matches!(built, Err(BuildError::Pool(landfall_pool::BuildError::NoRuntime { .. }))), "{built:?}");
}

/// The error below a claim that finds nothing online, and all that can be read.
async fn why_not(pool: &DieselPool<PgConnector>) -> (bool, String) {
    let error = pool.claim().await.unwrap_err();
    let mut shown = format!("{pool:?}\n{:?}", pool.pool().stats());
    let mut cause: Option<&dyn Error> = Some(&error);
    while let Some(error) = cause {
        shown += &format!("\n{error}\n{error:?}");
        cause = error.source();
    }
    let ClaimError::NoneOnline { last: Some(ConnectError::Failed { source, .. }), .. } = &error else {
        panic!("{error:?}")
    };
    let found: &(dyn Error + 'static) = &**source;
    (matches!(found.downcast_ref(), Some(PgOpenError::Unreachable { .. })), shown)
}

#[test]
fn a_host_where_nobody_answers_is_said_and_no_secret_with_it() {
    on_both(|| async {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = URL.replace(":1/", &format!(":{}/", taken.local_addr().unwrap().port()));
        drop(taken);
        let mut policy = plain(1);
        policy.offline_wait = Duration::ZERO;
        let builder = DieselPool::postgres(url).plain_text().policy(policy);
        let built = format!("{builder:?}");
        let pool = builder.build().unwrap();
        let (is_unreachable, shown) = why_not(&pool).await;
        assert!(is_unreachable, "{shown}");
        assert!(shown.contains("cannot reach postgres://127.0.0.1") && !shown.contains("canary"), "{shown}");
        assert!(built.contains("postgres://127.0.0.1") && !built.contains("canary"), "{built}");
        assert_clean(&pool.terminate(&long()).await.unwrap());
    });
}

#[cfg(feature = "postgres-tls")]
#[test]
fn options_of_tls_that_cannot_be_are_named() {
    on_both(|| async {
        let of = |url: &str| DieselPool::postgres(url).policy(plain(1));
        refused(of(URL).ca_pem("canary"), "ca_pem", "6 bytes; allowed: certificates in PEM");
        let damaged = "-----BEGIN CERTIFICATE-----\nY2FuYXJ5\n-----END CERTIFICATE-----\n";
        refused(of(URL).ca_pem(damaged), "ca_pem", "certificates in PEM");
        refused(of(URL).server_name("not a name"), "server_name", "\"not a name\"");
        refused(of(URL).plain_text().server_name("db.example"), "encryption", "one or the other");
        // Who could tell where the servers are could be one of them.
        let two = of("postgres://ann:canary@one.example,two.example/orders");
        refused(
            two.resolver(landfall_pool::FixedResolver::new([std::net::SocketAddr::from(([127, 0, 0, 1], 1))])),
            "server_name",
            "a resolver takes the place",
        );
    });
}

/// Servers that answer the question whether they encrypt with this, and then hear whatever comes.
#[cfg(feature = "postgres-tls")]
async fn answered(answer: &[u8], is_so: fn(&PgOpenError) -> bool) -> Vec<u8> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = URL.replace(":1/", &format!(":{}/", listener.local_addr().unwrap().port()));
    let mut policy = plain(1);
    policy.offline_wait = Duration::ZERO;
    let pool = DieselPool::postgres(url).policy(policy).build().unwrap();
    let (hears, mut heard) = tokio::sync::mpsc::unbounded_channel();
    // Again and again: what refuses is tried once more.
    let serves = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(answer).await.unwrap();
            let mut bytes = Vec::new();
            // Whoever does not read everything before it goes resets.
            drop(stream.read_to_end(&mut bytes).await);
            hears.send(bytes).unwrap();
        }
    };
    let claims = async { (pool.claim().await, heard.recv().await.unwrap()) };
    let (refused, heard) = tokio::select! {
        () = serves => unreachable!("it ends never"),
        claimed = claims => claimed,
    };
    let refused = refused.unwrap_err();
    let shown = format!("{refused:?}");
    assert!(!shown.contains("canary"), "{shown}");
    let ClaimError::NoneOnline { last: Some(ConnectError::Failed { source, .. }), .. } = refused else {
        panic!("{shown}")
    };
    assert!((&*source as &(dyn Error + 'static)).downcast_ref().is_some_and(is_so), "{shown}");
    assert_clean(&pool.terminate(&long()).await.unwrap());
    heard
}

#[cfg(feature = "postgres-tls")]
#[test]
fn a_server_that_does_not_encrypt_hears_nothing() {
    const ASKED: usize = 8;
    on_both(|| async {
        let is_refused = |error: &PgOpenError| matches!(error, PgOpenError::Refused { .. });
        let heard = answered(b"N", |error| matches!(error, PgOpenError::NotEncrypted { .. })).await;
        assert_eq!(heard.len(), ASKED, "{heard:?}");
        let heard = answered(b"E", is_refused).await;
        assert_eq!(heard.len(), ASKED, "{heard:?}");
        // It says yes, and goes on as if it were let in: whoever is in between could.
        let heard = answered(b"SR\0\0\0\x08\0\0\0\0Z\0\0\0\x05I", is_refused).await;
        let said = String::from_utf8_lossy(&heard);
        assert!(!said.contains("ann") && !said.contains("canary") && !said.contains("orders"), "{said}");
    });
}
