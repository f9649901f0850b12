//! The stream of changes.

use futures_util::{FutureExt, StreamExt};
use landfall_lifecycle::Terminate;
use landfall_lifecycle::testing::cancel_at_every_poll_on;
use landfall_pool::{Events, Lagged, Pool, PoolEvent, SlotChange, SlotId, SlotStatus};

use crate::fake::{Fake, Mode, Net};
use crate::harness::{MS, SECOND, claim_all, end, on_both, paused, plain, pool, pool_of, two_seconds, until};

/// What was told so far, in short.
fn told(events: &mut Events) -> Vec<String> {
    std::iter::from_fn(|| events.recv().now_or_never().flatten()).map(|read| short(&read.unwrap())).collect()
}

fn short(event: &PoolEvent) -> String {
    match event {
        PoolEvent::Pool(change) => format!("{change:?}"),
        PoolEvent::Backend { backend, change } => format!("{change:?} {}", backend.address.port()),
        PoolEvent::Slot { slot, change: SlotChange::ConnectFailed(error), .. } => {
            format!("{slot} failed: {}", std::error::Error::source(error).unwrap())
        }
        PoolEvent::Slot { slot, change: SlotChange::Held { place, .. }, .. } => {
            format!("{slot} held: {}", place.file.ends_with("events.rs"))
        }
        PoolEvent::Slot { slot, change, .. } => format!("{slot} {change:?}"),
        _ => String::new(),
    }
}

#[test]
fn the_life_of_a_connection_is_told_in_order_and_why_it_ends() {
    paused(|| async {
        let net = Net::default();
        let mut policy = plain(2);
        policy.keepalive = Some(SECOND);
        policy.idle_timeout = Some(10 * SECOND);
        policy.held_report_after = Some(SECOND);
        let pool = pool(&net, policy);
        let mut events = pool.events();
        drop(pool.claim().await.unwrap());
        // The pool's tasks, which the resolver is one of, start after the listener came.
        assert_eq!(told(&mut events), ["Added 10000", "0#0 Connecting", "0#0 Connected"]);
        tokio::time::sleep(SECOND + 100 * MS).await;
        assert_eq!(told(&mut events), ["0#0 Checking(Keepalive)", "0#0 CheckPassed"]);
        pool.evict();
        until(|| net.alive() == 0).await;
        assert_eq!(told(&mut events), ["Evicted", "0#0 Closing(Evicted)", "0#0 Closed"]);

        let held = pool.claim().await.unwrap();
        tokio::time::sleep(SECOND + 100 * MS).await;
        assert_eq!(told(&mut events), ["0#1 Connecting", "0#1 Connected", "0#1 held: true"]);
        held.discard();
        until(|| net.alive() == 0).await;
        assert_eq!(told(&mut events), ["0#1 Closing(Broken)", "0#1 Closed"]);

        drop(pool.claim().await.unwrap().take_out());
        assert_eq!(told(&mut events), ["0#2 Connecting", "0#2 Connected", "0#2 TakenOut"]);

        drop(claim_all(&pool, 2).await);
        pool.resize(1).unwrap();
        until(|| net.alive() == 1).await;
        tokio::time::sleep(11 * SECOND).await;
        let told = told(&mut events);
        assert!(told.contains(&"Resized { slots_max: 1 }".to_owned()), "{told:?}");
        let closings: Vec<_> = told.iter().filter(|it| it.contains("Closing")).collect();
        assert!(closings[0].ends_with("(Resized)") && closings[1].ends_with("(Unused)"), "{told:?}");
        end(&pool, &net).await;
    });
}

#[test]
fn a_backend_that_fails_and_recovers_is_told_with_the_errors_and_the_pool_with_it() {
    paused(|| async {
        let net = Net::default();
        net.set(0, Mode::Fails);
        let pool = pool(&net, plain(1));
        let mut events = pool.events();
        assert!(pool.claim_within(SECOND / 2).await.is_err());
        let so_far = told(&mut events);
        let failing = so_far.iter().position(|it| it == "Failing 10000").unwrap();
        let offline = so_far.iter().position(|it| it == "Offline").unwrap();
        assert!(failing > 0 && offline > failing, "{so_far:?}");
        assert!(so_far[..failing].contains(&"0#0 failed: planned".to_owned()), "{so_far:?}");
        net.set(0, Mode::Works);
        drop(pool.claim().await.unwrap());
        let then = told(&mut events);
        let last = &then[then.len() - 3..];
        assert!(last[0].ends_with("Connected") && last[1..] == ["Recovered 10000", "Online"], "{then:?}");
        end(&pool, &net).await;
    });
}

