//! A connection in each request's extensions.

use http::Request;
use landfall_lifecycle::Terminate;
use landfall_pool::ClaimError;
use landfall_pool::tower::{CallError, ClaimLayer, Claimed};
use tower::Layer;
use tower_test::mock::{self, Spawn};

use super::{assert_pending, assert_ready};
use crate::fake::{Fake, Net};
use crate::harness::{end, long, paused, plain, pool};

type Asked = Request<()>;

#[test]
fn a_request_carries_its_connection_to_the_inner_service() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        drop(pool.claim().await.unwrap());
        let (inner, mut served) = mock::pair::<Asked, usize>();
        let mut service = Spawn::new(ClaimLayer::new(pool.clone()).layer(inner));
        served.allow(1);
        assert_ready::<_, Asked>(&mut service);
        let answer = service.call(Request::new(()));
        let serve = async {
            let (request, respond) = served.next_request().await.unwrap();
            let claimed: Claimed<Fake> = request.extensions().get::<Claimed<Fake>>().unwrap().clone();
            let handle = claimed.take().unwrap();
            assert!(claimed.take().is_none(), "there is one");
            assert_eq!(pool.slots().claimed, 1);
            respond.send_response(handle.number);
        };
        let (answer, ()) = tokio::join!(answer, serve);
        assert_eq!((answer.unwrap(), pool.slots().idle), (1, 1));
        end(&pool, &net).await;
    });
}

#[test]
fn it_is_ready_when_both_are_and_what_nobody_takes_goes_back() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        let held = pool.claim().await.unwrap();
        let (inner, mut served) = mock::pair::<Asked, ()>();
        let mut service = Spawn::new(ClaimLayer::new(pool.clone()).layer(inner));
        served.allow(0);
        assert_pending::<_, Asked>(&mut service);
        assert_eq!(pool.stats().waiting, 0, "no connection waits for the inner service");
        served.allow(1);
        assert_pending::<_, Asked>(&mut service);
        assert_eq!(pool.stats().waiting, 1);
        drop(held);
        assert_ready::<_, Asked>(&mut service);
        let answer = service.call(Request::new(()));
        let serve = async {
            let (request, respond) = served.next_request().await.unwrap();
            drop(request);
            assert_eq!(pool.slots().idle, 1);
            respond.send_response(());
        };
        assert!(tokio::join!(answer, serve).0.is_ok());
        end(&pool, &net).await;
    });
}

#[test]
fn without_a_connection_a_request_is_not_served() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        drop(pool.claim().await.unwrap());
        let (inner, mut served) = mock::pair::<Asked, ()>();
        let mut service = Spawn::new(ClaimLayer::new(pool.clone()).layer(inner));
        served.allow(1);
        assert_ready::<_, Asked>(&mut service);
        let answer = service.call(Request::new(()));
        pool.begin_terminate(&long());
        let error = answer.await.unwrap_err();
        assert!(matches!(error, CallError::Claim(ClaimError::Terminating { .. })), "{error}");
        let nothing = Box::pin(served.next_request());
        assert!(futures_util::poll!(nothing).is_pending());
        end(&pool, &net).await;
    });
}
