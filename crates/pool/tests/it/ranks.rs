//! Backends with priorities and weights.

use std::time::Duration;

use landfall_pool::{FixedResolver, Policy, Pool, Standing};
use tokio::time::{Instant, sleep};

use crate::backends::told;
use crate::fake::{Fake, Mode, Net, backend};
use crate::harness::{MS, SECOND, claim_all, end, on_both, paused, plain, until};

/// The n-th backend has the n-th rank.
fn pool(net: &Net, slots_max: usize, ranks: &[(u16, u32)]) -> Pool<Fake> {
    pool_with(net, plain(slots_max), ranks)
}

fn pool_with(net: &Net, mut policy: Policy, ranks: &[(u16, u32)]) -> Pool<Fake> {
    let ranked = ranks.iter().enumerate().map(|(number, &(priority, weight))| {
        let number = u16::try_from(number).unwrap();
        backend(number).ranked(priority, weight)
    });
    policy.offline_wait = 60 * SECOND;
    let builder = Pool::builder("pool").resolver(FixedResolver::new(ranked)).connector(net.connector());
    builder.policy(policy).build().unwrap()
}

#[test]
fn a_higher_number_is_used_only_while_no_lower_one_answers() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, 4, &[(1, 1), (2, 1), (1, 1)]);
        drop(claim_all(&pool, 4).await);
        assert_eq!((net.alive_at(0), net.alive_at(1), net.alive_at(2)), (2, 0, 2));

        // Their connections are gone, and nothing answers there.
        net.set(0, Mode::Fails);
        net.set(2, Mode::Fails);
        claim_all(&pool, 4).await.into_iter().for_each(landfall_pool::Handle::discard);
        let held = claim_all(&pool, 4).await;
        assert_eq!((net.alive_at(0), net.alive_at(1), net.alive_at(2)), (0, 4, 0));
        let claimed = pool.stats().backends.iter().map(|backend| backend.slots.claimed).sum::<usize>();
        assert_eq!(claimed, 4);

        // One is back: those who have a connection keep it, and nobody gets another.
        net.set(2, Mode::Works);
        drop(held);
        let handle = until_at(&pool, 2).await;
        drop(handle);
        until(|| net.alive_at(1) == 0).await;
        drop(claim_all(&pool, 4).await);
        assert_eq!((net.alive_at(0), net.alive_at(1), net.alive_at(2)), (0, 0, 4));
        end(&pool, &net).await;
    });
}

/// Claims until one is of this backend.
async fn until_at(pool: &Pool<Fake>, number: u16) -> landfall_pool::Handle<Fake> {
    loop {
        let handle = pool.claim().await.unwrap();
        if handle.backend().address == backend(number).address {
            return handle;
        }
        drop(handle);
        tokio::time::sleep(MS).await;
    }
}

#[test]
fn a_backup_that_does_not_answer_is_no_trouble() {
    on_both(|| async {
        let net = Net::default();
        net.set(1, Mode::Fails);
        let pool = pool(&net, 2, &[(0, 1), (9, 1)]);
        for _ in 0..100 {
            drop(pool.claim().await.unwrap());
            tokio::task::yield_now().await;
        }
        assert_eq!((net.alive_at(0), net.calls("connect")), (1, 1), "nobody has asked for it");
        end(&pool, &net).await;
    });
}

#[test]
fn those_of_a_larger_weight_are_used_more() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, 16, &[(0, 1), (0, 3)]);
        let held = claim_all(&pool, 16).await;
        assert_eq!((net.alive_at(0), net.alive_at(1)), (4, 12));
        drop(held);
        // Of eight claims at a time two are there.
        let held = claim_all(&pool, 8).await;
        let at_first = held.iter().filter(|handle| handle.backend().address == backend(0).address).count();
        assert!((1..=3).contains(&at_first), "{at_first} of 8");
        drop(held);
        end(&pool, &net).await;
    });
}

/// Claims so many at a time, and has those to this backend break; until it is ejected.
async fn use_until_ejected(pool: &Pool<Fake>, number: u16) {
    let is_out = || pool.stats().totals.ejections > 0;
    while !is_out() {
        for handle in claim_all(pool, 4).await {
            if handle.backend().address == backend(number).address {
                handle.discard();
            }
        }
        sleep(MS).await;
    }
}

