//! Every future of the tower module is dropped at every poll, spurious ones included.

use std::convert::Infallible;

use http::Request;
use landfall_lifecycle::testing::cancel_at_every_poll;
use landfall_pool::tower::{ClaimLayer, ClaimRequest, ClaimService, Claimed, PooledService};
use tower::{Layer, ServiceExt, service_fn};

use super::pooled::Ask;
use crate::cancel::whole;
use crate::fake::{Fake, Net};
use crate::harness::{end, on_both, plain, pool};

#[test]
fn readiness_and_a_call() {
    on_both(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        cancel_at_every_poll(async || {
            let held = pool.claim().await.unwrap();
            // In this order, so that there is a poll after which it is granted and does not know.
            let claims = ClaimService::new(pool.clone()).oneshot(ClaimRequest::default());
            let (waits, ()) = futures_util::join!(claims, async {
                tokio::task::yield_now().await;
                drop(held);
            });
            drop(waits.unwrap());
        })
        .spurious()
        .check_async(async |_| whole(&pool, &net, 1).await)
        .await;
        end(&pool, &net).await;
    });
}

#[test]
fn a_call_of_a_connection() {
    on_both(|| async {
        let net = Net::default();
        net.prepare_claims();
        let pool = pool(&net, plain(1));
        cancel_at_every_poll(async || PooledService::new(pool.clone()).oneshot(Ask::Number).await.unwrap())
            .spurious()
            .ready_at_once()
            .check_async(async |_| whole(&pool, &net, 1).await)
            .await;
        end(&pool, &net).await;
    });
}

#[test]
fn a_request_with_its_connection() {
    on_both(|| async {
        let net = Net::default();
        net.prepare_claims();
        let pool = pool(&net, plain(1));
        let serves = service_fn(async |request: Request<()>| {
            let handle = request.extensions().get::<Claimed<Fake>>().and_then(Claimed::take);
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(handle.map(|handle| handle.number))
        });
        let service = ClaimLayer::new(pool.clone()).layer(serves);
        cancel_at_every_poll(async || assert!(service.clone().oneshot(Request::new(())).await.unwrap().is_some()))
            .spurious()
            .check_async(async |_| whole(&pool, &net, 1).await)
            .await;
        end(&pool, &net).await;
    });
}
