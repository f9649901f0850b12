//! Encrypted connections: the server is who it has to be, or hears nothing.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::time::Duration;

use diesel_async::SimpleAsyncConnection;
use landfall_diesel_adapter::{DieselPool, PgBuilder, PgOpenError};
use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
use landfall_tests::postgres::{Cluster, Witness};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::time::timeout;

use super::open::why_not;
use super::{PgPool, assert_clean, end, opened, plain, until_active, until_none};
use crate::server::{LONG, on_server, on_server_on_both};

/// Whom the certificates are for; no name server has heard of it.
const NAME: &str = "db.example";
const SLEEPS: &str = "SELECT pg_sleep(600)";

/// Who signs certificates.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut itself = CertificateParams::default();
        itself.distinguished_name.push(DnType::CommonName, name);
        itself.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("it is random");
        let pem = itself.self_signed(&key).expect("it is fine").pem();
        Self { pem, issuer: Issuer::new(itself, key) }
    }

    /// A certificate for [`NAME`], in force until that year, and its key.
    fn signed(&self, until: i32) -> (String, String) {
        let mut server = CertificateParams::new([NAME.to_owned()]).expect("it is a name");
        server.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().expect("it is random");
        let certificate = server.signed_by(&key, &self.issuer).expect("it is fine");
        (certificate.pem(), key.serialize_pem())
    }
}

/// Has the server encrypt with this, for those that come when it has taken that in, in a moment.
fn encrypt(cluster: &Cluster, witness: &mut Witness, (certificate, key): (String, String)) {
    let folder = cluster.folder();
    let owner = std::fs::metadata(folder).expect("it is there");
    for (file, text) in [("server.crt", certificate), ("server.key", key)] {
        let path = folder.join("data").join(file);
        std::fs::write(&path, text).expect("it may be written");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("it is ours");
        chown(&path, Some(owner.uid()), Some(owner.gid())).expect("it is ours");
    }
    for sql in ["alter system set ssl = on", "select pg_reload_conf()"] {
        witness.query(sql).expect("it may");
    }
}

fn builder(cluster: &Cluster, name: &str, trusted: &Authority) -> PgBuilder {
    let (ip, port) = (cluster.address().ip(), cluster.address().port());
    let url = format!("user=landfall dbname=postgres host={name} hostaddr={ip} port={port}");
    let mut policy = plain(1);
    policy.offline_wait = Duration::ZERO;
    DieselPool::postgres(url).policy(policy).ca_pem(&*trusted.pem)
}

fn pool(cluster: &Cluster, name: &str, trusted: &Authority) -> PgPool {
    builder(cluster, name, trusted).build().expect("it is fine")
}

/// A pool that the server, which may still have its former settings, lets in.
async fn let_in(cluster: &Cluster, trusted: &Authority, witness: &mut Witness) -> PgPool {
    loop {
        let pool = pool(cluster, NAME, trusted);
        match pool.claim().await {
            Ok(handle) => {
                drop(handle);
                return pool;
            }
            Err(_) => end(&pool, witness).await,
        }
    }
}

fn is_untrusted(error: &PgOpenError) -> bool {
    matches!(error, PgOpenError::Untrusted { .. })
}

async fn distrusts(pool: &PgPool, says: &str, witness: &mut Witness) {
    let shown = why_not(pool, is_untrusted).await;
    assert!(shown.contains(says), "{shown}");
    end(pool, witness).await;
}

#[test]
fn a_server_that_encrypts_for_its_name_is_let_in_and_all_goes_as_without() {
    on_server_on_both(async |cluster, witness| {
        let authority = Authority::new("ours");
        encrypt(cluster, witness, authority.signed(2900));
        let pool = let_in(cluster, &authority, witness).await;
        let before = opened(&pool);
        let mut handle = pool.claim().await.expect("it is idle");
        let encrypted = "select count(*) from pg_stat_ssl where ssl and pid <> pg_backend_pid()";
        assert_eq!(witness.query(encrypted).expect("it answers"), ["1"]);
        // What is asked to be cancelled is asked for in the same way.
        assert!(timeout(Duration::from_millis(50), handle.batch_execute(SLEEPS)).await.is_err(), "it was given up");
        until_none(witness).await;
        drop(handle);
        pool.claim().await.expect("another one is opened").batch_execute("SELECT 1").await.expect("it is idle");
        assert_eq!(opened(&pool), before + 1);
        let holders = TaskSet::new("holders");
        let holds = {
            let pool = pool.clone();
            async move { pool.claim().await.expect("it is idle").batch_execute(SLEEPS).await }
        };
        let holder = holders.spawn_with_handle("holder", holds).expect("it is new");
        until_active(witness, "pg_sleep(600)", 1).await;
        let report = pool.terminate(&Shutdown::within(Duration::ZERO, LONG)).await.expect("no task of the pool calls");
        assert_eq!(witness.others().expect("it answers"), 0);
        assert_clean(&report);
        let cancelled = holder.await.expect("it does not panic").expect_err("it is cancelled").to_string();
        assert_eq!(cancelled, "canceling statement due to user request");
        assert_clean(&holders.terminate(&Shutdown::within(LONG, LONG)).await.expect("not from within"));
    });
}

#[test]
fn a_server_that_is_not_who_it_has_to_be_is_refused() {
    on_server(async |cluster, witness| {
        let (authority, other) = (Authority::new("ours"), Authority::new("another"));
        // It does not encrypt, and that is not put up with.
        let plain = pool(cluster, NAME, &authority);
        why_not(&plain, |error| matches!(error, PgOpenError::NotEncrypted { .. })).await;
        end(&plain, witness).await;

        encrypt(cluster, witness, authority.signed(2900));
        end(&let_in(cluster, &authority, witness).await, witness).await;
        distrusts(&pool(cluster, "other.example", &authority), "NotValidForName", witness).await;
        distrusts(&pool(cluster, NAME, &other), "UnknownIssuer", witness).await;
        let public = DieselPool::postgres(format!("postgres://landfall@{}/postgres", cluster.address()));
        let mut policy = super::plain(1);
        policy.offline_wait = Duration::ZERO;
        distrusts(&public.policy(policy).build().expect("it is fine"), "UnknownIssuer", witness).await;
        // A name of its own that is right, whatever the host is called.
        let named = builder(cluster, "other.example", &authority).server_name(NAME).build().expect("it is fine");
        drop(named.claim().await.expect("it is let in"));
        end(&named, witness).await;

        encrypt(cluster, witness, authority.signed(2020));
        loop {
            let late = pool(cluster, NAME, &authority);
            // The server may take its new certificate in a moment later.
            if let Ok(handle) = late.claim().await {
                drop(handle);
                end(&late, witness).await;
                continue;
            }
            distrusts(&late, "Expired", witness).await;
            return;
        }
    });
}
