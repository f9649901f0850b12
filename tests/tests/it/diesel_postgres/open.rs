//! Why a connection is not opened.

use std::error::Error;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use landfall_diesel_adapter::{DieselPool, PgOpenError};
use landfall_pool::{ClaimError, ConnectError};
use landfall_tests::postgres::Cluster;

use super::{PgPool, end, plain, url};
use crate::server::on_server;

fn hasty(url: &str) -> PgPool {
    let mut policy = plain(1);
    policy.offline_wait = Duration::ZERO;
    DieselPool::postgres(url).plain_text().policy(policy).build().expect("it is fine")
}

/// What is below a claim that finds nothing online, and all that can be read of it.
pub(super) async fn why_not(pool: &PgPool, is_so: impl Fn(&PgOpenError) -> bool) -> String {
    let refused = pool.claim().await.expect_err("it cannot be opened");
    let mut shown = format!("{refused:?}\n{pool:?}");
    let mut cause: Option<&dyn Error> = Some(&refused);
    while let Some(error) = cause {
        shown += &format!("\n{error}");
        cause = error.source();
    }
    let ClaimError::NoneOnline { last: Some(ConnectError::Failed { source, .. }), .. } = &refused else {
        panic!("{refused:?}")
    };
    let error = (&**source as &(dyn Error + 'static)).downcast_ref().expect("it is this crate's");
    assert!(is_so(error), "{error:?}");
    shown
}

/// Lets the user `guarded` in with a password only.
fn guard(cluster: &Cluster) {
    let mut witness = cluster.witness().expect("it answers");
    let rules = cluster.folder().join("data/pg_hba.conf");
    let others = std::fs::read_to_string(&rules).expect("it is there");
    std::fs::write(&rules, format!("host all guarded all scram-sha-256\n{others}")).expect("it may be written");
    for sql in ["create role guarded login password 'right-canary'", "select pg_reload_conf()"] {
        witness.query(sql).expect("it may");
    }
}

#[test]
fn who_is_not_let_in_hears_why_without_the_password() {
    on_server(async |cluster, witness| {
        guard(cluster);
        let of =
            |password: &str, database: &str| format!("postgres://guarded:{password}@{}/{database}", cluster.address());
        let mut wrong = hasty(&of("wrong-canary", "postgres"));
        // The server may take its rules in a moment later, and lets everybody in until then.
        while let Ok(handle) = wrong.claim().await {
            drop(handle);
            end(&wrong, witness).await;
            wrong = hasty(&of("wrong-canary", "postgres"));
        }
        let shown = why_not(&wrong, |error| matches!(error, PgOpenError::Credentials { .. })).await;
        assert!(!shown.contains("canary"), "{shown}");
        end(&wrong, witness).await;
        let right = hasty(&of("right-canary", "postgres"));
        drop(right.claim().await.expect("the password is right"));
        end(&right, witness).await;
        let missing = hasty(&of("right-canary", "missing"));
        let shown = why_not(&missing, |error| matches!(error, PgOpenError::NoDatabase { .. })).await;
        assert!(shown.contains("/missing") && !shown.contains("canary"), "{shown}");
        end(&missing, witness).await;
    });
}

#[test]
fn where_nobody_answers_is_said() {
    on_server(async |cluster, witness| {
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|it| it.local_addr()).expect("there is one").port();
        let nobody = hasty(&url(cluster).replace(&cluster.address().port().to_string(), &port.to_string()));
        why_not(&nobody, |error| matches!(error, PgOpenError::Unreachable { .. })).await;
        end(&nobody, witness).await;
    });
}
