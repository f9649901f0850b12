//! `cargo xtask conformance otp`: each case of OTP's and its relatives' suites, the tests that answer it, and what came
//! of them in a run just made.

mod table;

use std::collections::HashMap;
use std::fs;

use crate::counts::Counts;
use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{cargo, test};

use self::table::{Answer, Case};

const PACKAGE: &str = "landfall-supervise";
const TABLES: &str = "crates/supervise/tests/data";
/// The test programs, and what their tests are called by in the table.
const PROGRAMS: &[(&[&str], &str)] = &[(&["--lib"], ""), (&["--test", "it"], "it::")];

/// What came of a test, by its name in the table.
type Results = HashMap<String, String>;

/// One line of what is printed.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    case: String,
    test: String,
    result: String,
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Passed,
    /// The case does not apply.
    Inapplicable,
    Failed,
}

/// Runs the tests, prints the table, and closes with the counts.
pub(crate) fn run(name: &str) -> Result<bool, String> {
    if name != "otp" {
        return Err(format!("there is no table `{name}`; the tables are otp"));
    }
    Ok(otp(&Workspace::load()?)?.close())
}

/// Runs the tests of OTP's table, and prints it; each test of each case counts.
pub(crate) fn otp(workspace: &Workspace) -> Result<Tally, String> {
    let read = |name: &str| {
        let path = workspace.root.join(TABLES).join(name);
        fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    let cases = table::cases(&read("otp-supervisor-cases.csv")?)?;
    let answers = table::answers(&read("otp-conformance.csv")?)?;
    let rows = judged(&cases, &answers, &results(workspace)?);
    // A planted fault: a run in which no test ran must fail each case that has tests, and no other.
    let none = judged(&cases, &answers, &Results::new());
    let is_blind =
        rows.iter().zip(&none).any(|(row, none)| (row.verdict == Verdict::Passed) && none.verdict != Verdict::Failed);
    let mut tally = Tally::default();
    if is_blind {
        tally.fail("the check passes a case whose tests did not run".to_owned());
    }
    for row in rows {
        println!("{} -> {} -> {}", row.case, row.test, row.result);
        match row.verdict {
            Verdict::Passed => tally.counts += Counts::PASSED,
            Verdict::Inapplicable => {}
            Verdict::Failed => tally.fail(format!("{} -> {}: {}", row.case, row.test, row.result)),
        }
    }
    Ok(tally)
}

/// Runs each test of the package once. That some fail is seen in the results.
fn results(workspace: &Workspace) -> Result<Results, String> {
    let mut results = Results::new();
    for (program, prefix) in PROGRAMS {
        let mut command = cargo::cargo(&["test", "--package", PACKAGE, "--all-features"]);
        command.args(*program).current_dir(&workspace.root);
        println!("$ {}", cargo::line(&command));
        test::shown(&mut command, &mut std::io::sink(), |line| {
            if let Some((name, result)) = result(line) {
                results.insert(format!("{prefix}{name}"), result.to_owned());
            }
        })?;
    }
    Ok(results)
}

/// Reads `test engine::tests::a ... ok` and `test engine::tests::b - should panic ... FAILED`.
fn result(line: &str) -> Option<(&str, &str)> {
    let (name, result) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    Some((name.split(' ').next()?, result))
}

/// One row for each test of each case, and one for each case that has none.
fn judged(cases: &[Case], answers: &HashMap<String, Answer>, results: &Results) -> Vec<Row> {
    let mut rows = Vec::new();
    for Case { name, inapplicable } in cases {
        let answer = answers.get(name);
        let tests = answer.filter(|answer| answer.state == "tested").map_or("", |answer| answer.rest.as_str());
        let mut row = |test: &str, result: &str, verdict| {
            rows.push(Row { case: name.clone(), test: test.to_owned(), result: result.to_owned(), verdict });
        };
        match (inapplicable, answer.map(|answer| (answer.state.as_str(), answer.rest.as_str()))) {
            (Some(why), _) if why.is_empty() => row("-", "does not apply, for no reason", Verdict::Failed),
            (Some(why), None | Some(("not applicable", _))) => row("does not apply", why, Verdict::Inapplicable),
            (Some(_), Some((state, _))) => row(state, "does not apply, and is answered all the same", Verdict::Failed),
            (None, _) if tests.is_empty() => row("-", "applies and has no test", Verdict::Failed),
            (None, _) => {
                for test in tests.split_whitespace() {
                    match results.get(test).map(String::as_str) {
                        Some("ok") => row(test, "ok", Verdict::Passed),
                        Some(other) => row(test, other, Verdict::Failed),
                        None => row(test, "there is no such test, or it did not run", Verdict::Failed),
                    }
                }
            }
        }
    }
    let strays = answers.keys().filter(|name| cases.iter().all(|case| case.name != **name));
    rows.extend(strays.map(|name| Row {
        case: name.clone(),
        test: "-".to_owned(),
        result: "there is no such case".to_owned(),
        verdict: Verdict::Failed,
    }));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: &str = "source,case,area,applies,set-up,stimulus,outcome\no,a,x,yes,-,-,ok\no,n,x,no,-,-,names\n";
    const ANSWERS: &str = "source,case,state,rest\no,a,tested,engine::a it::a\no,n,not applicable,\n";
    const OUTPUT: &str = "test engine::a ... ok\ntest it::a ... ok\n";

    fn verdicts(cases: &str, answers: &str, output: &str) -> Vec<(String, Verdict)> {
        let results = output.lines().filter_map(result).map(|(name, result)| (name.to_owned(), result.to_owned()));
        let (cases, answers) = (table::cases(cases).expect("a table"), table::answers(answers).expect("a table"));
        judged(&cases, &answers, &results.collect()).into_iter().map(|row| (row.result, row.verdict)).collect()
    }

    /// A planted fault, and what must be said of it.
    #[track_caller]
    fn caught(cases: &str, answers: &str, output: &str, says: &str) {
        let all = verdicts(cases, answers, output);
        let failed: Vec<_> = all.iter().filter(|(_, verdict)| *verdict == Verdict::Failed).collect();
        assert!(failed.len() == 1 && failed[0].0.contains(says), "{all:?}");
    }

    #[test]
    fn rows_whose_tests_passed_pass() {
        let all: Vec<Verdict> = verdicts(CASES, ANSWERS, OUTPUT).into_iter().map(|(_, verdict)| verdict).collect();
        assert_eq!(all, [Verdict::Passed, Verdict::Passed, Verdict::Inapplicable]);
    }

    #[test]
    fn planted_faults_are_caught() {
        caught(CASES, &ANSWERS.replace("o,a,tested,engine::a it::a\n", ""), OUTPUT, "has no test");
        caught(CASES, &ANSWERS.replace("engine::a it::a", ""), OUTPUT, "has no test");
        caught(CASES, &ANSWERS.replace("it::a", "it::gone"), OUTPUT, "no such test");
        caught(CASES, ANSWERS, &OUTPUT.replace("it::a ... ok", "it::a ... FAILED"), "FAILED");
        caught(CASES, ANSWERS, &OUTPUT.replace("it::a ... ok", "it::a ... ignored"), "ignored");
        caught(&CASES.replace("names", "-"), ANSWERS, OUTPUT, "for no reason");
        caught(CASES, &ANSWERS.replace("not applicable,", "tested,it::a"), OUTPUT, "all the same");
        caught(CASES, &ANSWERS.replace("tested,engine::a it::a", "open,no names yet"), OUTPUT, "has no test");
        caught(CASES, &ANSWERS.replace("tested,engine::a it::a", "not applicable,"), OUTPUT, "has no test");
        caught(CASES, &format!("{ANSWERS}o,z,tested,it::a\n"), OUTPUT, "no such case");
    }

    #[test]
    fn lines_of_libtest_are_read() {
        assert_eq!(result("test a::b ... ok"), Some(("a::b", "ok")));
        assert_eq!(result("test a::b - should panic ... FAILED"), Some(("a::b", "FAILED")));
        assert_eq!(result("test a::b ... ignored, too slow"), Some(("a::b", "ignored, too slow")));
        assert_eq!(result("test result: ok. 3 passed; 0 failed; 0 ignored"), None);
    }
}
