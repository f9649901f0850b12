//! What the statistics count.

use crate::fake::{Mode, Net};
use crate::harness::{MS, SECOND, claim_all, end, paused, plain, pool, until};

/// What was given to it and was no good is no claim of its own.
#[test]
fn a_claim_is_counted_once_and_only_if_it_is_served() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(2));
        drop(claim_all(&pool, 2).await);
        let counted = || {
            let stats = pool.stats();
            let of_slots: u64 = stats.backends.iter().map(|it| it.claims).sum();
            assert_eq!(stats.totals.claims, of_slots);
            (stats.totals.claims, stats.totals.claims_waited, stats.waits.count())
        };
        assert_eq!(counted(), (2, 2, 2));
        // Both are found to be broken, and a third is opened.
        net.break_idle(true);
        let mut claim = Box::pin(pool.claim());
        assert!(futures_util::poll!(&mut claim).is_pending());
        net.break_idle(false);
        assert_eq!(counted(), (2, 2, 2));
        drop(claim.await.unwrap());
        assert_eq!(counted(), (3, 3, 3));
        assert_eq!((pool.stats().totals.discarded, pool.stats().holds.count()), (2, 3));
        // One that waited, and then has to be made ready.
        let held = claim_all(&pool, 2).await;
        let before = counted();
        net.prepare_claims();
        net.set_hook("on_claim", Mode::Hangs);
        let mut claim = Box::pin(pool.claim());
        assert!(futures_util::poll!(&mut claim).is_pending());
        drop(held);
        assert!(futures_util::poll!(&mut claim).is_pending());
        until(|| net.calls("on_claim") == 1).await;
        assert_eq!(counted(), before);
        net.set_hook("on_claim", Mode::Works);
        drop(claim.await.unwrap());
        assert_eq!(counted(), (before.0 + 1, before.1 + 1, before.2 + 1));
        // What a call that does not wait finds is left to be made ready.
        assert!(pool.try_claim().is_err());
        assert_eq!(counted(), (before.0 + 1, before.1 + 1, before.2 + 1));
        end(&pool, &net).await;
    });
}

#[test]
fn a_claim_that_is_dropped_after_its_time_was_over_is_not_counted_as_cancelled() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        let held = pool.claim().await.unwrap();
        let mut late = Box::pin(pool.claim_within(SECOND));
        let mut early = Box::pin(pool.claim_within(3 * SECOND));
        assert!(futures_util::poll!(&mut late).is_pending());
        assert!(futures_util::poll!(&mut early).is_pending());
        tokio::time::sleep(2 * SECOND).await;
        drop((late, early));
        let totals = pool.stats().totals;
        assert_eq!((totals.timed_out, totals.cancelled), (1, 1));
        drop(held);
        end(&pool, &net).await;
    });
}

#[test]
fn a_check_that_panics_is_counted_as_failed() {
    paused(|| async {
        let net = Net::default();
        net.recycle_releases(true);
        net.set_hook("on_recycle", Mode::Panics);
        let pool = pool(&net, plain(1));
        drop(pool.claim().await.unwrap());
        tokio::time::sleep(MS).await;
        assert_eq!((pool.stats().totals.checks_failed, net.alive()), (1, 0));
        let report = landfall_lifecycle::Terminate::terminate(&pool, &crate::harness::long()).await.unwrap();
        assert_eq!(report.panics().count(), 1, "{report}");
    });
}
