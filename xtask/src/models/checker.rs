//! The checkers, and which planted fault each model has to catch.

use super::name;

/// A checker of schedules.
#[derive(Debug)]
pub(crate) struct Checker {
    pub(crate) name: &'static str,
    /// What puts its primitives in the place of std's.
    pub(super) cfg: &'static str,
    pub(super) package: &'static str,
    /// Of the package, those with models in what they add.
    pub(super) features: &'static str,
    /// The variable that bounds what is explored, and its values.
    pub(super) bound: &'static str,
    pub(super) bound_gate: &'static str,
    pub(super) bound_full: &'static str,
    /// The modules whose tests are its models.
    modules: &'static str,
    /// A fault and a model that must find it.
    pub(super) planted: &'static [(&'static str, &'static str)],
}

/// Every schedule of a small model, up to a number of preemptions.
pub(crate) const LOOM: &[Checker] = &[LIFECYCLE, POOL, SUPERVISE];

/// Random schedules of a model that is too large to explore.
pub(crate) const SHUTTLE: &[Checker] = &[TREE];

const LIFECYCLE: Checker = Checker {
    name: "loom",
    cfg: "landfall_loom",
    package: "landfall-lifecycle",
    features: "",
    bound: "LOOM_MAX_PREEMPTIONS",
    bound_gate: "2",
    bound_full: "3",
    modules: "models::",
    planted: &[
        ("begin-twice", "of_two_that_begin_at_once_one_is_first_and_the_earlier_instants_hold"),
        ("forget-last-waiter", "an_end_is_heard_by_all_who_wait_and_by_none_who_left"),
        ("notify-before-change", "an_end_is_heard_by_all_who_wait_and_by_none_who_left"),
        ("notify-before-change", "an_end_beside_the_moment_the_report_is_due_is_final"),
        ("notify-before-change", "a_report_that_is_due_is_heard"),
        ("force-unseen", "a_force_beside_a_begin_ends_the_grace"),
        ("watch-outside-lock", "who_has_returned_has_joined_every_thread_that_served_the_end"),
        ("forget-keeper", "who_has_returned_has_joined_a_thread_that_only_a_child_has_needed_yet"),
        ("sleep-unlooked", "a_watch_is_called_at_its_time_and_the_thread_is_joined"),
        ("sleep-unlooked", "an_earlier_watch_is_not_slept_through"),
        ("sleep-unlooked", "the_thread_ends_with_the_last_watch"),
        ("wake-first-only", "every_waiter_is_woken"),
        ("waker-after-check", "every_waiter_is_woken"),
        ("forget-last-waiter", "a_waiter_that_stops_takes_no_other_with_it"),
        ("wake-uncontained", "a_waker_that_panics_costs_no_other_its_wake"),
        ("drop-uncontained", "a_waker_whose_destructor_panics_costs_nobody_a_wake"),
        ("waker-after-check", "a_task_that_parks_beside_an_abort_is_woken_or_sees_it"),
        ("count-after-wake", "a_task_that_parks_beside_its_own_abort_is_woken_or_sees_it"),
        ("count-after-wake", "a_task_aborted_twice_leaves_once"),
        ("abort-by-place", "an_abort_beside_the_end_reaches_no_other_task"),
        ("gate-outside-lock", "what_passes_the_gate_is_joined_and_counted"),
        ("gate-outside-lock", "what_passes_the_gate_beside_an_abort_is_joined_and_counted"),
        ("empty-before-close", "the_last_one_that_leaves_ends_the_set"),
        ("gate-outside-lock", "a_child_that_is_added_beside_a_termination_ends_with_it"),
        ("empty-before-close", "a_child_that_ends_beside_its_parents_begin_lets_the_parent_end"),
        ("notify-before-change", "a_queued_job_runs_once_or_is_dropped_once"),
        ("gate-outside-lock", "a_queued_job_is_dropped_once_when_its_runtime_goes"),
        ("gate-outside-lock", "a_job_queued_beside_a_termination_is_not_left_in_the_queue"),
        ("full-at-delivery", "a_handle_gives_the_output_of_a_task_that_has_left"),
        ("forget-held-waker", "a_handle_gives_the_output_of_a_task_that_has_left"),
        ("full-at-delivery", "an_output_beside_the_drop_of_its_handle_is_dropped_once"),
    ],
};