fn standing(pool: &Pool<Fake>, number: u16) -> Standing {
    let stats = pool.stats();
    stats.backends.iter().find(|it| it.backend.address == backend(number).address).unwrap().standing
}

/// It has no trial while a better one serves; nor does anything make room for that.
#[test]
fn a_backup_that_was_ejected_costs_the_better_one_nothing() {
    paused(|| async {
        let net = Net::default();
        net.set(0, Mode::Fails);
        let mut policy = plain(4);
        policy.slots_min = 4;
        let pool = pool_with(&net, policy, &[(0, 1), (1, 1), (1, 1)]);
        use_until_ejected(&pool, 1).await;
        net.set(0, Mode::Works);
        sleep(10 * SECOND).await;
        assert_eq!((net.alive_at(0), standing(&pool, 1)), (4, Standing::OnTrial { passed: 0 }));
        let before = (net.made(), pool.stats().totals.moved);
        sleep(60 * SECOND).await;
        assert_eq!((net.made(), pool.stats().totals.moved), before);
        end(&pool, &net).await;
    });
}

#[test]
fn a_better_one_that_was_ejected_is_used_alone_again_once_it_has_passed_its_trial() {
    paused(|| async {
        let net = Net::default();
        let mut policy = plain(4);
        policy.slots_min = 4;
        let pool = pool_with(&net, policy, &[(0, 1), (1, 1)]);
        pool.warm_up().await.unwrap();
        use_until_ejected(&pool, 0).await;
        while standing(&pool, 0) != (Standing::OnTrial { passed: 0 }) || net.alive_at(0) == 0 {
            sleep(100 * MS).await;
        }
        assert_eq!(net.alive_at(1), 3);
        while standing(&pool, 0) != Standing::Full {
            assert_eq!(pool.claim().await.unwrap().backend().address, backend(0).address);
            tokio::task::yield_now().await;
        }
        // Nobody has to wait, nothing comes due.
        sleep(MS).await;
        assert_eq!((net.alive_at(0), net.alive_at(1)), (4, 0));
        end(&pool, &net).await;
    });
}

/// As where DNS lists one that is not up yet.
#[test]
fn a_better_one_that_has_never_answered_takes_nothing_from_those_that_serve() {
    paused(|| async {
        let net = Net::default();
        let (tell, pool) = told(&net, 4);
        let backup = backend(1).ranked(1, 1);
        tell.send(vec![backup.clone()]).unwrap();
        drop(claim_all(&pool, 4).await);
        net.swallow(0);
        tell.send(vec![backend(0), backup]).unwrap();
        let began = Instant::now();
        while began.elapsed() < 30 * SECOND {
            let asked = Instant::now();
            let handle = pool.claim().await.unwrap();
            assert_eq!((asked.elapsed(), handle.backend().address), (Duration::ZERO, backend(1).address));
            sleep(100 * MS).await;
        }
        assert!(net.alive_at(1) >= 1, "of four as many make way as there may be attempts");
        net.set(0, Mode::Works);
        drop(until_at(&pool, 0).await);
        until(|| net.alive_at(1) == 0).await;
        end(&pool, &net).await;
    });
}

/// Room that a probe has is taken for a connection somebody relies on, and there is none to be had where the better
/// one is full.
#[test]
fn a_probe_goes_on_where_giving_it_up_would_serve_nobody() {
    paused(|| async {
        let net = Net::default();
        net.set(2, Mode::Fails);
        let mut policy = plain(4);
        policy.slots_per_backend_max = Some(3);
        let pool = pool_with(&net, policy, &[(0, 1), (1, 1), (0, 1)]);
        let held = claim_all(&pool, 3).await;
        let connects =
            || pool.stats().backends.iter().find(|it| it.backend.address == backend(2).address).unwrap().connects;
        let claim_and_give_up = async || assert!(pool.claim_within(5 * MS).await.is_err());
        // It is found to be failing.
        for _ in 0..10 {
            claim_and_give_up().await;
        }
        net.swallow(2);
        sleep(100 * MS).await;
        claim_and_give_up().await;
        let before = connects();
        for _ in 0..20 {
            claim_and_give_up().await;
        }
        assert!(connects() <= before + 1, "{} more in 100 ms", connects() - before);
        drop(held);
        end(&pool, &net).await;
    });
}
