//! Which cells there are to run: scenarios, their faults, and the builds for each.

use super::build::Build;
use super::cell::{Cell, QUIET};
use super::fault::Fault;
use super::scenario::Scenario;

/// In the full run a scenario may take so many times its limit: it has so many times the rounds.
const FULL_LIMIT: u32 = 10;

/// Quiet rounds in the builds that nobody deploys: they show that the witness there has no false alarm.
const ROUNDS_ELSEWHERE: u64 = 20;

/// A scenario with the faults that it lists.
pub(super) type Listed = (Scenario, Vec<Fault>);

/// The cells of the scenarios given; with a fault only its own, or those without any for the name `none`.
pub(super) fn cells(scenarios: &[Listed], fault: Option<&str>, is_full: bool) -> Result<Vec<Cell>, String> {
    if let Some(fault) = fault.filter(|fault| *fault != QUIET) {
        known(scenarios, fault)?;
    }
    let wanted = |name: &str| fault.is_none_or(|fault| fault == name);
    let mut cells = Vec::new();
    for (scenario, faults) in scenarios {
        if wanted(QUIET) {
            cells.extend(quiet(scenario, faults, is_full));
        }
        for fault in faults.iter().filter(|fault| wanted(&fault.name)) {
            // What sits in the product is looked for where tokio tells the places of tasks, and in the full run also as
            // stable tokio shows it; that the stable witness sees a task at all, the planted faults show each time.
            let builds: &[Build] = match (fault.in_product, is_full) {
                (false, _) => &[Build::Plain],
                (true, false) => &[Build::Unstable],
                (true, true) => &[Build::Faults, Build::Unstable],
            };
            cells.extend(builds.iter().map(|build| cell(scenario, Some(fault), *build, is_full)));
        }
    }
    Ok(cells)
}

fn quiet(scenario: &Scenario, faults: &[Fault], is_full: bool) -> Vec<Cell> {
    let mut cells = vec![cell(scenario, None, Build::Plain, is_full)];
    if is_full && faults.iter().any(|fault| fault.in_product) {
        for build in [Build::Faults, Build::Unstable] {
            let of_build = cell(scenario, None, build, true);
            cells.push(Cell { rounds: of_build.rounds.min(ROUNDS_ELSEWHERE), ..of_build });
        }
    }
    cells
}

fn cell(scenario: &Scenario, fault: Option<&Fault>, build: Build, is_full: bool) -> Cell {
    let rounds = if is_full { scenario.rounds.full } else { scenario.rounds.gate };
    Cell {
        scenario: scenario.name().to_owned(),
        fault: fault.cloned(),
        build,
        rounds: if fault.is_none() { rounds } else { 1 },
        limit: if is_full { scenario.limit * FULL_LIMIT } else { scenario.limit },
    }
}

fn known(scenarios: &[Listed], fault: &str) -> Result<(), String> {
    if scenarios.iter().any(|(_, faults)| faults.iter().any(|it| it.name == fault)) {
        return Ok(());
    }
    let list = |(scenario, faults): &Listed| {
        let names: Vec<&str> = faults.iter().map(|fault| fault.name.as_str()).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        format!("\n  {}: {names}", scenario.name())
    };
    let lists: String = scenarios.iter().map(list).collect();
    Err(format!("there is no fault `{fault}`; `{QUIET}` asks for the quiet rounds, and the faults are{lists}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::scenario::Rounds;
    use super::*;

    fn listed() -> Vec<Listed> {
        let scenario = |name: &str| Scenario {
            program: format!("scenario-{name}"),
            limit: Duration::from_secs(60),
            rounds: Rounds { gate: 20, full: 200 },
        };
        let fault = |name: &str, in_product| Fault { name: name.to_owned(), in_product };
        vec![
            (scenario("relay"), vec![fault("lossy", false)]),
            (scenario("set"), vec![fault("skip-join", true), fault("lossy", false)]),
        ]
    }

    fn named(fault: Option<&str>, is_full: bool) -> Vec<String> {
        cells(&listed(), fault, is_full).expect("the fault is known").iter().map(Cell::name).collect()
    }

    #[test]
    fn every_scenario_runs_quietly_and_with_each_of_its_faults() {
        let all = [
            "relay quiet (plain)",
            "relay lossy (plain)",
            "set quiet (plain)",
            "set skip-join (unstable)",
            "set lossy (plain)",
        ];
        assert_eq!(named(None, false), all);
        assert_eq!(named(Some("skip-join"), true), ["set skip-join (faults)", "set skip-join (unstable)"]);
    }

    #[test]
    fn a_fault_asked_for_runs_alone_wherever_it_is_listed() {
        assert_eq!(named(Some("lossy"), false), ["relay lossy (plain)", "set lossy (plain)"]);
        assert_eq!(named(Some("none"), false), ["relay quiet (plain)", "set quiet (plain)"]);
    }

    #[test]
    fn the_full_run_has_more_rounds_more_time_and_the_other_builds_too() {
        let full = cells(&listed(), None, true).expect("all are known");
        let quiet: Vec<_> =
            full.iter().filter(|cell| cell.fault.is_none()).map(|cell| (cell.build, cell.rounds)).collect();
        let plain = (Build::Plain, 200);
        assert_eq!(quiet, [plain, plain, (Build::Faults, 20), (Build::Unstable, 20)]);
        assert!(full.iter().all(|cell| cell.limit == Duration::from_secs(600)));
    }

    #[test]
    fn a_fault_that_no_scenario_lists_is_refused_with_the_list() {
        let refusal = cells(&listed(), Some("leave-child"), false).expect_err("there is none");
        let expected = "there is no fault `leave-child`; `none` asks for the quiet rounds, and the faults are\n  \
                        relay: lossy\n  set: skip-join, lossy";
        assert_eq!(refusal, expected);
    }
}
