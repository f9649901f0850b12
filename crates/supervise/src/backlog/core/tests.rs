//! What the core does, case by case.

use std::time::Duration;

use super::*;

fn limits(when_full: WhenFull) -> Limits {
    Limits { requests_max: 3, bytes_max: 100, request_timeout: Duration::from_secs(10), when_full }
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A core whose requests are numbers, and whose replies are the same numbers.
fn core(when_full: WhenFull, requests: &[(u32, usize)]) -> Core<u32, u32> {
    let mut core = Core::new(limits(when_full));
    for (request, bytes) in requests {
        core.put(*request, *request, (*bytes, secs(10)), Duration::ZERO).unwrap();
    }
    core
}

fn given(core: &mut Core<u32, u32>, requests_max: usize, bytes_max: usize, now: u64) -> Vec<u32> {
    core.commit(requests_max, bytes_max, secs(now)).into_iter().map(|given| given.request).collect()
}

#[track_caller]
fn check(core: &mut Core<u32, u32>, expected: &[(u32, Why)]) {
    let ended: Vec<_> = core.take_ended().into_iter().filter_map(|ended| Some((ended.reply?, ended.why))).collect();
    assert_eq!(ended, expected);
}

#[test]
fn what_was_committed_does_not_expire() {
    let mut core = core(WhenFull::Refuse, &[(1, 1), (2, 1)]);
    assert_eq!(given(&mut core, 1, 100, 9), [1]);
    core.tick(secs(10));
    check(&mut core, &[(1, Why::Unknown), (2, Why::Expired)]);
    assert_eq!((given(&mut core, 9, 100, 10), core.counts().expired, core.counts().unknown), (vec![], 1, 1));
    // It is still the child's, and nobody hears of it any more.
    assert_eq!((core.out(), core.bytes()), (1, 1));
}

#[test]
fn nothing_is_given_that_is_due() {
    let mut core = core(WhenFull::Refuse, &[(1, 1)]);
    assert_eq!(given(&mut core, 1, 100, 10), [0_u32; 0]);
    check(&mut core, &[(1, Why::Expired)]);
}

#[test]
fn what_is_put_back_keeps_its_place_and_its_commitment() {
    let mut core = core(WhenFull::Refuse, &[(1, 1), (2, 1), (3, 1)]);
    let mut out = core.commit(2, 100, secs(1));
    let (second, first) = (out.pop().unwrap(), out.pop().unwrap());
    core.put_back(second.number, second.request, secs(1));
    core.put_back(first.number, first.request, secs(1));
    assert_eq!(given(&mut core, 1, 100, 1), [1]);
    core.tick(secs(10));
    check(&mut core, &[(1, Why::Unknown), (2, Why::Unknown), (3, Why::Expired)]);
}

#[test]
fn as_many_are_given_as_fit_and_one_at_least() {
    let mut core = core(WhenFull::Refuse, &[(1, 60), (2, 30), (3, 10)]);
    assert_eq!(given(&mut core, 0, 100, 0), [0_u32; 0]);
    assert_eq!(given(&mut core, 3, 50, 0), [1]);
    assert_eq!(given(&mut core, 3, 40, 0), [2, 3]);
}

#[test]
fn what_is_full_refuses_or_drops_as_it_is_told() {
    let mut full = core(WhenFull::Refuse, &[(1, 1), (2, 1), (3, 1)]);
    let refused = full.put(4, 4, (1, secs(10)), secs(0)).unwrap_err();
    assert_eq!(refused, (4, 4, Refused::Full { requests: 3, bytes: 3 }));
    let mut full = core(WhenFull::DropNewest, &[(1, 1), (2, 1), (3, 1)]);
    full.put(4, 4, (1, secs(10)), secs(0)).unwrap();
    check(&mut full, &[(4, Why::Dropped)]);
    let mut full = core(WhenFull::DropOldest, &[(1, 30), (2, 30), (3, 30)]);
    full.put(4, 4, (60, secs(10)), secs(0)).unwrap();
    check(&mut full, &[(1, Why::Dropped), (2, Why::Dropped)]);
    assert_eq!((full.bytes(), full.waiting()), (90, 2));
}

#[test]
fn what_was_committed_is_not_dropped_for_a_newcomer() {
    let mut full = core(WhenFull::DropOldest, &[(1, 30), (2, 30), (3, 30)]);
    let one = full.commit(1, 100, secs(0)).pop().unwrap();
    full.put_back(one.number, one.request, secs(0));
    full.put(4, 4, (10, secs(10)), secs(0)).unwrap();
    check(&mut full, &[(2, Why::Dropped)]);
    // Nothing is dropped in vain.
    let refused = full.put(5, 5, (90, secs(10)), secs(0)).unwrap_err();
    assert_eq!(refused.2, Refused::Full { requests: 3, bytes: 70 });
    check(&mut full, &[]);
}

#[test]
fn one_that_is_too_large_is_refused_whatever_gives_way() {
    for when_full in [WhenFull::Refuse, WhenFull::DropOldest, WhenFull::DropNewest] {
        let mut core = core(when_full, &[(1, 1)]);
        let refused = core.put(2, 2, (101, secs(10)), secs(0)).unwrap_err();
        assert_eq!((refused.2, core.waiting()), (Refused::TooLarge, 1));
        assert_eq!(core.put(2, 2, (usize::MAX, secs(10)), secs(0)).unwrap_err().2, Refused::TooLarge);
    }
}

#[test]
fn an_end_hands_back_what_was_never_committed() {
    let mut core = core(WhenFull::Refuse, &[(1, 1), (2, 1), (3, 1)]);
    let mut out = core.commit(2, 100, secs(0));
    let (second, first) = (out.pop().unwrap(), out.pop().unwrap());
    core.put_back(first.number, first.request, secs(0));
    core.close();
    assert_eq!(core.put(4, 4, (1, secs(10)), secs(0)).unwrap_err().2, Refused::Closed);
    core.hand_back();
    check(&mut core, &[(1, Why::Unknown), (3, Why::HandedBack)]);
    assert!(!core.is_over());
    core.put_back(second.number, second.request, secs(0));
    check(&mut core, &[(2, Why::Unknown)]);
    assert!(core.is_over());
}

#[test]
fn who_withdraws_takes_back_only_what_was_not_committed() {
    let mut core = core(WhenFull::Refuse, &[(1, 1), (2, 1)]);
    let one = core.commit(1, 100, secs(0)).pop().unwrap();
    core.withdraw(one.number);
    core.withdraw(Number(2));
    assert_eq!((core.out(), core.waiting(), core.counts().withdrawn), (1, 0, 1));
    assert_eq!(core.answer(one.number), Some(1));
    assert_eq!((core.answer(one.number), core.bytes()), (None, 0));
}
