//! Which scenarios there are, and how long each may take.

use std::time::Duration;

use crate::roster;
use crate::workspace::Workspace;

const PREFIX: &str = "scenario-";
const LIMITS: &str = "scenario-seconds-max";
const SECONDS_MAX: u64 = 120;

/// One scenario program.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scenario {
    pub(crate) program: String,
    /// Past this it is killed and has failed.
    pub(crate) limit: Duration,
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
    let limits = &package.metadata[LIMITS];
    for (name, _) in limits.as_object().into_iter().flatten() {
        if !programs.contains(&name.as_str()) {
            return Err(format!("`{LIMITS}` of {} names `{name}`, which is no scenario", roster::TESTS));
        }
    }
    programs
        .into_iter()
        .map(|program| {
            let seconds = match &limits[program] {
                serde_json::Value::Null => SECONDS_MAX,
                value => value
                    .as_u64()
                    .filter(|seconds| *seconds > 0)
                    .ok_or_else(|| format!("`{LIMITS}` of `{program}` is {value}, not a number of seconds"))?,
            };
            Ok(Scenario { program: program.to_owned(), limit: Duration::from_secs(seconds) })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

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
