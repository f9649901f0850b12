//! The pool inside of tower.

mod balance;
mod cancel;
mod layer;
mod middleware;
mod pooled;
mod ready;

use std::task::Poll;

use landfall_pool::tower::{ClaimRequest, ClaimService};
use landfall_pool::{Handle, Pool};
use tower::Service;
use tower_test::mock::Spawn;

use crate::fake::Fake;

/// A value that is polled when the test says so, on a task of its own.
fn spawned(pool: &Pool<Fake>) -> Spawn<ClaimService<Fake>> {
    Spawn::new(ClaimService::new(pool.clone()))
}

#[track_caller]
fn assert_ready<S: Service<R>, R>(service: &mut Spawn<S>) {
    assert!(matches!(service.poll_ready(), Poll::Ready(Ok(()))), "it is ready");
}

#[track_caller]
fn assert_pending<S: Service<R>, R>(service: &mut Spawn<S>) {
    assert!(service.poll_ready().is_pending(), "it is not ready");
}

/// Calls, and gets a connection.
async fn call(service: &mut Spawn<ClaimService<Fake>>) -> Handle<Fake> {
    service.call(ClaimRequest::default()).await.unwrap()
}
