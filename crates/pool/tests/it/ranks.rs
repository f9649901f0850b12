//! Backends with priorities and weights.

use landfall_pool::{FixedResolver, Pool};

use crate::fake::{Fake, Mode, Net, backend};
use crate::harness::{MS, SECOND, claim_all, end, on_both, paused, plain, until};

/// The n-th backend has the n-th rank.
fn pool(net: &Net, slots_max: usize, ranks: &[(u16, u32)]) -> Pool<Fake> {
    let ranked = ranks.iter().enumerate().map(|(number, &(priority, weight))| {
        let number = u16::try_from(number).unwrap();
        backend(number).ranked(priority, weight)
    });
    let mut policy = plain(slots_max);
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
        if *handle.backend() == backend(number).ranked(1, 1) {
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
