//! `Shutdown`: its instants, its force switch, its waits.

use std::time::{Duration, Instant};

use landfall_lifecycle::{Clock, Reason, Shutdown, TaskSet, Terminate};

use crate::harness::{assert_clean, long, on_both};

#[test]
fn absurd_durations_are_cut() {
    on_both(|| async {
        let forever = Shutdown::within(Duration::MAX, Duration::MAX);
        assert!(forever.grace() > Instant::now() + Duration::from_secs(300 * 24 * 3_600));
        assert_eq!(forever.abort(), forever.grace());
        assert!(forever.capped(Duration::MAX).grace() <= forever.grace());
        let tasks = TaskSet::new("set");
        tasks.spawn("short", async {}).unwrap();
        assert_clean(&tasks.terminate(&forever).await.unwrap());

        let tasks = TaskSet::new("set");
        tasks.spawn("deaf", std::future::pending::<()>()).unwrap();
        let nothing = Shutdown::within(Duration::ZERO, Duration::ZERO);
        assert_eq!(tasks.terminate(&nothing).await.unwrap().counts.aborted, 1);
    });
}

#[test]
fn an_abort_instant_before_grace_is_raised_to_it() {
    let how = Shutdown::within(Duration::from_secs(20), Duration::from_secs(5));
    assert_eq!(how.grace(), how.abort());
    let how = Shutdown::within(Duration::MAX, Duration::ZERO);
    assert_eq!(how.grace(), how.abort());
}

#[test]
fn capping_only_tightens() {
    let how = long();
    let capped = how.capped(Duration::from_secs(1));
    assert!(capped.grace() < how.grace());
    assert_eq!(capped.abort(), how.abort());
    assert_eq!(how.capped(Duration::from_secs(100_000)).grace(), how.grace());
    assert_eq!(capped.capped(Duration::MAX).grace(), capped.grace());
}

#[test]
fn clones_share_the_force_switch() {
    on_both(|| async {
        let how = long().because(Reason::Signal(15));
        let (capped, clone) = (how.capped(Duration::from_secs(1_000)), how.clone());
        assert_eq!(*capped.reason(), Reason::Signal(15));
        assert!(!how.is_forced());
        clone.force();
        clone.force();
        assert!(how.is_forced() && capped.is_forced());
        how.grace_over().await;
        capped.grace_over().await;
    });
}

#[test]
fn waits_end_in_the_order_of_their_instants() {
    on_both(|| async {
        let how = Shutdown::within(Duration::from_millis(20), Duration::from_millis(40));
        assert!(futures_util::poll!(std::pin::pin!(how.sleep_until(how.abort()))).is_pending());
        how.grace_over().await;
        assert!(how.clock_now() >= how.grace());
        how.abort_reached().await;
        assert!(how.clock_now() >= how.abort());
        how.sleep_until(how.grace()).await;
        how.sleep_until(Instant::now() - Duration::from_millis(1)).await;
    });
}

#[test]
fn force_moves_the_abort_instant() {
    on_both(|| async {
        let how = Shutdown::within(Duration::from_secs(3_600), Duration::from_secs(3_600) + Duration::from_millis(5));
        let mut reached = std::pin::pin!(how.abort_reached());
        assert!(futures_util::poll!(&mut reached).is_pending());
        how.force();
        reached.await;
        assert!(how.clock_now() < how.grace());
    });
}

#[test]
fn the_system_clock_is_the_default() {
    let before = Instant::now();
    let now = Clock::default().now();
    assert!(before <= now && now <= Clock::system().now());
}

#[test]
fn a_wait_made_later_for_an_earlier_instant_ends_first() {
    on_both(|| async {
        for _ in 0..200 {
            let how = long();
            let mut far = std::pin::pin!(how.sleep_until(how.abort()));
            assert!(futures_util::poll!(&mut far).is_pending());
            // The thread that keeps the time is just starting to wait for the far instant.
            how.sleep_until(how.clock_now() + Duration::from_millis(1)).await;
            assert!(futures_util::poll!(&mut far).is_pending());
        }
    });
}
