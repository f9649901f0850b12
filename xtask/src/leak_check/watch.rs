//! `--command`: somebody else's program, watched by `program-watch` of landfall-tests, and what came of its rounds.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::skips::Skip;
use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{cargo, programs, roster, table};

use super::options::{Options, Watch};
use super::{draw_seed, page, write};

const PROGRAM: &str = "program-watch";

const HEAD: &[&str] = &["round", "ready after", "signalled after", "ended in", "", "sessions", "held at", "", "left"];

/// Watches it, and closes with the counts: each round is one.
pub(super) fn run(workspace: &Workspace, options: &Options, watch: &Watch) -> Result<bool, String> {
    let mut build = cargo::cargo(&["build", "--package", roster::TESTS, "--bin", PROGRAM]);
    let built = programs::build(build.current_dir(&workspace.root), "bin")?;
    let program = built.iter().find(|(name, _)| name == PROGRAM).map(|(_, path)| path);
    let program = program.ok_or_else(|| format!("cargo built no program `{PROGRAM}`"))?;
    let seed = options.seed.unwrap_or_else(draw_seed);
    let mut said = watched(program, watch, seed)?;
    for (number, round) in (0_u64..).zip(said["rounds"].as_array_mut().into_iter().flatten()) {
        round["replay"] = replay(watch, seed.wrapping_add(number)).into();
    }
    let rounds = list(&said, "rounds");
    println!("\n{}", table::render(HEAD, &rounds.iter().map(row).collect::<Vec<_>>()));
    list(&said, "notes").iter().filter_map(Value::as_str).for_each(|note| println!("note: {note}"));
    if let Some(file) = &options.json {
        write(file, &format!("{said}\n"))?;
    }
    if let Some(file) = &options.html {
        write(file, &page::watched(&said))?;
    }
    Ok(tally(&said).close())
}

/// Runs the watching program; what it says on its standard error, a line for each round, is shown as it comes.
fn watched(program: &Path, watch: &Watch, seed: u64) -> Result<Value, String> {
    let mut command = Command::new(program);
    command.args(arguments(watch, seed)).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().map_err(|error| format!("cannot start {}: {error}", program.display()))?;
    let (status, text) = (output.status, String::from_utf8_lossy(&output.stdout));
    // Why it could not be watched has been said.
    let not_watched = || format!("the program could not be watched ({status}); the reason stands above");
    let last = text.lines().last().ok_or_else(not_watched)?;
    let said: Value = serde_json::from_str(last).map_err(|_| not_watched())?;
    judge(&said, watch, status.success())?;
    Ok(said)
}

/// What the watching program says must agree with itself, with how it ended, and with what it was asked for.
fn judge(said: &Value, watch: &Watch, success: bool) -> Result<(), String> {
    let rounds = list(said, "rounds");
    let expected = watch.rounds.unwrap_or(rounds.len() as u64);
    if rounds.is_empty() || rounds.len() as u64 != expected {
        return Err(format!("{PROGRAM} ran {} of {expected} rounds", rounds.len()));
    }
    let is_clean = |round: &Value| round["clean"] == true && list(round, "leaks").is_empty();
    let clean = rounds.iter().all(is_clean);
    if said["clean"] != clean || success != clean {
        let says = &said["clean"];
        return Err(format!("{PROGRAM} says clean: {says}, ended well: {success}, and its rounds are clean: {clean}"));
    }
    Ok(())
}

fn arguments(watch: &Watch, seed: u64) -> Vec<String> {
    let mut arguments = vec![("--command", watch.command.clone()), ("--ready-when", watch.ready_when.clone())];
    let number = |value: Option<u64>| value.map(|value| value.to_string());
    let optional = [
        ("--drive", watch.drive.clone()),
        ("--rounds", number(watch.rounds)),
        ("--ready-max", number(watch.ready_max)),
        ("--grace-max", number(watch.grace_max)),
        ("--folder", watch.folder.clone()),
        ("--postgres", watch.postgres.clone()),
    ];
    arguments.extend(optional.into_iter().filter_map(|(flag, value)| Some((flag, value?))));
    arguments.push(("--seed", seed.to_string()));
    // In one word each: a value may begin with a dash.
    arguments.into_iter().map(|(flag, value)| format!("{flag}={value}")).collect()
}

