//! What the pool does by itself: spares, checks, ages, sizes, reports.

use landfall_pool::{Connector, Policy, PolicyError, SlotStatus};

use crate::fake::{Fake, Mode, Net};
use crate::harness::{MS, SECOND, claim_all, end, paused, plain, pool, until};

fn with(slots_max: usize, change: impl FnOnce(&mut Policy)) -> Policy {
    let mut policy = plain(slots_max);
    change(&mut policy);
    policy
}

#[test]
fn spares_are_kept_ready_beside_what_is_claimed() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, with(5, |it| it.spares_wanted = 2));
        pool.warm_up().await.unwrap();
        assert_eq!((net.made(), net.alive()), (2, 2));
        let held = claim_all(&pool, 2).await;
        tokio::time::sleep(2 * MS).await;
        assert_eq!((pool.slots().idle, net.alive()), (2, 4));
        let more = claim_all(&pool, 2).await;
        tokio::time::sleep(2 * MS).await;
        assert_eq!((pool.slots().idle, net.alive()), (1, 5), "as far as the cap allows");
        drop((held, more));
        end(&pool, &net).await;
    });
}

#[test]
fn unused_connections_are_closed_down_to_the_minimum() {
    paused(|| async {
        let net = Net::default();
        let policy = with(6, |it| {
            it.slots_min = 2;
            it.idle_timeout = Some(10 * SECOND);
        });
        let pool = pool(&net, policy);
        drop(claim_all(&pool, 6).await);
        tokio::time::sleep(9 * SECOND).await;
        assert_eq!(net.alive(), 6);
        tokio::time::sleep(2 * SECOND).await;
        assert_eq!(net.alive(), 2);
        tokio::time::sleep(100 * SECOND).await;
        assert_eq!((net.alive(), net.made()), (2, 6));
        end(&pool, &net).await;
    });
}

#[test]
fn connections_do_not_all_reach_their_age_together() {
    paused(|| async {
        let net = Net::default();
        let policy = with(64, |it| {
            it.slots_min = 64;
            it.lifetime_max = Some(100 * SECOND);
            it.lifetime_jitter_percent = 50;
        });
        let pool = pool(&net, policy);
        pool.warm_up().await.unwrap();
        let held = pool.claim().await.unwrap();
        tokio::time::sleep(49 * SECOND).await;
        assert_eq!(net.made(), 64);
        // About half of them by now.
        tokio::time::sleep(26 * SECOND).await;
        let made = net.made();
        assert!((70..120).contains(&made), "{made}");
        tokio::time::sleep(26 * SECOND).await;
        // The one that is in use goes when it comes back.
        let closed = net.calls("close");
        drop(held);
        until(|| net.calls("close") > closed).await;
        end(&pool, &net).await;
    });
}

#[test]
fn idle_connections_are_checked_and_replaced_if_they_are_dead() {
    paused(|| async {
        let net = Net::default();
        let policy = with(2, |it| {
            it.slots_min = 2;
            it.keepalive = Some(5 * SECOND);
        });
        let pool = pool(&net, policy);
        pool.warm_up().await.unwrap();
        let used = pool.claim().await.unwrap();
        tokio::time::sleep(6 * SECOND).await;
        assert_eq!(net.calls("is_valid"), 1, "what is claimed is not checked");
        drop(used);
        net.set_hook("is_valid", Mode::Fails);
        tokio::time::sleep(6 * SECOND).await;
        net.set_hook("is_valid", Mode::Works);
        assert_eq!((net.made(), net.alive(), pool.stats().totals.checks_failed), (4, 2, 2));
        // One that is never answered is given up.
        net.set_hook("is_valid", Mode::Hangs);
        tokio::time::sleep(9 * SECOND).await;
        net.set_hook("is_valid", Mode::Works);
        assert!(net.made() > 4 && net.alive() == 2);
        end(&pool, &net).await;
    });
}

