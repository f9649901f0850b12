//! The pool under tower's middleware.

use std::time::Duration;

use landfall_lifecycle::{TaskSet, Terminate};
use landfall_pool::ClaimError;
use landfall_pool::tower::{ClaimRequest, ClaimService};
use tower::buffer::Buffer;
use tower::limit::ConcurrencyLimit;
use tower::load_shed::{LoadShed, error::Overloaded};
use tower::spawn_ready::SpawnReady;
use tower::timeout::{Timeout, error::Elapsed};
use tower::{Service, ServiceExt};
use tower_test::mock::Spawn;

use super::{assert_pending, assert_ready};
use crate::fake::{Mode, Net};
use crate::harness::{MS, SECOND, assert_clean, end, long, paused, plain, pool, until};

/// The buffer's worker is the task set's, and it outlives an outage: a Buffer fails for ever once its service has.
#[test]
fn a_buffer_serves_its_clones_in_turn_and_survives_an_outage() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        let tasks = TaskSet::new("buffer");
        let (buffer, worker) = Buffer::pair(ClaimService::new(pool.clone()), 8);
        tasks.spawn("worker", worker).unwrap();
        let claims = (0..4).map(|_| buffer.clone().oneshot(ClaimRequest::default()));
        for handle in futures_util::future::join_all(claims.map(|claim| async { claim.await.map(drop) })).await {
            handle.unwrap();
        }
        net.set(0, Mode::Fails);
        pool.evict();
        let error = buffer.clone().oneshot(ClaimRequest::default()).await.unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(ClaimError::NoneOnline { .. })), "{error}");
        net.set(0, Mode::Works);
        drop(buffer.clone().oneshot(ClaimRequest::default()).await.unwrap());
        // Its worker has got ready for the next one, and gives that back when it ends.
        pool.begin_terminate(&long());
        let error = buffer.clone().oneshot(ClaimRequest::default()).await.unwrap_err();
        let cause = error.downcast_ref().map(|it: &tower::buffer::error::ServiceError| it.to_string());
        assert!(cause.is_some_and(|text| text.contains("terminating")), "{error}");
        assert_clean(&tasks.terminate(&long()).await.unwrap());
        drop(buffer);
        end(&pool, &net).await;
    });
}

#[test]
fn load_shed_refuses_what_would_have_to_wait() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        let held = pool.claim().await.unwrap();
        let mut sheds = LoadShed::new(ClaimService::new(pool.clone()));
        let error = sheds.ready().await.unwrap().call(ClaimRequest::default()).await.unwrap_err();
        assert!(error.is::<Overloaded>(), "{error}");
        drop(held);
        drop(sheds.ready().await.unwrap().call(ClaimRequest::default()).await.unwrap());
        drop(sheds);
        end(&pool, &net).await;
    });
}

#[test]
fn a_concurrency_limit_lets_no_more_wait_in_line() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        let held = pool.claim().await.unwrap();
        let limited = ConcurrencyLimit::new(ClaimService::new(pool.clone()), 1);
        let (mut first, mut second) = (Spawn::new(limited.clone()), Spawn::new(limited));
        assert_pending::<_, ClaimRequest>(&mut first);
        assert_pending::<_, ClaimRequest>(&mut second);
        assert_eq!(pool.stats().waiting, 1);
        drop(held);
        assert_ready(&mut first);
        drop(first.call(ClaimRequest::default()).await.unwrap());
        assert_ready(&mut second);
        // Both give back what they have: the permit and the slot.
        drop((first, second));
        assert_eq!(pool.slots().idle, 1);
        end(&pool, &net).await;
    });
}

#[test]
fn a_timeout_cuts_a_call_and_its_slot_goes_on() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        net.prepare_claims();
        net.set_hook("on_claim", Mode::Hangs);
        let mut limited = Timeout::new(ClaimService::new(pool.clone()), 50 * MS);
        let error = limited.ready().await.unwrap().call(ClaimRequest::default()).await.unwrap_err();
        assert!(error.is::<Elapsed>(), "{error}");
        net.set_hook("on_claim", Mode::Works);
        until(|| pool.slots().idle == 1).await;
        drop(limited.ready().await.unwrap().call(ClaimRequest::default()).await.unwrap());
        assert_eq!(net.made(), 1);
        drop(limited);
        end(&pool, &net).await;
    });
}

#[test]
#[expect(clippy::disallowed_methods, reason = "its task ends when the value is ready or dropped, and the test sees it")]
fn spawn_ready_waits_for_the_slot_in_a_task_that_goes_with_the_value() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        let held = pool.claim().await.unwrap();
        let spawn = || Spawn::new(SpawnReady::new(ClaimService::new(pool.clone())));
        let (mut waits, mut dropped) = (spawn(), spawn());
        assert_pending::<_, ClaimRequest>(&mut dropped);
        assert_pending::<_, ClaimRequest>(&mut waits);
        until(|| pool.stats().waiting == 2).await;
        drop(dropped);
        until(|| pool.stats().waiting == 1).await;
        drop(held);
        until(|| waits.is_woken()).await;
        assert_ready(&mut waits);
        assert_eq!(pool.slots().granted, 1);
        drop(waits.call(ClaimRequest::default()).await.unwrap());
        assert!(tokio::time::timeout(Duration::from_secs(9), waits.get_mut().ready()).await.unwrap().is_ok());
        drop(waits);
        until(|| pool.slots().idle == 1).await;
        drop(pool.claim_within(SECOND).await.unwrap());
        end(&pool, &net).await;
    });
}
