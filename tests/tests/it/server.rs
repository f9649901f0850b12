//! A real server for a test, if there is one to be had.

use std::future::Future;
use std::time::Duration;

use landfall_tests::deadline::Deadline;
use landfall_tests::postgres::{Cluster, NoCluster, Witness};
use landfall_tests::skips::skip;
use tokio::runtime::{Builder, Runtime};

/// Whatever has to come comes long before.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Runs a test on a server of its own, if there is one to be had.
pub(crate) fn on_server(body: impl AsyncFnOnce(&Cluster, &mut Witness)) {
    let Some((cluster, mut witness)) = started() else { return };
    in_time(&multi_thread(), body(&cluster, &mut witness));
}

/// Runs a test on a server of its own, on a current-thread runtime, then on one with two workers.
pub(crate) fn on_server_on_both(body: impl AsyncFn(&Cluster, &mut Witness)) {
    let Some((cluster, mut witness)) = started() else { return };
    in_time(&current_thread(), body(&cluster, &mut witness));
    in_time(&multi_thread(), body(&cluster, &mut witness));
}

fn in_time(runtime: &Runtime, body: impl Future<Output = ()>) {
    runtime.block_on(async { tokio::time::timeout(LONG, body).await }).expect("it hangs");
}

pub(crate) fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

pub(crate) fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// A server with whoever counts its sessions, unless the test has to skip.
pub(crate) fn started() -> Option<(Cluster, Witness)> {
    let cluster = cluster()?;
    let mut witness = cluster.witness().expect("it answers");
    // On a busy machine the session that saw it answer first takes its time to end.
    until("there is none but the witness", || witness.others().expect("it answers") == 0);
    Some((cluster, witness))
}

/// A server, unless the test has to skip.
pub(crate) fn cluster() -> Option<Cluster> {
    match Cluster::start() {
        Ok(cluster) => Some(cluster),
        Err(missing @ NoCluster::Missing) => {
            skip(&missing.to_string());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    assert!(Deadline::after(LONG).poll(|| is_so().then_some(())).is_some(), "{what}");
}
