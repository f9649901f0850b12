//! What the statistics count.

use crate::fake::{Mode, Net};
use crate::harness::{MS, paused, plain, pool};

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
