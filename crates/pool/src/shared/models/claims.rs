//! Claims beside releases, other claims, and grants that are taken back.

use super::{assert_whole, block_on, claim, late, poll_once, pool, spawn, use_one};
use crate::connector::Fitness;

/// It comes before the release, in the midst of it or after it, and is polled without being woken too.
#[test]
fn a_claim_beside_a_release_gets_it() {
    super::explore(|| {
        let shared = pool(Fitness::Fit);
        let held = block_on(claim(&shared)).unwrap();
        let claims = spawn(&shared, |shared| use_one(shared).unwrap());
        drop(held);
        claims.join().unwrap();
        assert_whole(&shared);
    });
}

/// One gives up while the connection comes back: the other gets it.
#[test]
fn a_claim_that_is_given_up_beside_a_release_loses_nothing() {
    super::explore(|| {
        let shared = pool(Fitness::Fit);
        let held = block_on(claim(&shared)).unwrap();
        let gives_up = spawn(&shared, |shared| drop(poll_once(&mut claim(shared))));
        let claims = spawn(&shared, |shared| use_one(shared).unwrap());
        drop(held);
        gives_up.join().unwrap();
        claims.join().unwrap();
        assert_whole(&shared);
    });
}

/// Its task sleeps while another one waits: the grant passes on, and the one that slept is served all the same.
#[test]
fn a_grant_that_is_taken_back_beside_its_claim_serves_both() {
    super::explore(|| {
        let shared = pool(Fitness::Fit);
        let held = block_on(claim(&shared)).unwrap();
        let mut sleeps = claim(&shared);
        assert!(poll_once(&mut sleeps).is_pending());
        drop(held);
        let passes_on = spawn(&shared, late);
        let claims = spawn(&shared, |shared| use_one(shared).unwrap());
        drop(block_on(sleeps).unwrap());
        passes_on.join().unwrap();
        claims.join().unwrap();
        assert_whole(&shared);
    });
}

/// What was granted is taken back while its claim is dropped: it is idle, once.
#[test]
fn a_grant_that_is_taken_back_beside_the_drop_of_its_claim_is_there_once() {
    super::explore(|| {
        let shared = pool(Fitness::Fit);
        let held = block_on(claim(&shared)).unwrap();
        let mut sleeps = claim(&shared);
        assert!(poll_once(&mut sleeps).is_pending());
        drop(held);
        let passes_on = spawn(&shared, late);
        drop(sleeps);
        passes_on.join().unwrap();
        assert_whole(&shared);
    });
}
