//! Which scenarios there are, how often each is run, and how long that may take.

use std::time::Duration;

use serde_json::Value;

use crate::roster;
use crate::workspace::Workspace;

pub(crate) const PREFIX: &str = "scenario-";
const LIMITS: &str = "scenario-seconds-max";
const SECONDS_MAX: u64 = 120;
const ROUNDS: &str = "scenario-rounds";
const QUIET: Rounds = Rounds { gate: 20, full: 200 };

/// One scenario program.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scenario {
    pub(crate) program: String,
    /// Past this a run of the gate's size is killed and has failed.
    pub(crate) limit: Duration,
    pub(crate) rounds: Rounds,
}

/// How often a scenario runs without a fault: each round must find nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rounds {
    pub(crate) gate: u64,
    pub(crate) full: u64,
}

impl Scenario {
    /// The program's name without what all of them begin with.
    pub(crate) fn name(&self) -> &str {
        self.program.strip_prefix(PREFIX).unwrap_or(&self.program)
    }
}

/// The scenario asked for, or all of them in the order of their names.
pub(crate) fn select(workspace: &Workspace, asked: Option<&str>) -> Result<Vec<Scenario>, String> {
    let all = all(workspace)?;
    let Some(asked) = asked else { return Ok(all) };
    let names: Vec<String> = all.iter().map(|scenario| scenario.name().to_owned()).collect();
    let found: Vec<Scenario> =
        all.into_iter().filter(|scenario| scenario.name() == asked || scenario.program == asked).collect();
    if found.is_empty() {
        let known =
            if names.is_empty() { "there are none".to_owned() } else { format!("they are {}", names.join(", ")) };
        return Err(format!("there is no scenario `{asked}`; {known}"));
    }
    Ok(found)
}

fn all(workspace: &Workspace) -> Result<Vec<Scenario>, String> {
    let Some(package) = workspace.package(roster::TESTS) else { return Ok(Vec::new()) };
    let programs: Vec<&str> =
        package.targets_of_kind("bin").into_iter().filter(|name| name.starts_with(PREFIX)).collect();
    let (limits, rounds) = (&package.metadata[LIMITS], &package.metadata[ROUNDS]);
    for (table, of) in [(LIMITS, limits), (ROUNDS, rounds)] {
        for (name, _) in of.as_object().into_iter().flatten() {
            if !programs.contains(&name.as_str()) {
                return Err(format!("`{table}` of {} names `{name}`, which is no scenario", roster::TESTS));
            }
        }
    }
    let scenario = |program: &str| {
        let seconds = match &limits[program] {
            Value::Null => SECONDS_MAX,
            value => positive(value)
                .ok_or_else(|| format!("`{LIMITS}` of `{program}` is {value}, not a number of seconds"))?,
        };
        let rounds = match &rounds[program] {
            Value::Null => QUIET,
            value => positive(&value["gate"])
                .zip(positive(&value["full"]))
                .map(|(gate, full)| Rounds { gate, full })
                .ok_or_else(|| format!("`{ROUNDS}` of `{program}` is {value}, not {{ gate = N, full = N }}"))?,
        };
        Ok(Scenario { program: program.to_owned(), limit: Duration::from_secs(seconds), rounds })
    };
    programs.into_iter().map(scenario).collect()
}

fn positive(value: &Value) -> Option<u64> {
    value.as_u64().filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn workspace(metadata: &Value) -> Workspace {
        let bin = |name: &str| json!({ "name": name, "kind": ["bin"] });
        Workspace::parse(&json!({
            "workspace_root": "/ws",
            "target_directory": "/ws/target",
            "packages": [{
                "name": roster::TESTS,
                "manifest_path": "/ws/tests/Cargo.toml",
                "targets": [bin("scenario-relay"), bin("scenario-hang"), bin("probe")],
                "metadata": metadata,
            }],
        }))
        .expect("the planted metadata is complete")
    }

    #[test]
    fn scenarios_are_the_programs_named_so_with_their_limits() {
        let limits = json!({ LIMITS: { "scenario-relay": 300 } });
        let all = select(&workspace(&limits), None).expect("they are well described");
        let shown: Vec<(&str, u64)> = all.iter().map(|it| (it.name(), it.limit.as_secs())).collect();
        assert_eq!(shown, [("hang", SECONDS_MAX), ("relay", 300)]);
        assert!(all.iter().all(|it| it.rounds == QUIET));
    }

    #[test]
    fn a_scenario_that_is_not_cheap_states_its_rounds() {
        let rounds = json!({ ROUNDS: { "scenario-relay": { "gate": 1, "full": 10 } } });
        let all = select(&workspace(&rounds), Some("relay")).expect("it is well described");
        assert_eq!(all[0].rounds, Rounds { gate: 1, full: 10 });
        for wrong in [json!(3), json!({ "gate": 0, "full": 1 }), json!({ "gate": 1 })] {
            let refusal = select(&workspace(&json!({ ROUNDS: { "scenario-relay": wrong } })), None);
            let refusal = refusal.expect_err("they are no rounds");
            assert!(refusal.contains("`scenario-relay`") && refusal.contains("gate = N"), "{refusal}");
        }
    }

    #[test]
    fn a_scenario_is_found_by_its_name_with_or_without_the_prefix() {
        for asked in ["hang", "scenario-hang"] {
            let found = select(&workspace(&Value::Null), Some(asked)).expect("it is there");
            assert_eq!(found.iter().map(Scenario::name).collect::<Vec<_>>(), ["hang"]);
        }
    }

    #[test]
    fn an_unknown_scenario_is_refused_with_the_list() {
        let refusal = select(&workspace(&Value::Null), Some("probe")).expect_err("it is no scenario");
        assert_eq!(refusal, "there is no scenario `probe`; they are hang, relay");
    }

    #[test]
    fn a_limit_for_nothing_or_of_nothing_is_refused() {
        let gone = select(&workspace(&json!({ LIMITS: { "scenario-gone": 3 } })), None).expect_err("it is gone");
        assert!(gone.contains("`scenario-gone`"), "{gone}");
        let soon = select(&workspace(&json!({ LIMITS: { "scenario-hang": "soon" } })), None).expect_err("no number");
        assert!(soon.contains("`scenario-hang`") && soon.contains("soon"), "{soon}");
    }
}
