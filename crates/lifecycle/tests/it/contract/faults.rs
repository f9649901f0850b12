//! Planted faults: each naive owner breaks one rule, and that rule is the one that is found.

use landfall_lifecycle::testing::{Contract, Rule, Work};

use super::naive::{Fault, Naive};
use crate::harness::{Watchdog, multi_thread};

/// How work gets in.
fn start(naive: &Naive, work: Work) {
    let work = match naive.tasks.spawn("deaf", async {}) {
        Err(_) if naive.fault == Fault::AcceptsLate => return drop(naive.others.spawn("late", work)),
        _ => work,
    };
    drop(naive.tasks.spawn("deaf", work));
}

#[track_caller]
fn check(fault: Fault, rule: Rule) {
    // One flavour is enough for the detector; the owners that keep the rules are checked on both.
    let _watched = Watchdog::new();
    multi_thread().block_on(async {
        let contract = Contract::of(move || Naive::new(fault)).work(start).without_runtime();
        let report = contract.check().await;
        assert_eq!(report.broken().collect::<Vec<_>>(), [rule], "{fault:?}\n{report}");
    });
}

#[test]
fn a_begin_that_blocks_is_found() {
    check(Fault::BeginBlocks, Rule::BeginReturns);
}

#[test]
fn a_name_that_changes_is_found() {
    check(Fault::NameChanges, Rule::Name);
}

#[test]
fn a_begin_that_cannot_be_repeated_is_found() {
    check(Fault::BeginTwicePanics, Rule::BeginRepeats);
}

#[test]
fn a_begin_that_does_not_suffice_is_found() {
    check(Fault::EndNeedsTerminate, Rule::BeginSuffices);
}

#[test]
fn an_end_that_only_the_first_hears_of_is_found() {
    check(Fault::EndedOnce, Rule::Ended);
}

#[test]
fn a_report_that_is_late_is_found() {
    check(Fault::NoDeadline, Rule::OnTime);
}

#[test]
fn a_report_that_lies_is_found() {
    check(Fault::Lies, Rule::Truthful);
}

#[test]
fn a_report_that_only_the_first_gets_is_found() {
    check(Fault::ResultIsTaken, Rule::OneEnding);
}

#[test]
fn a_termination_that_is_lost_with_its_future_is_found() {
    check(Fault::LostWithItsFuture, Rule::DropLosesNothing);
}

#[test]
fn a_first_caller_that_wins_is_found() {
    check(Fault::FirstCallerWins, Rule::Tightens);
}

#[test]
fn a_last_caller_that_wins_is_found() {
    check(Fault::LastCallerWins, Rule::NeverLoosens);
}

#[test]
fn late_work_that_is_accepted_is_found() {
    check(Fault::AcceptsLate, Rule::RefusesLateWork);
}

#[test]
fn a_deadlock_with_its_own_work_is_found() {
    check(Fault::DeadlocksWithItself, Rule::SelfJoin);
}

#[test]
fn a_need_for_a_runtime_is_found() {
    check(Fault::NeedsRuntime, Rule::WithoutRuntime);
}
