//! Resolvers made of others, and of a stream of changes.

use std::task::Poll;

use futures_util::{StreamExt, poll, stream};
use landfall_lifecycle::testing::cancel_at_every_poll_on;
use landfall_pool::{Backend, BackendsChange, ChangesResolver, FixedResolver, MergedResolver, Pool, Resolver};
use tokio::sync::mpsc;

use crate::fake::{Net, backend};
use crate::harness::{end, on_both, paused, plain, until};

/// Sets as a test gives them.
struct Told(mpsc::UnboundedReceiver<Vec<Backend>>);

impl Resolver for Told {
    async fn next(&mut self) -> Option<Vec<Backend>> {
        // Not cancel safe: what was received is lost if this is dropped while it yields.
        let set = self.0.recv().await;
        tokio::task::yield_now().await;
        set
    }
}

fn told() -> (mpsc::UnboundedSender<Vec<Backend>>, Told) {
    let (tell, hears) = mpsc::unbounded_channel();
    (tell, Told(hears))
}

struct Panics;

impl Resolver for Panics {
    async fn next(&mut self) -> Option<Vec<Backend>> {
        panic!("planned")
    }
}

fn changes() -> (mpsc::UnboundedSender<BackendsChange>, ChangesResolver) {
    let (tell, mut hears) = mpsc::unbounded_channel();
    (tell, ChangesResolver::new(stream::poll_fn(move |cx| hears.poll_recv(cx))))
}

fn applied(key: &str, numbers: impl IntoIterator<Item = u16>) -> BackendsChange {
    BackendsChange::Applied { key: key.into(), backends: numbers.into_iter().map(backend).collect() }
}

fn deleted(key: &str) -> BackendsChange {
    BackendsChange::Deleted { key: key.into() }
}

fn of(numbers: impl IntoIterator<Item = u16>) -> Option<Vec<Backend>> {
    Some(numbers.into_iter().map(backend).collect())
}

async fn is_silent(resolver: &mut impl Resolver) -> bool {
    let mut next = std::pin::pin!(resolver.next());
    poll!(&mut next).is_pending()
}

#[test]
fn what_several_find_is_one_set() {
    paused(|| async {
        let ((tell_one, one), (tell_other, other)) = (told(), told());
        let mut merged = MergedResolver::new().and(one).and(other);
        assert!(is_silent(&mut merged).await);
        tell_other.send(vec![backend(2), backend(1)]).unwrap();
        assert_eq!(merged.next().await, of([2, 1]), "it waits for no other");
        tell_one.send(vec![backend(1).ranked(3, 4), backend(0)]).unwrap();
        assert_eq!(merged.next().await, Some(vec![backend(1).ranked(3, 4), backend(0), backend(2)]));
        tell_other.send(Vec::new()).unwrap();
        assert_eq!(merged.next().await, Some(vec![backend(1).ranked(3, 4), backend(0)]));
    });
}

#[test]
fn a_resolver_that_ends_or_panics_leaves_its_set_to_the_others() {
    paused(|| async {
        let (tell, one) = told();
        let mut merged = MergedResolver::new().and(FixedResolver::new([backend(7)])).and(Panics).and(one);
        assert_eq!(merged.next().await, of([7]));
        assert!(is_silent(&mut merged).await);
        tell.send(vec![backend(1)]).unwrap();
        assert_eq!(merged.next().await, of([7, 1]));
        drop(tell);
        assert_eq!(merged.next().await, None, "all have ended");
        assert_eq!(MergedResolver::new().next().await, None);
    });
}

/// What the parts have under way is not theirs to lose: they need not be cancel safe.
#[test]
fn a_merged_resolver_loses_nothing_at_any_poll() {
    on_both(|| async {
        let set_up = async || {
            let ((tell_one, one), (tell_other, other)) = (told(), told());
            tell_one.send(vec![backend(1)]).unwrap();
            tell_other.send(vec![backend(2)]).unwrap();
            MergedResolver::new().and(one).and(other)
        };
        cancel_at_every_poll_on(set_up, async |merged: &mut MergedResolver| merged.next().await)
            .spurious()
            .check(async |mut merged, _| {
                let mut last = None;
                while let Some(set) = merged.next().await {
                    last = Some(set);
                }
                assert!(last.is_none_or(|last| last.len() == 2));
            })
            .await;
    });
}

#[test]
fn changes_that_come_together_are_one_set() {
    paused(|| async {
        let (tell, mut resolver) = changes();
        assert!(is_silent(&mut resolver).await);
        for change in [applied("a", [1, 2]), applied("b", [2, 3]), deleted("nobody"), applied("a", [4])] {
            tell.send(change).unwrap();
        }
        assert_eq!(resolver.next().await, of([2, 3, 4]), "an address that changes is followed");
        tell.send(deleted("b")).unwrap();
        assert_eq!(resolver.next().await, of([4]));
        tell.send(applied("a", [])).unwrap();
        assert_eq!(resolver.next().await, of([]));
    });
}