#[test]
fn most_idle_connections_stay_ready_while_some_are_checked() {
    paused(|| async {
        let net = Net::default();
        let policy = with(16, |it| {
            it.slots_min = 16;
            it.keepalive = Some(5 * SECOND);
        });
        let pool = pool(&net, policy);
        pool.warm_up().await.unwrap();
        net.set_hook("is_valid", Mode::Hangs);
        tokio::time::sleep(6 * SECOND).await;
        assert_eq!(pool.slots().checking, 5, "a quarter of them, and one");
        net.set_hook("is_valid", Mode::Works);
        tokio::time::sleep(SECOND).await;
        assert_eq!((net.calls("is_valid"), pool.slots().idle), (16, 16));
        end(&pool, &net).await;
    });
}

#[test]
fn a_connection_unused_for_long_is_validated_before_a_claim_gets_it() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, with(2, |it| it.validate_after = Some(SECOND)));
        drop(pool.claim().await.unwrap());
        drop(pool.claim().await.unwrap());
        assert_eq!(net.calls("is_valid"), 0);
        tokio::time::sleep(2 * SECOND).await;
        assert_eq!(pool.claim().await.unwrap().number, 1);
        assert_eq!(net.calls("is_valid"), 1);
        tokio::time::sleep(2 * SECOND).await;
        net.set_hook("is_valid", Mode::Fails);
        assert_eq!(pool.claim().await.unwrap().number, 2);
        // A call that waits for nothing gets it as it is.
        tokio::time::sleep(2 * SECOND).await;
        assert_eq!((pool.try_claim().unwrap().number, net.calls("is_valid")), (2, 2));
        end(&pool, &net).await;
    });
}

/// #11: shrink, then grow, while everything is out.
#[test]
fn a_pool_can_be_resized_while_everything_is_out() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, with(6, |it| it.slots_min = 2));
        let mut held = claim_all(&pool, 6).await;
        pool.resize(3).unwrap();
        assert_eq!(net.alive(), 6, "nobody's connection is taken away");
        for _ in 0..3 {
            drop(held.pop());
        }
        until(|| net.alive() == 3 && pool.slots().idle == 0).await;
        pool.resize(5).unwrap();
        held.extend(claim_all(&pool, 2).await);
        assert!(pool.claim_within(MS).await.is_err());
        drop(held);
        pool.resize(2).unwrap();
        until(|| net.alive() == 2).await;
        let PolicyError { field, .. } = pool.resize(1).unwrap_err();
        assert_eq!(field, "slots_min");
        assert_eq!(net.alive_max(), 6);
        end(&pool, &net).await;
    });
}

/// Checks are no use: they once kept a connection from ever being unused for long.
#[test]
fn a_connection_that_is_checked_and_not_used_is_closed_all_the_same() {
    paused(|| async {
        let net = Net::default();
        let policy = with(4, |it| {
            it.idle_timeout = Some(10 * SECOND);
            it.keepalive = Some(SECOND);
        });
        let pool = pool(&net, policy);
        drop(claim_all(&pool, 4).await);
        tokio::time::sleep(9 * SECOND).await;
        assert_eq!(net.alive(), 4);
        assert!(net.calls("is_valid") >= 4 * 5, "{}", net.calls("is_valid"));
        tokio::time::sleep(2 * SECOND).await;
        assert_eq!(net.alive(), 0);
        end(&pool, &net).await;
    });
}

#[test]
fn evicted_connections_are_replaced_when_nobody_uses_them() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(3));
        let mut held = claim_all(&pool, 3).await;
        drop(held.pop());
        pool.evict();
        until(|| net.alive() == 2).await;
        assert_eq!(pool.claim().await.unwrap().number, 4);
        drop(held);
        until(|| net.alive() == 1).await;
        assert_eq!(pool.claim().await.unwrap().number, 4);
        end(&pool, &net).await;
    });
}

