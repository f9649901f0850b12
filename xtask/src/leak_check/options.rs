//! What the command line asks of the leak check.

use std::path::PathBuf;
use std::str::FromStr;

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) scenario: Option<String>,
    pub(crate) fault: Option<String>,
    pub(crate) seed: Option<u64>,
    pub(crate) full: bool,
    pub(crate) list: bool,
    pub(crate) json: Option<PathBuf>,
    pub(crate) html: Option<PathBuf>,
    /// Somebody else's program, in place of the scenarios.
    pub(crate) watch: Option<Watch>,
}

/// A program that is not ours, and what is to be done with it. What is `None` has its default in the program that
/// watches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watch {
    pub(crate) command: String,
    pub(crate) ready_when: String,
    pub(crate) drive: Option<String>,
    pub(crate) rounds: Option<u64>,
    pub(crate) ready_max: Option<u64>,
    pub(crate) grace_max: Option<u64>,
    pub(crate) folder: Option<String>,
    pub(crate) postgres: Option<String>,
}

/// Flags that are of use with `--command` alone, and those that are of none with it.
const WATCHING: &[&str] =
    &["--ready-when", "--drive", "--rounds", "--ready-max", "--grace-max", "--folder", "--postgres"];
const CHECKING: &[&str] = &["--scenario", "--fault", "--full", "--list"];

impl Options {
    /// Reads the flags given, each with its value.
    pub(crate) fn read(given: &[(&'static str, String)]) -> Result<Self, String> {
        let has = |flag: &str| given.iter().any(|(name, _)| *name == flag);
        let value = |flag: &str| given.iter().find(|(name, _)| *name == flag).map(|(_, value)| value.clone());
        for (at, (flag, _)) in given.iter().enumerate() {
            if given[..at].iter().any(|(earlier, _)| earlier == flag) {
                return Err(format!("`{flag}` may be given once"));
            }
        }
        let misplaced = if has("--command") { CHECKING } else { WATCHING };
        if let Some(flag) = misplaced.iter().find(|flag| has(flag)) {
            let which = if has("--command") { "not with" } else { "only with" };
            return Err(format!("`{flag}` goes {which} `--command`"));
        }
        let watch = match (value("--command"), value("--ready-when")) {
            (None, _) => None,
            (Some(_), None) => {
                return Err(
                    "`--command` needs `--ready-when LINE`: what the program prints when it is ready".to_owned()
                );
            }
            (Some(command), Some(ready_when)) => Some(Watch {
                command,
                ready_when,
                drive: value("--drive"),
                rounds: number("--rounds", value("--rounds"), 10_000)?,
                ready_max: number("--ready-max", value("--ready-max"), 86_400)?,
                grace_max: number("--grace-max", value("--grace-max"), 86_400)?,
                folder: value("--folder"),
                postgres: value("--postgres"),
            }),
        };
        Ok(Self {
            scenario: value("--scenario"),
            fault: value("--fault"),
            seed: value("--seed").map(|seed| parsed("--seed", &seed)).transpose()?,
            full: has("--full"),
            list: has("--list"),
            json: value("--json").map(PathBuf::from),
            html: value("--html").map(PathBuf::from),
            watch,
        })
    }
}

fn number(flag: &str, value: Option<String>, max: u64) -> Result<Option<u64>, String> {
    let Some(value) = value else { return Ok(None) };
    let number: u64 = parsed(flag, &value)?;
    if (1..=max).contains(&number) { Ok(Some(number)) } else { Err(format!("`{flag}` may be 1 to {max}, not {value}")) }
}

fn parsed<T: FromStr>(flag: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("`{flag}` takes a whole number, not `{value}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(flags: &[(&'static str, &str)]) -> Result<Options, String> {
        let given: Vec<(&'static str, String)> =
            flags.iter().map(|(flag, value)| (*flag, (*value).to_owned())).collect();
        Options::read(&given)
    }

    #[test]
    fn a_scenario_with_its_fault_and_seed_is_understood() {
        let options = read(&[("--scenario", "set"), ("--fault", "skip-join"), ("--seed", "7"), ("--full", "")]);
        let options = options.expect("they go together");
        assert_eq!((options.scenario.as_deref(), options.fault.as_deref()), (Some("set"), Some("skip-join")));
        assert_eq!((options.seed, options.full, options.watch), (Some(7), true, None));
    }

    #[test]
    fn a_command_with_what_goes_with_it_is_understood() {
        let options =
            read(&[("--command", "relay"), ("--ready-when", "listening"), ("--rounds", "3"), ("--html", "p")]);
        let watch = options.expect("they go together").watch.expect("a command was given");
        assert_eq!((watch.command.as_str(), watch.ready_when.as_str()), ("relay", "listening"));
        assert_eq!((watch.rounds, watch.grace_max), (Some(3), None));
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for (flags, says) in [
            (&[("--command", "relay")][..], "--ready-when LINE"),
            (&[("--command", "x"), ("--ready-when", "y"), ("--fault", "z")], "`--fault` goes not with `--command`"),
            (&[("--drive", "x")], "`--drive` goes only with `--command`"),
            (&[("--seed", "soon")], "`--seed` takes a whole number, not `soon`"),
            (&[("--seed", "1"), ("--seed", "2")], "`--seed` may be given once"),
            (&[("--command", "x"), ("--ready-when", "y"), ("--rounds", "0")], "`--rounds` may be 1 to 10000, not 0"),
        ] {
            let refusal = read(flags).expect_err("it is refused");
            assert!(refusal.contains(says), "{refusal}");
        }
    }
}
