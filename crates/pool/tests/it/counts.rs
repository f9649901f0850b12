//! What the statistics count.

use crate::fake::{Mode, Net};
use crate::harness::{MS, SECOND, end, paused, plain, pool};

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