const POOL: Checker = Checker {
    package: "landfall-pool",
    // One lock decides: so even this is a matter of seconds.
    bound_gate: "4",
    bound_full: "8",
    planted: &[
        ("pool/wait-unlooked", "a_claim_beside_a_release_gets_it"),
        ("pool/park-unlooked", "a_claim_beside_a_release_gets_it"),
        ("pool/lose-cancelled", "a_claim_that_is_given_up_beside_a_release_loses_nothing"),
        ("pool/forget-cancelled", "a_claim_that_is_given_up_beside_a_release_loses_nothing"),
        ("pool/forget-late", "a_grant_that_is_taken_back_beside_its_claim_serves_both"),
        ("pool/park-unlooked", "a_grant_that_is_taken_back_beside_its_claim_serves_both"),
        ("pool/lose-cancelled", "a_grant_that_is_taken_back_beside_the_drop_of_its_claim_is_there_once"),
        ("pool/accept-late", "a_claim_beside_an_end_is_served_or_told"),
        ("pool/wait-unlooked", "a_hand_off_beside_an_end_leaves_nobody_waiting"),
        ("pool/park-unlooked", "a_hand_off_beside_an_end_leaves_nobody_waiting"),
        ("pool/end-unlooked", "a_release_beside_an_end_is_heard"),
        ("pool/forget-prepared", "a_claim_that_is_prepared_and_given_up_beside_an_end_delays_nothing"),
        ("pool/keep-granted", "a_grant_that_is_taken_back_beside_an_end_is_closed"),
        ("pool/accept-late", "a_connect_that_succeeds_beside_an_end_is_closed"),
    ],
    ..LIFECYCLE
};

const SUPERVISE: Checker = Checker {
    package: "landfall-supervise",
    features: "backlog",
    // One lock decides here, too.
    bound_gate: "4",
    bound_full: "8",
    planted: &[
        ("supervise/expire-unlooked", "a_commit_beside_a_deadline_is_one_of_them"),
        ("supervise/forget-commit", "a_request_that_is_put_back_beside_its_deadline_is_unknown"),
        ("supervise/wait-unlooked", "a_put_beside_a_wait_wakes_the_child"),
        ("supervise/wait-unlooked", "an_end_beside_a_wait_wakes_the_child"),
        ("supervise/accept-late", "a_put_beside_an_end_is_refused_or_handed_back"),
        ("supervise/leave-unlooked", "a_child_that_goes_beside_an_end_leaves_nobody_waiting"),
    ],
    ..LIFECYCLE
};

const TREE: Checker = Checker {
    name: "shuttle",
    cfg: "landfall_shuttle",
    package: "landfall-lifecycle",
    features: "",
    bound: "LANDFALL_SCHEDULES",
    bound_gate: "4000",
    bound_full: "100000",
    modules: "models::whole::",
    planted: &[
        ("gate-outside-lock", "all_that_entered_a_tree_of_sets_has_ended_when_it_has"),
        ("waker-after-check", "all_that_entered_a_tree_of_sets_has_ended_when_it_has"),
    ],
};

impl Checker {
    /// Whether this fault is planted for a model, named with as many of its modules as one likes.
    pub(crate) fn plants(&self, fault: &str, model: &str) -> bool {
        self.planted.iter().any(|(planted, it)| *planted == fault && *it == name(model))
    }

    /// Whether a test is one of its models.
    pub(super) fn has(&self, test: &str) -> bool {
        test.contains(self.modules)
    }

    /// Models that need catch nothing, and faults for models that are not there.
    pub(super) fn misses(&self, models: &[String]) -> Vec<String> {
        let is_tried = |model: &&String| self.planted.iter().any(|(_, planted)| *planted == name(model));
        let is_there = |planted: &str| models.iter().any(|model| name(model) == planted);
        let untried = models.iter().filter(|model| !is_tried(model));
        let gone = self.planted.iter().filter(|(_, model)| !is_there(model));
        untried
            .map(|model| format!("{}: no fault is planted for `{model}`", self.name))
            .chain(gone.map(|(fault, model)| format!("{}: `{fault}` is for `{model}`, which is not there", self.name)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models(checker: &Checker) -> Vec<String> {
        checker.planted.iter().map(|(_, model)| format!("gate::models::{model}")).collect()
    }

    #[test]
    fn every_model_has_to_catch_a_fault() {
        assert!(LIFECYCLE.misses(&models(&LIFECYCLE)).is_empty());
        let mut more = models(&LIFECYCLE);
        more.push("gate::models::new".to_owned());
        assert_eq!(LIFECYCLE.misses(&more), ["loom: no fault is planted for `gate::models::new`"]);
    }

    #[test]
    fn a_fault_for_a_model_that_is_gone_is_told() {
        let misses = TREE.misses(&[]);
        assert_eq!(misses.len(), TREE.planted.len());
        assert!(misses[0].contains("which is not there"), "{misses:?}");
    }

    #[test]
    fn other_tests_are_no_models() {
        assert!(LIFECYCLE.has("task_set::models::gate::a") && !LIFECYCLE.has("task_set::registry::tests::a"));
        assert!(!TREE.has("task_set::models::gate::a"));
    }
}
