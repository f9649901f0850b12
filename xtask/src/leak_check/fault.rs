//! The planted faults that a scenario has to catch, as its program lists them.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::child::{self, Ended, How};

/// How long a program may take to list its faults.
const LIMIT: Duration = Duration::from_secs(30);

/// A planted fault of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) name: String,
    /// Whether it sits in the product's own code, so that only a build with `--cfg landfall_faults` has it.
    pub(super) in_product: bool,
}

/// Asks a scenario program for its faults.
pub(super) fn of(name: &str, program: &Path) -> Result<Vec<Fault>, String> {
    let ended = child::run(Command::new(program).arg("--list-faults"), LIMIT)?;
    read(&ended).map_err(|problem| {
        format!("scenario {name} does not list its faults: {problem}; `--list-faults` prints `NAME product` or `NAME planted` for each")
    })
}

fn read(ended: &Ended) -> Result<Vec<Fault>, String> {
    match &ended.how {
        How::Succeeded => {}
        How::Failed(status) => {
            let last = ended.complained.iter().find(|line| !line.trim().is_empty()).map_or("no word", String::as_str);
            return Err(format!("it ended with {status} and {last}"));
        }
        How::Killed { limit } => return Err(format!("it had not ended after {} s", limit.as_secs())),
    }
    let faults: Vec<Fault> =
        ended.said.iter().filter(|line| !line.trim().is_empty()).map(|line| fault(line)).collect::<Result<_, _>>()?;
    for (at, fault) in faults.iter().enumerate() {
        if faults[..at].iter().any(|earlier| earlier.name == fault.name) {
            return Err(format!("it lists `{}` twice", fault.name));
        }
    }
    Ok(faults)
}

fn fault(line: &str) -> Result<Fault, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let in_product = match words[..] {
        [_, "product"] => true,
        [_, "planted"] => false,
        _ => return Err(format!("it prints `{line}`")),
    };
    Ok(Fault { name: words[0].to_owned(), in_product })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(script: &str) -> Result<Vec<Fault>, String> {
        read(&child::run(Command::new("sh").args(["-c", script]), LIMIT).expect("there is a shell"))
    }

    #[test]
    fn faults_are_read_with_the_build_that_they_need() {
        let faults = listed("echo skip-join product; echo lossy planted").expect("they are well listed");
        let expected = [("skip-join", true), ("lossy", false)];
        assert_eq!(faults, expected.map(|(name, in_product)| Fault { name: name.to_owned(), in_product }));
        assert_eq!(listed("true"), Ok(Vec::new()));
    }

    #[test]
    fn a_list_that_cannot_be_read_is_refused() {
        for (script, says) in [
            ("echo skip-join", "`skip-join`"),
            ("echo skip-join sometimes", "sometimes"),
            ("echo a product; echo a planted", "`a` twice"),
            ("echo what is this >&2; exit 2", "what is this"),
        ] {
            let refusal = listed(script).expect_err("it is no list");
            assert!(refusal.contains(says), "{refusal}");
        }
    }
}
