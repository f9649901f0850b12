//! Terminations in the middle of everything, on two workers, again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use landfall_lifecycle::{TaskSet, Terminate};
use landfall_pool::{ClaimError, Pool};

use crate::fake::{Fake, Mode, Net};
use crate::harness::{MS, SECOND, Watchdog, assert_clean, long, multi_thread, plain, pool_of, until};

/// Claims until it is told that the pool terminates.
async fn claims(pool: Pool<Fake>, net: Net, seed: u64, told: Arc<AtomicUsize>) {
    let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut draw = move |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    loop {
        match pool.claim_within(50 * MS).await {
            Ok(mut handle) => match draw(8) {
                0 => handle.discard(),
                1 => drop(handle.take_out()),
                2 => handle.is_broken = true,
                3 => net.recycle_releases(draw(2) == 0),
                4 => pool.evict(),
                5 => drop(pool.resize(2 + draw(4) as usize)),
                _ => tokio::task::yield_now().await,
            },
            Err(ClaimError::Terminating { .. }) => break,
            Err(ClaimError::TimedOut { .. } | ClaimError::NoneOnline { .. }) => {}
            Err(other) => panic!("{other}"),
        }
        if draw(4) == 0 {
            let cut = draw(3);
            let mut claim = Box::pin(pool.claim());
            for _ in 0..cut {
                drop(futures_util::poll!(&mut claim));
            }
        }
    }
    told.fetch_add(1, Ordering::SeqCst);
}

#[test]
fn nothing_is_left_and_everybody_is_told_whenever_it_comes() {
    const CLAIMERS: usize = 24;
    let _watched = Watchdog::new();
    multi_thread().block_on(async {
        for round in 0..24_u64 {
            let net = Net::default();
            if round % 3 == 0 {
                net.prepare_claims();
            }
            net.set(1, [Mode::Works, Mode::Fails, Mode::Hangs][(round % 3) as usize]);
            let mut policy = plain(4);
            policy.spares_wanted = (round % 3) as usize;
            policy.validate_after = Some(MS);
            policy.offline_wait = 10 * MS;
            policy.connect_timeout = SECOND;
            let pool = pool_of(&net, policy, 2);
            let (tasks, told) = (TaskSet::new("claimers"), Arc::new(AtomicUsize::new(0)));
            for claimer in 0..CLAIMERS as u64 {
                let claims = claims(pool.clone(), net.clone(), round * 100 + claimer, Arc::clone(&told));
                tasks.spawn("claimer", claims).unwrap();
            }
            let wanted = round as usize * 3;
            until(|| net.calls("connect") + net.calls("close") >= wanted.min(40)).await;
            let report = pool.terminate(&long()).await.unwrap();
            assert_clean(&report);
            until(|| told.load(Ordering::SeqCst) == CLAIMERS).await;
            assert_eq!(net.alive(), 0, "round {round}: connections are left");
            let slots = pool.slots();
            assert_eq!(slots, landfall_pool::SlotCounts::default(), "round {round}");
            assert_clean(&tasks.terminate(&long()).await.unwrap());
        }
    });
}