#[test]
fn checks_that_fail_are_told_with_what_they_were() {
    paused(|| async {
        let net = Net::default();
        let mut policy = plain(1);
        policy.check_timeout = SECOND;
        let pool = pool(&net, policy);
        drop(pool.claim().await.unwrap());
        let mut events = pool.events();
        net.recycle_releases(true);
        net.set_hook("on_recycle", Mode::Hangs);
        drop(pool.claim().await.unwrap());
        tokio::time::sleep(2 * SECOND).await;
        let expected = ["0#0 Checking(OnRecycle)", "0#0 Closing(CheckFailed)", "0#0 Closed"];
        assert_eq!(told(&mut events), expected);
        end(&pool, &net).await;
    });
}

#[test]
fn the_stream_ends_when_the_pool_has_ended_and_the_last_handle_is_back() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(2));
        let mut held = claim_all(&pool, 2).await;
        let stream = pool.events().into_stream();
        held.pop();
        assert!(!pool.terminate(&two_seconds()).await.unwrap().is_clean());
        let mut stream = std::pin::pin!(stream);
        let mut seen = Vec::new();
        while let Some(Some(event)) = stream.next().now_or_never() {
            seen.push(short(&event.unwrap()));
        }
        assert_eq!(seen, ["Terminating", "1#0 Closing(Terminating)", "1#0 Closed"]);
        drop((held, pool));
        let rest: Vec<_> = stream.map(|event| short(&event.unwrap())).collect().await;
        assert_eq!(rest, ["0#0 Closing(Terminating)", "0#0 Closed"]);
    });
}

/// Who asks for the events first and for the statistics then misses nothing, and can tell the slots.
#[test]
fn events_go_on_from_the_statistics() {
    on_both(|| async {
        let net = Net::default();
        let pool = pool_of(&net, plain(4), 2);
        let held = claim_all(&pool, 3).await;
        let mut events = pool.events();
        let mut known: Vec<SlotId> = pool.stats().each_slot.iter().map(|slot| slot.id).collect();
        drop(held);
        pool.evict();
        drop(claim_all(&pool, 4).await);
        until(|| pool.slots().closing == 0).await;
        while let Some(Some(Ok(event))) = events.recv().now_or_never() {
            match event {
                PoolEvent::Slot { slot, change: SlotChange::Connecting, .. } => known.push(slot),
                PoolEvent::Slot { slot, change: SlotChange::Closed, .. } => known.retain(|it| *it != slot),
                _ => {}
            }
        }
        let stats = pool.stats();
        assert!(stats.each_slot.iter().all(|slot| matches!(slot.status, SlotStatus::Idle { .. })));
        let mut now: Vec<SlotId> = stats.each_slot.iter().map(|slot| slot.id).collect();
        let order = |id: &SlotId| id.to_string();
        known.sort_by_key(order);
        now.sort_by_key(order);
        assert_eq!(known, now);
        end(&pool, &net).await;
    });
}

/// Nobody else is held up by who does not read, and he is told how much he missed.
#[test]
fn who_reads_too_slowly_is_told_how_much_was_missed() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        drop(pool.claim().await.unwrap());
        let mut events = pool.events();
        for _ in 0..1_024 + 5 {
            pool.evict();
        }
        // Each of them is one event, and the first has two more.
        until(|| net.alive() == 0).await;
        assert_eq!(events.recv().await.unwrap().unwrap_err(), Lagged { missed: 7 });
        assert_eq!(told(&mut events).len(), 1_024);
        end(&pool, &net).await;
    });
}

#[test]
fn a_dropped_wait_for_an_event_loses_none() {
    on_both(|| async {
        let set_up = async || {
            let net = Net::default();
            let pool = pool(&net, plain(4));
            drop(pool.claim().await.unwrap());
            let events = pool.events();
            (net, pool, events, 0_usize)
        };
        let run = async |(_, pool, events, resizes): &mut (Net, Pool<Fake>, Events, usize)| {
            let resize = async {
                tokio::task::yield_now().await;
                pool.resize(3).unwrap();
                *resizes += 1;
            };
            tokio::join!(events.recv(), resize)
        };
        cancel_at_every_poll_on(set_up, run)
            .spurious()
            .check(async |(net, pool, mut events, resizes), cut| {
                assert_eq!(told(&mut events).len() + usize::from(cut.completed), resizes);
                end(&pool, &net).await;
            })
            .await;
    });
}

#[test]
fn a_check_that_the_end_cuts_is_not_told_as_failed() {
    paused(|| async {
        let net = Net::default();
        net.set_hook("on_recycle", Mode::Hangs);
        net.recycle_releases(true);
        let pool = pool(&net, plain(2));
        drop(claim_all(&pool, 2).await);
        until(|| net.calls("on_recycle") == 2).await;
        let mut events = pool.events();
        end(&pool, &net).await;
        assert_eq!(
            told(&mut events),
            ["Terminating", "0#0 Closing(Terminating)", "0#0 Closed", "1#0 Closing(Terminating)", "1#0 Closed"]
        );
        assert_eq!(pool.stats().totals.checks_failed, 0);
    });
}