#[test]
fn a_listing_is_taken_over_once_it_is_whole() {
    paused(|| async {
        let (tell, mut resolver) = changes();
        tell.send(BackendsChange::Listing).unwrap();
        tell.send(applied("a", [1])).unwrap();
        assert!(is_silent(&mut resolver).await);
        tell.send(BackendsChange::Listed).unwrap();
        assert_eq!(resolver.next().await, of([1]));
        // The watch breaks, and begins anew: meanwhile everything stays.
        tell.send(BackendsChange::Listing).unwrap();
        tell.send(applied("b", [2])).unwrap();
        tell.send(applied("c", [3])).unwrap();
        tell.send(deleted("c")).unwrap();
        assert!(is_silent(&mut resolver).await);
        tell.send(BackendsChange::Listed).unwrap();
        assert_eq!(resolver.next().await, of([2]));
        tell.send(BackendsChange::Listed).unwrap();
        assert!(is_silent(&mut resolver).await, "there was no listing");
    });
}

#[test]
fn the_last_whole_set_outlives_its_stream() {
    on_both(|| async {
        let net = Net::default();
        let (tell, resolver) = changes();
        let pool =
            Pool::builder("pool").resolver(resolver).connector(net.connector()).policy(plain(1)).build().unwrap();
        tell.send(applied("a", [1])).unwrap();
        drop(pool.claim().await.unwrap());
        tell.send(BackendsChange::Listing).unwrap();
        drop(tell);
        // Its end is an event of the log only; what can be seen is that nothing goes, whenever it comes.
        for _ in 0..100 {
            tokio::task::yield_now().await;
            drop(pool.claim().await.unwrap());
        }
        assert_eq!((pool.stats().backends.len(), net.alive_at(1)), (1, 1));
        end(&pool, &net).await;
    });
}

#[test]
fn a_stream_that_has_ended_ends_its_resolver_and_leaves_the_set() {
    paused(|| async {
        let given = stream::iter([applied("a", [1]), BackendsChange::Listing, applied("b", [2])]);
        let mut resolver = ChangesResolver::new(given);
        assert_eq!(resolver.next().await, of([1]), "the listing was never whole");
        assert_eq!(resolver.next().await, None);
        assert_eq!(resolver.next().await, None);
        assert_eq!(ChangesResolver::new(stream::empty()).next().await, None);
    });
}

#[test]
fn a_stream_that_never_rests_fills_nothing() {
    paused(|| async {
        let endless = stream::iter(0_u64..).map(|number| applied(&format!("key {number}"), [(number % 1_000) as u16]));
        let mut resolver = ChangesResolver::new(endless).backends_max(10);
        for _ in 0..20 {
            assert_eq!(resolver.next().await.unwrap().len(), 10);
        }
        // Nor does one that has nothing to say keep the others from their turn.
        let mut idle = ChangesResolver::new(stream::repeat(BackendsChange::Listed));
        let mut next = std::pin::pin!(idle.next());
        assert_eq!(poll!(&mut next), Poll::Pending);
    });
}

#[test]
fn changes_are_lost_at_no_poll() {
    on_both(|| async {
        let set_up = async || {
            let (tell, resolver) = changes();
            tell.send(applied("a", [1])).unwrap();
            (tell, resolver)
        };
        cancel_at_every_poll_on(set_up, async |(_, resolver): &mut (_, ChangesResolver)| resolver.next().await)
            .spurious()
            .ready_at_once()
            .check(async |(tell, mut resolver), _| {
                tell.send(applied("b", [2])).unwrap();
                assert_eq!(resolver.next().await, of([1, 2]));
            })
            .await;
    });
}

#[test]
fn a_pool_of_a_merged_resolver_drains_what_one_of_them_no_longer_has() {
    on_both(|| async {
        let net = Net::default();
        let (tell, one) = told();
        let merged = MergedResolver::new().and(FixedResolver::new([backend(1)])).and(one);
        let mut policy = plain(2);
        policy.slots_per_backend_max = Some(1);
        policy.spares_wanted = 2;
        let pool = Pool::builder("pool").resolver(merged).connector(net.connector()).policy(policy).build().unwrap();
        tell.send(vec![backend(2)]).unwrap();
        until(|| net.alive_at(1) == 1 && net.alive_at(2) == 1).await;
        tell.send(Vec::new()).unwrap();
        until(|| net.alive_at(2) == 0).await;
        assert_eq!(net.alive_at(1), 1);
        end(&pool, &net).await;
    });
}
