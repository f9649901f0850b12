//! What a target found wrong itself, on its way to the observer: a line each, and one that says that there are no more.

use serde_json::{Value, json};

use crate::findings::{Finding, Findings, Kind};
use crate::observed::Drive;
use crate::scenario::Failure;

/// What a line with a finding begins with.
const FOUND: &str = "the journal found ";
/// What the last line begins with; how much there was of what it looked at follows.
const THROUGH: &str = "the journal is through: ";

/// What a target may find.
const KINDS: &[Kind] = &[
    Kind::Disorder,
    Kind::Growth,
    Kind::Late,
    Kind::StartedLate,
    Kind::Task,
    Kind::Twice,
    Kind::Unclean,
    Kind::Unnamed,
];

/// Prints what a journal found, and how much it looked at.
pub(super) fn tell(findings: &Findings, seen: u64) {
    for finding in findings.all_to_json() {
        eprintln!("{FOUND}{finding}");
    }
    eprintln!("{THROUGH}{}", json!(seen));
}

/// Takes in what a target prints so; how much it looked at is counted as `what`.
///
/// # Errors
///
/// When it does not say that it is through.
pub(super) fn take_in(drive: &mut Drive<'_>, what: &'static str) -> Result<(), Failure> {
    let seen = drive.line_with(THROUGH)?;
    drive.counts.push((what, seen.trim().parse().unwrap_or_default()));
    for line in drive.process.stderr().lines().filter_map(|line| line.strip_prefix(FOUND)) {
        let Some(finding) = read(line) else {
            drive.findings.add(Kind::Unnamed, format!("the target says what cannot be read: {line}"));
            continue;
        };
        drive.findings.push(finding);
    }
    Ok(())
}

fn read(line: &str) -> Option<Finding> {
    let value: Value = serde_json::from_str(line).ok()?;
    let kind = KINDS.iter().copied().find(|kind| value["kind"] == kind.word())?;
    let text = value["detail"].as_str()?;
    let name = value["name"].as_str().map(str::to_owned);
    Some(Finding { kind, text: text.to_owned(), name, place: value["place"].as_str().map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_again() {
        for kind in KINDS {
            let finding = Finding::new(*kind, "two").named("child").at(Some("x.rs:1".to_owned()));
            let mut findings = Findings::default();
            findings.push(finding.clone());
            assert_eq!(read(&findings.all_to_json()[0].to_string()), Some(finding));
        }
        assert_eq!(read("{}"), None);
    }
}
