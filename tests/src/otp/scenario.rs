//! A file of scenarios, read: supervisors, children, steps.

use std::collections::HashMap;

/// The fields `key=value` of a line.
pub(super) type Fields = HashMap<String, String>;

/// One scenario.
#[derive(Debug, Default)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    pub(super) supervisors: HashMap<String, Fields>,
    /// In the order in which they are written.
    pub(super) children: Vec<Child>,
    pub(super) steps: Vec<Vec<String>>,
}

/// A child, a template, or what is to be added by a call.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) place: Place,
    pub(super) supervisor: String,
    pub(super) id: String,
    pub(super) fields: Fields,
}

/// Where a child comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Static,
    Template,
    Call,
}

/// A line that is no part of a scenario.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}: `{text}`")]
pub struct Fault {
    line: usize,
    problem: &'static str,
    text: String,
}

impl Scenario {
    pub(super) fn child(&self, id: &str) -> Option<&Child> {
        self.children.iter().find(|child| child.id == id)
    }

    pub(super) fn is_simple(&self, supervisor: &str) -> bool {
        let strategy = self.supervisors.get(supervisor).and_then(|flags| flags.get("strategy"));
        strategy.is_some_and(|strategy| strategy == "simple_one_for_one")
    }
}

/// Reads the scenarios of a file.
///
/// # Errors
///
/// The first line that is no part of one.
pub fn read(text: &str) -> Result<Vec<Scenario>, Fault> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    for (at, text) in text.lines().enumerate() {
        let fault = |problem| Fault { line: at + 1, problem, text: text.to_owned() };
        let words: Vec<&str> = text.split_whitespace().collect();
        match (words.as_slice(), scenarios.last_mut()) {
            ([], _) => {}
            ([word, ..], _) if word.starts_with('#') => {}
            (["scenario", name], _) => {
                scenarios.push(Scenario { name: (*name).to_owned(), ..Scenario::default() });
            }
            (_, None) => return Err(fault("it stands before the first scenario")),
            (["differs:" | "otp:" | "ours:", ..], _) => {}
            (["supervisor", name, rest @ ..], Some(scenario)) => {
                let fields = fields(rest).ok_or_else(|| fault("a field is `key=value`"))?;
                scenario.supervisors.insert((*name).to_owned(), fields);
            }
            ([word @ ("child" | "template" | "spec"), supervisor, id, rest @ ..], Some(scenario)) => {
                let place = match *word {
                    "child" => Place::Static,
                    "template" => Place::Template,
                    _ => Place::Call,
                };
                let fields = fields(rest).ok_or_else(|| fault("a field is `key=value`"))?;
                let (supervisor, id) = ((*supervisor).to_owned(), (*id).to_owned());
                scenario.children.push(Child { place, supervisor, id, fields });
            }
            (step, Some(scenario)) => scenario.steps.push(step.iter().map(|&word| word.to_owned()).collect()),
        }
    }
    Ok(scenarios)
}

fn fields(words: &[&str]) -> Option<Fields> {
    words.iter().map(|word| word.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()))).collect()
}
