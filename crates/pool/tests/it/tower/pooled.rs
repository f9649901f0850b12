//! Connections that are services.

use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::{BoxFuture, Either, Pending, pending};
use landfall_lifecycle::Terminate;
use landfall_pool::ClaimError;
use landfall_pool::tower::{CallError, PooledService};
use tower::{Service, ServiceExt};

use crate::fake::{Conn, Mode, Net};
use crate::harness::{end, long, paused, plain, pool, until};

/// What is asked of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Number,
    Fail,
    Hang,
}

impl Service<Ask> for Conn {
    type Response = usize;
    type Error = io::Error;
    type Future = Either<Ready<io::Result<usize>>, Pending<io::Result<usize>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, ask: Ask) -> Self::Future {
        match ask {
            Ask::Number => Either::Left(ready(Ok(self.number))),
            Ask::Fail => Either::Left(ready(Err(io::Error::other("planned")))),
            Ask::Hang => Either::Right(pending()),
        }
    }
}

/// What no connection is ever ready for.
struct Breaks;

impl Service<Breaks> for Conn {
    type Response = ();
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<()>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::Error::other("done with")))
    }

    fn call(&mut self, _: Breaks) -> Self::Future {
        Box::pin(ready(Ok(())))
    }
}

#[test]
fn a_call_claims_calls_and_gives_back() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        let mut service = PooledService::new(pool.clone());
        for _ in 0..3 {
            let number: usize = ServiceExt::<Ask>::ready(&mut service).await.unwrap().call(Ask::Number).await.unwrap();
            assert_eq!((number, pool.slots().idle), (1, 1));
        }
        // An error of a call says nothing of the connection: the connector does.
        let error = service.clone().oneshot(Ask::Fail).await.unwrap_err();
        assert!(matches!(&error, CallError::Call(error) if error.to_string() == "planned"), "{error}");
        assert_eq!((pool.slots().idle, net.made()), (1, 1));
        end(&pool, &net).await;
    });
}

#[test]
fn a_call_that_is_dropped_before_it_reached_the_connection_gives_it_back() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        drop(pool.claim().await.unwrap());
        let mut service = PooledService::new(pool.clone());
        let called = ServiceExt::<Ask>::ready(&mut service).await.unwrap().call(Ask::Hang);
        assert_eq!(pool.slots().granted, 1);
        drop(called);
        assert_eq!((pool.slots().idle, pool.stats().totals.discarded), (1, 0));
        end(&pool, &net).await;
    });
}

/// What it would answer later is not for the next caller.
#[test]
fn a_call_that_is_dropped_while_the_connection_works_discards_it() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        let service = PooledService::new(pool.clone());
        let mut called = Box::pin(service.clone().oneshot(Ask::Hang));
        until(|| {
            let mut cx = Context::from_waker(std::task::Waker::noop());
            assert!(Pin::new(&mut called).poll(&mut cx).is_pending());
            pool.slots().claimed == 1
        })
        .await;
        drop(called);
        assert_eq!(service.oneshot(Ask::Number).await.unwrap(), 2);
        assert_eq!(pool.stats().totals.discarded, 1);
        end(&pool, &net).await;
    });
}

#[test]
fn a_connection_that_cannot_be_ready_is_discarded() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        let error = PooledService::new(pool.clone()).oneshot(Breaks).await.unwrap_err();
        assert!(matches!(&error, CallError::Call(error) if error.to_string() == "done with"), "{error}");
        assert_eq!(PooledService::new(pool.clone()).oneshot(Ask::Number).await.unwrap(), 2);
        end(&pool, &net).await;
    });
}

#[test]
fn no_connection_is_an_error_of_the_claim() {
    paused(|| async {
        let net = Net::default();
        net.set(0, Mode::Fails);
        let pool = pool(&net, plain(1));
        let service = PooledService::new(pool.clone());
        let error = service.clone().oneshot(Ask::Number).await.unwrap_err();
        assert!(matches!(error, CallError::Claim(ClaimError::NoneOnline { .. })), "{error}");
        pool.begin_terminate(&long());
        let error = service.oneshot(Ask::Number).await.unwrap_err();
        assert!(matches!(error, CallError::Claim(ClaimError::Terminating { .. })), "{error}");
        end(&pool, &net).await;
    });
}