/// The command that runs one round again. The server's address may hold a password, so it is left out.
fn replay(watch: &Watch, seed: u64) -> String {
    let once = Watch { rounds: Some(1), postgres: watch.postgres.as_ref().map(|_| "URL".to_owned()), ..watch.clone() };
    let words: Vec<String> = arguments(&once, seed).iter().map(|word| quoted(word)).collect();
    format!("cargo xtask leak-check {}", words.join(" "))
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_=./:@%+,".contains(letter);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

fn row(round: &Value) -> Vec<String> {
    let millis = |field: &str| round[field].as_u64().map_or_else(String::new, |time| format!("{time} ms"));
    let leaks: Vec<&str> = list(round, "leaks").iter().filter_map(|leak| leak["detail"].as_str()).collect();
    let stages: Vec<&str> = list(round, "stages").iter().filter_map(Value::as_str).collect();
    vec![
        round["round"].to_string(),
        millis("ready_after_ms"),
        millis("signalled_after_ms"),
        millis("ended_after_ms"),
        round["ended"].as_str().unwrap_or_default().to_owned(),
        round["sessions"].as_u64().map_or_else(|| "-".to_owned(), |count| count.to_string()),
        if stages.is_empty() { "-".to_owned() } else { stages.join(", ") },
        if round["clean"] == true { "clean" } else { "NOT CLEAN" }.to_owned(),
        leaks.join("; "),
    ]
}

fn tally(said: &Value) -> Tally {
    let mut tally = Tally::default();
    for round in list(said, "rounds") {
        if round["clean"] == true {
            tally.counts.passed += 1;
        } else {
            let leaks: Vec<&str> = list(round, "leaks").iter().filter_map(|leak| leak["detail"].as_str()).collect();
            let again = round["replay"].as_str().unwrap_or_default();
            tally.fail(format!("round {}: {}; again: {again}", round["round"], leaks.join("; ")));
        }
    }
    for reason in list(said, "skipped").iter().filter_map(Value::as_str) {
        tally.counts.skipped += 1;
        tally.skips.push(Skip { name: "a witness of the program".to_owned(), reason: reason.to_owned() });
    }
    tally
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn watch() -> Watch {
        let (command, ready_when) = ("relay --port 0".to_owned(), "listening".to_owned());
        Watch { command, ready_when, rounds: Some(2), ..Watch::default() }
    }

    fn said() -> Value {
        let round = json!({ "round": 1, "clean": true, "leaks": [], "stages": [], "sessions": null });
        json!({ "clean": true, "rounds": [round, round], "skipped": ["no psql"], "notes": [] })
    }

    #[test]
    fn a_round_is_run_again_by_one_command_without_the_servers_address() {
        let watch = Watch { postgres: Some("postgres://x:secret@y".to_owned()), ..watch() };
        let expected = "cargo xtask leak-check '--command=relay --port 0' --ready-when=listening --rounds=1 \
                        --postgres=URL --seed=8";
        assert_eq!(replay(&watch, 8), expected);
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }

    #[test]
    fn what_the_watching_program_says_is_held_against_its_rounds_and_its_end() {
        assert_eq!(judge(&said(), &watch(), true), Ok(()));
        let contradicts = |said: Value, success| judge(&said, &watch(), success).expect_err("it contradicts itself");
        assert!(contradicts(said(), false).contains("ended well: false"));
        let mut unclean = said();
        unclean["rounds"][1]["leaks"] = json!([{ "kind": "file" }]);
        assert!(contradicts(unclean, true).contains("its rounds are clean: false"));
        assert!(contradicts(json!({ "clean": true, "rounds": [] }), true).contains("0 of 2 rounds"));
    }

    #[test]
    fn a_round_with_something_left_fails_and_a_blind_witness_is_a_skip() {
        let mut found = said();
        found["rounds"][1] =
            json!({ "round": 2, "clean": false, "leaks": [{ "detail": "`x` is left" }], "replay": "again" });
        let tally = tally(&found);
        assert_eq!((tally.counts.passed, tally.counts.failed, tally.counts.skipped), (1, 1, 1));
        assert_eq!(tally.problems, ["round 2: `x` is left; again: again"]);
        assert!(row(&found["rounds"][1]).contains(&"NOT CLEAN".to_owned()));
    }

    #[test]
    fn a_program_that_could_not_be_watched_is_an_error() {
        let refused = watched(Path::new("false"), &watch(), 7).expect_err("it says nothing");
        assert!(refused.contains("could not be watched"), "{refused}");
        assert!(watched(Path::new("/nowhere/watch"), &watch(), 7).is_err());
    }
}
