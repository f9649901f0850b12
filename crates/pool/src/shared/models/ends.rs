//! Ends beside everything that a pool does.

use super::{assert_ended, begin, block_on, claim, connecting, late, poll_once, pool, run, spawn, use_one};
use crate::claim::ClaimError;
use crate::connector::Fitness;

/// A claim that comes while the pool ends is served or told so, and never left waiting.
#[test]
fn a_claim_beside_an_end_is_served_or_told() {
    super::explore(|| {
        let shared = pool(Fitness::Fit);
        let claims = spawn(&shared, |shared| {
            let used = use_one(shared);
            assert!(matches!(used, Ok(()) | Err(ClaimError::Terminating { .. })), "{used:?}");
        });
        begin(&shared);
        claims.join().unwrap();
        assert_ended(&shared);
    });
}

/// A claim that waits while the pool ends and the connection comes back.
#[test]
fn a_hand_off_beside_an_end_leaves_nobody_waiting() {
    super::explore(|| {
        let shared = pool(Fitness::Fit);
        let held = block_on(claim(&shared)).unwrap();
        let claims = spawn(&shared, |shared| drop(use_one(shared)));
        begin(&shared);
        drop(held);
        claims.join().unwrap();
        assert_ended(&shared);
    });
}

/// The last handle comes back while the pool begins to end: the end hears of it.
#[test]
fn a_release_beside_an_end_is_heard() {
    super::explore(|| {
        let shared = pool(Fitness::Fit);
        let held = block_on(claim(&shared)).unwrap();
        let begins = spawn(&shared, begin);
        drop(held);
        begins.join().unwrap();
        assert_ended(&shared);
    });
}

/// A claim has its connection prepared, or gives up, while the pool ends.
#[test]
fn a_claim_that_is_prepared_and_given_up_beside_an_end_delays_nothing() {
    super::explore(|| {
        let shared = pool(Fitness::Prepare);
        let claims = spawn(&shared, |shared| drop(poll_once(&mut claim(shared))));
        begin(&shared);
        claims.join().unwrap();
        run(&shared);
        assert_ended(&shared);
    });
}

/// What was granted is taken back while the pool ends, and its claim is told.
#[test]
fn a_grant_that_is_taken_back_beside_an_end_is_closed() {
    super::explore(|| {
        let shared = pool(Fitness::Fit);
        let held = block_on(claim(&shared)).unwrap();
        let mut sleeps = claim(&shared);
        assert!(poll_once(&mut sleeps).is_pending());
        drop(held);
        let passes_on = spawn(&shared, late);
        begin(&shared);
        passes_on.join().unwrap();
        assert!(matches!(block_on(sleeps), Err(ClaimError::Terminating { .. })));
        assert_ended(&shared);
    });
}

/// A connection is there just when the pool ends: it is closed.
#[test]
fn a_connect_that_succeeds_beside_an_end_is_closed() {
    super::explore(|| {
        let shared = connecting(Fitness::Fit);
        let connects = spawn(&shared, run);
        begin(&shared);
        connects.join().unwrap();
        assert_ended(&shared);
    });
}