#[test]
fn a_handle_held_for_long_is_reported_and_again_when_it_comes_back() {
    crate::log::capture();
    paused(|| async {
        let net = Net::default();
        let policy = with(2, |it| it.held_report_after = Some(10 * SECOND));
        let pool = crate::harness::named("held-long", &net, policy);
        let held = pool.claim().await.unwrap();
        tokio::time::sleep(9 * SECOND).await;
        assert!(crate::log::lines_with("held-long", "held for long").is_empty());
        tokio::time::sleep(2 * SECOND).await;
        let lines = crate::log::lines_with("held-long", "held for long");
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("upkeep.rs"), "{lines:?}");
        tokio::time::sleep(100 * SECOND).await;
        assert_eq!(crate::log::lines_with("held-long", "held for long").len(), 1, "once is enough");
        assert!(held.age() >= 110 * SECOND);
        drop(held);
        assert_eq!(crate::log::lines_with("held-long", "came back").len(), 1);
        assert_eq!(pool.stats().totals.held_long, 1);
        end(&pool, &net).await;
    });
}

#[test]
fn statistics_agree_with_each_other_and_name_holders() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(3));
        let held = pool.claim().await.unwrap();
        drop(pool.claim().await.unwrap());
        tokio::time::sleep(8 * MS).await;
        let stats = pool.stats();
        assert_eq!((stats.slots.claimed, stats.slots.idle, stats.waiting, stats.is_offline), (1, 1, 0, false));
        assert_eq!(stats.each_slot.len(), 2);
        let claimed = stats.each_slot.iter().find_map(|slot| match slot.status {
            SlotStatus::Claimed { place, age } => Some((place, age)),
            _ => None,
        });
        assert_eq!(claimed, Some((held.place(), held.age())));
        assert_eq!((stats.totals.claims, stats.waits.count(), stats.holds.count()), (2, 2, 1));
        assert_eq!(stats.backends[0].claims, 2);
        drop(held);
        let holds = pool.stats().holds;
        assert!((8 * MS..=16 * MS).contains(&holds.sum()) && holds.at_most(1.0) >= 8 * MS, "{holds:?}");
        end(&pool, &net).await;
    });
}

#[test]
fn each_connect_that_gives_a_connection_is_timed() {
    paused(|| async {
        let net = Net::default();
        net.set(0, Mode::Hangs);
        let pool = pool(&net, plain(2));
        let answers = async {
            tokio::time::sleep(30 * MS).await;
            net.set(0, Mode::Works);
        };
        let (claimed, ()) = tokio::join!(pool.claim(), answers);
        net.set(0, Mode::Fails);
        let refused = pool.claim_within(10 * MS).await;
        assert!(claimed.is_ok() && refused.is_err());
        let stats = pool.stats();
        assert_eq!((stats.connects.count(), stats.connects.sum()), (1, 30 * MS));
        assert!(stats.backends[0].connects_failed > 0);
        drop(claimed);
        end(&pool, &net).await;
    });
}

#[test]
fn a_connector_that_panics_anywhere_loses_no_slot() {
    paused(|| async {
        for hook in ["is_valid", "on_claim", "on_recycle", "close"] {
            let net = Net::default();
            let pool = pool(&net, with(1, |it| it.validate_after = Some(SECOND)));
            drop(pool.claim().await.unwrap());
            net.set_hook(hook, Mode::Panics);
            match hook {
                "is_valid" => tokio::time::sleep(2 * SECOND).await,
                "on_claim" => net.prepare_claims(),
                "on_recycle" => {
                    net.recycle_releases(true);
                    drop(pool.claim().await.unwrap());
                }
                _ => pool.claim().await.unwrap().discard(),
            }
            let claim = async {
                tokio::time::sleep(100 * MS).await;
                net.set_hook(hook, Mode::Works);
                net.recycle_releases(false);
            };
            let (handle, ()) = tokio::join!(pool.claim(), claim);
            drop(handle.unwrap());
            assert_eq!((net.alive(), pool.slots().idle), (1, 1), "{hook}");
            let report = landfall_lifecycle::Terminate::terminate(&pool, &crate::harness::long()).await.unwrap();
            assert!(report.panics().count() > 0 && net.alive() == 0, "{hook}: {report}");
        }
    });
}

/// What a fake's connections are, for the test of the bounds above.
const _: fn() = || {
    fn is_connector<K: Connector>() {}
    is_connector::<Fake>();
};
