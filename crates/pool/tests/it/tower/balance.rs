//! Backends for tower's balancer.

use std::collections::HashMap;
use std::convert::Infallible;

use futures_util::{Stream, StreamExt};
use landfall_lifecycle::{Stack, Terminate};
use landfall_pool::tower::{ClaimRequest, ClaimService, CompleteOnRelease, Discovery, PooledService};
use landfall_pool::{Backend, FixedResolver, Pool, Resolver};
use tokio::sync::mpsc;
use tower::balance::p2c::Balance;
use tower::discover::Change;
use tower::load::{CompleteOnResponse, Load, PeakEwma, PendingRequests};
use tower::{Service, ServiceExt};

use super::pooled::Ask;
use crate::fake::{Fake, Net, backend};
use crate::harness::{MS, SECOND, assert_clean, claim_all, end, long, paused, plain, pool};

/// Sets as the test gives them.
struct Told(mpsc::UnboundedReceiver<Vec<Backend>>);

impl Resolver for Told {
    async fn next(&mut self) -> Option<Vec<Backend>> {
        self.0.recv().await
    }
}

/// `+n` and `-n` for what a discovery gives without waiting.
fn changes(discovery: &mut (impl Stream<Item = Result<Change<Backend, u16>, Infallible>> + Unpin)) -> Vec<String> {
    let mut seen = Vec::new();
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    while let std::task::Poll::Ready(Some(change)) = discovery.poll_next_unpin(&mut cx) {
        seen.push(match change.unwrap() {
            Change::Insert(_, number) => format!("+{number}"),
            Change::Remove(backend) => format!("-{}", backend.address.port() - 10_000),
        });
    }
    seen
}

#[test]
fn a_discovery_tells_what_has_gone_and_what_is_new() {
    paused(|| async {
        let (tell, hears) = mpsc::unbounded_channel();
        let mut discovery = Discovery::new(Told(hears), |backend: &Backend| backend.address.port() - 10_000);
        assert!(changes(&mut discovery).is_empty());
        tell.send(vec![backend(1), backend(2), backend(1)]).unwrap();
        assert_eq!(changes(&mut discovery), ["+1", "+2"]);
        tell.send(vec![backend(2), backend(3)]).unwrap();
        tell.send(vec![backend(2), Backend::new("other", backend(3).address)]).unwrap();
        assert_eq!(changes(&mut discovery), ["-1", "+3", "-3", "+3"]);
        tell.send(Vec::new()).unwrap();
        assert_eq!(changes(&mut discovery), ["-2", "-3"]);
        drop(tell);
        // It ends, again and again.
        assert!(discovery.next().await.is_none());
        assert!(discovery.next().await.is_none());
    });
}

#[test]
fn a_resolver_that_panics_ends_the_discovery_and_nothing_else() {
    struct Panics(bool);
    impl Resolver for Panics {
        async fn next(&mut self) -> Option<Vec<Backend>> {
            assert!(!std::mem::replace(&mut self.0, true), "planned");
            Some(vec![backend(1)])
        }
    }
    paused(|| async {
        let mut discovery = Discovery::new(Panics(false), |_: &Backend| 1);
        assert_eq!(changes(&mut discovery), ["+1"]);
        assert!(discovery.next().await.is_none());
    });
}

/// A pool for each backend, all owned by one stack.
fn pools(net: &Net, stack: &Stack) -> impl FnMut(&Backend) -> Pool<Fake> + use<> {
    let (net, stack) = (net.clone(), stack.clone());
    move |backend| {
        let builder = Pool::builder(backend.to_string()).resolver(FixedResolver::new([backend.clone()]));
        let pool = builder.connector(net.connector()).policy(plain(4)).build().unwrap();
        stack.push(pool.clone()).unwrap();
        pool
    }
}

#[test]
fn a_balancer_spreads_over_pools_and_goes_on_when_its_discover_has_ended() {
    paused(|| async {
        let net = Net::default();
        let stack = Stack::new("pools");
        let mut make = pools(&net, &stack);
        let discovery = Discovery::new(FixedResolver::new((0..3).map(backend)), move |backend: &Backend| {
            PendingRequests::new(ClaimService::new(make(backend)), CompleteOnRelease::default())
        });
        let mut balance = Balance::new(discovery);
        let mut held = Vec::new();
        for _ in 0..9 {
            held.push(balance.ready().await.unwrap().call(ClaimRequest::default()).await.unwrap());
        }
        let mut at: HashMap<Backend, usize> = HashMap::new();
        held.iter().for_each(|handle| *at.entry(handle.backend().clone()).or_default() += 1);
        // The handles count until they are released: no pool is asked for a fifth while another has none.
        assert!(at.len() == 3 && at.values().all(|count| (1..=4).contains(count)), "{at:?}");
        drop((held, balance));
        assert_clean(&stack.terminate(&long()).await.unwrap());
        assert_eq!(net.alive(), 0);
    });
}

#[test]
fn peak_ewma_sees_the_time_of_calls_and_keeps_away_from_what_is_slow() {
    paused(|| async {
        let net = Net::default();
        let stack = Stack::new("pools");
        let mut make = pools(&net, &stack);
        // Calls of the first backend take long.
        let discovery = Discovery::new(FixedResolver::new((0..2).map(backend)), move |it: &Backend| {
            let slow = if *it == backend(0) { 200 * MS } else { MS };
            let service = PooledService::new(make(it)).map_future(move |call| async move {
                tokio::time::sleep(slow).await;
                call.await
            });
            PeakEwma::new(service, MS, 10e9, CompleteOnResponse::default())
        });
        let mut balance = Balance::new(discovery);
        let mut slow = 0;
        for _ in 0..200 {
            let began = tokio::time::Instant::now();
            balance.ready().await.unwrap().call(Ask::Number).await.unwrap();
            slow += u32::from(began.elapsed() >= 200 * MS);
        }
        assert!(slow <= 5, "{slow} of 200 calls went to the slow one");
        drop(balance);
        assert_clean(&stack.terminate(&long()).await.unwrap());
    });
}

#[test]
fn the_load_of_a_pool_is_what_is_out_granted_and_in_line() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(2));
        let (claims, calls) = (ClaimService::new(pool.clone()), PooledService::new(pool.clone()));
        assert_eq!((claims.load(), calls.load()), (0, 0));
        let held = claim_all(&pool, 2).await;
        let mut waits = Box::pin(pool.claim_within(SECOND));
        assert!(futures_util::poll!(&mut waits).is_pending());
        assert_eq!((claims.load(), calls.load()), (3, 3));
        drop(held);
        assert_eq!(claims.load(), 1);
        drop(waits);
        assert_eq!(claims.load(), 0);
        end(&pool, &net).await;
    });
}
