//! The command line: a table of verbs and their flags, and what is said about anything else.

use std::fmt::Write;
use std::path::PathBuf;

use crate::leak_check;

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help(String),
    Ci { steps: Vec<String>, list: bool },
    Test,
    Codegen { check: bool },
    Tidy { bless: bool },
    Loom { full: bool },
    Shuttle { full: bool, seed: Option<String> },
    Miri,
    Planted,
    LeakCheck(Box<leak_check::Options>),
    Conformance { name: String },
    Interop { name: String, seed: Option<String>, full: bool },
    Fuzz { target: Option<String>, seconds: Option<u64> },
    Bench { name: String, json: Option<PathBuf>, check: bool },
}

struct Verb {
    name: &'static str,
    about: &'static str,
    /// What the word after the verb is called in the usage, for a verb that takes one; in brackets if it may be left out.
    operand: Option<&'static str>,
    flags: &'static [Flag],
}

struct Flag {
    name: &'static str,
    /// What the value is called in the usage, for a flag that takes one.
    value: Option<&'static str>,
    about: &'static str,
}

const LIST: &str = "--list";
const FULL: &str = "--full";
const SEED: &str = "--seed";

const VERBS: &[Verb] = &[
    Verb {
        name: "ci",
        about: "the whole gate: what CI runs, step by step, with a table at the end",
        operand: None,
        flags: &[
            Flag { name: "--step", value: Some("NAME"), about: "run this step only; may be given several times" },
            Flag { name: LIST, value: None, about: "list the steps" },
        ],
    },
    Verb {
        name: "test",
        about: "every test that needs nothing but Rust and a C compiler, and the examples",
        operand: None,
        flags: &[],
    },
    Verb {
        name: "tidy",
        about: "the house rules that neither rustc nor clippy checks",
        operand: None,
        flags: &[Flag { name: "--bless", value: None, about: "rewrite docs/api from the source" }],
    },
    Verb {
        name: "codegen",
        about: "writes the messages of landfall-stub anew from their `.proto`, which must say what the table of them says",
        operand: None,
        flags: &[Flag { name: "--check", value: None, about: "write nothing, and fail if there is a difference" }],
    },
    Verb {
        name: "leak-check",
        about: "the scenario programs of landfall-tests, each in a process of its own",
        operand: None,
        flags: LEAK_CHECK,
    },
    Verb {
        name: "loom",
        about: "the models of the core under every schedule, then with each planted fault that they must catch",
        operand: None,
        flags: &[Flag { name: FULL, value: None, about: "with one preemption more: some minutes" }],
    },
    Verb {
        name: "shuttle",
        about: "a tree of task sets under random schedules, then with planted faults that they must find",
        operand: None,
        flags: &[
            Flag { name: FULL, value: None, about: "with twenty-five times as many schedules" },
            Flag { name: SEED, value: Some("N"), about: "the schedule of this seed once more" },
        ],
    },
    Verb {
        name: "miri",
        about: "the unit tests of the core under miri, with its check for leaks, then a planted leak",
        operand: None,
        flags: &[],
    },
    Verb {
        name: "planted",
        about: "the tests that documents name for a fault, as they are and then with it planted, which they must find",
        operand: None,
        flags: &[],
    },
    Verb {
        name: "conformance",
        about: "the tests of a table of cases, and shows each case with its tests and what came of them",
        operand: Some("NAME"),
        flags: &[],
    },
    Verb {
        name: "interop",
        about: "scenarios on another implementation and on ours, whose histories must be equal, or against one",
        operand: Some("NAME"),
        flags: &[
            Flag { name: SEED, value: Some("N"), about: "`otp`: the generated scenarios of this seed once more" },
            Flag { name: FULL, value: None, about: "`nri`: against older versions too" },
        ],
    },
    Verb {
        name: "fuzz",
        about: "the fuzz targets of landfall-stub, or one of them; needs nightly Rust and cargo-fuzz",
        operand: Some("[TARGET]"),
        flags: &[Flag { name: "--seconds", value: Some("N"), about: "how long each target runs (60)" }],
    },
    Verb {
        name: "bench",
        about: "a crate beside the tools that others offer for the same",
        operand: Some("NAME"),
        flags: &[
            Flag { name: "--json", value: Some("FILE"), about: "keep every sample" },
            Flag { name: "--check", value: None, about: "fail if a target is missed, or a planted slowdown is not" },
        ],
    },
];

const LEAK_CHECK: &[Flag] = &[
    Flag { name: "--scenario", value: Some("NAME"), about: "run this scenario only" },
    Flag { name: "--fault", value: Some("NAME"), about: "run this planted fault only; `none`: the quiet rounds only" },
    Flag { name: SEED, value: Some("N"), about: "the seed of all that is random; another one each time otherwise" },
    Flag { name: "--full", value: None, about: "200 quiet rounds in place of 20, and in all builds" },
    Flag { name: LIST, value: None, about: "list the scenarios with their limits and faults" },
    Flag { name: "--json", value: Some("FILE"), about: "keep every cell with all its details" },
    Flag { name: "--html", value: Some("FILE"), about: "write the table and the waterfalls as one page" },
    Flag {
        name: "--command",
        value: Some("LINE"),
        about: "watch this program, any program, in place of the scenarios",
    },
    Flag { name: "--ready-when", value: Some("TEXT"), about: "part of the line that it prints once it is ready" },
    Flag { name: "--drive", value: Some("LINE"), about: "a command that gives it work while it runs" },
    Flag { name: "--rounds", value: Some("N"), about: "how often it is started and signalled (5)" },
    Flag { name: "--ready-max", value: Some("SECONDS"), about: "how long it may take until it is ready (30)" },
    Flag { name: "--grace-max", value: Some("SECONDS"), about: "how long it may take to end after the signal (30)" },
    Flag { name: "--folder", value: Some("DIR"), about: "its working folder, in place of a temporary one" },
    Flag { name: "--postgres", value: Some("URL"), about: "a server on which its sessions are counted, by psql" },
];

/// Reads the arguments after the program's name.
pub(crate) fn parse(arguments: &[String]) -> Result<Command, String> {
    let Some((name, rest)) = arguments.split_first() else {
        return Ok(Command::Help(usage()));
    };
    if is_help(name) {
        return Ok(Command::Help(usage()));
    }
    let Some(verb) = VERBS.iter().find(|verb| verb.name == name) else {
        let known: Vec<&str> = VERBS.iter().map(|verb| verb.name).collect();
        return Err(format!("there is no verb `{name}`; the verbs are {}", known.join(", ")));
    };
    if rest.iter().any(|argument| is_help(argument)) {
        return Ok(Command::Help(usage_of(verb)));
    }
    let (operand, rest) = operand(verb, rest)?;
    let given = flags(verb, rest)?;
    let has = |flag: &str| given.iter().any(|(name, _)| *name == flag);
    let values = |flag: &str| given.iter().filter(|(name, _)| *name == flag).map(|(_, value)| value.clone()).collect();
    Ok(match verb.name {
        "ci" => Command::Ci { steps: values("--step"), list: has(LIST) },
        "test" => Command::Test,
        "codegen" => Command::Codegen { check: has("--check") },
        "tidy" => Command::Tidy { bless: has("--bless") },
        "loom" => Command::Loom { full: has(FULL) },
        "shuttle" => Command::Shuttle { full: has(FULL), seed: seed(once(SEED, values(SEED))?)? },
        "miri" => Command::Miri,
        "planted" => Command::Planted,
        "leak-check" => Command::LeakCheck(Box::new(leak_check::Options::read(&given)?)),
        "conformance" => Command::Conformance { name: operand },
        "interop" => Command::Interop { name: operand, seed: seed(once(SEED, values(SEED))?)?, full: has(FULL) },
        "fuzz" => {
            let seconds =
                once("--seconds", values("--seconds"))?.map(|given| number("--seconds", &given)).transpose()?;
            Command::Fuzz { target: Some(operand).filter(|name| !name.is_empty()), seconds }
        }
        _ => {
            let json = once("--json", values("--json"))?.map(PathBuf::from);
            Command::Bench { name: operand, json, check: has("--check") }
        }
    })
}

/// Takes the word that a verb takes, which comes before its flags.
fn operand<'a>(verb: &Verb, arguments: &'a [String]) -> Result<(String, &'a [String]), String> {
    match (verb.operand, arguments.split_first()) {
        (None, _) => Ok((String::new(), arguments)),
        (Some(_), Some((word, rest))) if !word.is_empty() && !word.starts_with('-') => Ok((word.clone(), rest)),
        (Some(what), _) if what.starts_with('[') => Ok((String::new(), arguments)),
        (Some(what), _) => Err(format!("`{0}` needs a name: `{0} {what}`", verb.name)),
    }
}

fn once(flag: &str, mut values: Vec<String>) -> Result<Option<String>, String> {
    if values.len() > 1 { Err(format!("`{flag}` may be given once")) } else { Ok(values.pop()) }
}

fn seed(given: Option<String>) -> Result<Option<String>, String> {
    given.map(|seed| number(SEED, &seed).map(|_| seed)).transpose()
}

fn number(flag: &str, given: &str) -> Result<u64, String> {
    given.parse().map_err(|_| format!("`{flag}` is a number of 64 bits, not `{given}`"))
}

fn flags(verb: &Verb, arguments: &[String]) -> Result<Vec<(&'static str, String)>, String> {
    let mut given = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let (name, inline) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let Some(flag) = verb.flags.iter().find(|flag| flag.name == name) else {
            return Err(unknown_flag(verb, argument));
        };
        let value = match (flag.value, inline) {
            (None, None) => String::new(),
            (None, Some(value)) => return Err(format!("`{name}` takes no value, but `{value}` was given")),
            (Some(_), Some(value)) if !value.is_empty() => value,
            (Some(what), inline) => match (inline, rest.next()) {
                (None, Some(value)) if !value.starts_with('-') => value.clone(),
                _ => return Err(format!("`{name}` needs a value: `{name} {what}`")),
            },
        };
        given.push((flag.name, value));
    }
    Ok(given)
}

fn unknown_flag(verb: &Verb, argument: &str) -> String {
    if verb.flags.is_empty() {
        return format!("`{}` takes no arguments, but `{argument}` was given", verb.name);
    }
    let known: Vec<&str> = verb.flags.iter().map(|flag| flag.name).collect();
    format!("`{}` does not know `{argument}`; it takes {}", verb.name, known.join(", "))
}

fn is_help(argument: &str) -> bool {
    matches!(argument, "--help" | "-h" | "help")
}

fn usage() -> String {
    let mut text = "Usage: cargo xtask <VERB> [FLAGS]\n\nVerbs:\n".to_owned();
    for verb in VERBS {
        let _ = writeln!(text, "  {:<12}{}", verb.name, verb.about);
    }
    text.push_str(
        "\n`cargo xtask <VERB> --help` lists a verb's flags. With STRICT=1 a skipped test or step is a failure.",
    );
    text
}

fn usage_of(verb: &Verb) -> String {
    let brackets = if verb.flags.is_empty() { "" } else { " [FLAGS]" };
    let operand = verb.operand.map(|operand| format!(" {operand}")).unwrap_or_default();
    let mut text = format!("Usage: cargo xtask {}{operand}{brackets}\n\nRuns {}.", verb.name, verb.about);
    if !verb.flags.is_empty() {
        text.push_str("\n\nFlags:");
    }
    for flag in verb.flags {
        let shown = flag.value.map_or_else(|| flag.name.to_owned(), |value| format!("{} {value}", flag.name));
        let _ = write!(text, "\n  {shown:<20}{}", flag.about);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[track_caller]
    fn refused(line: &str, said: &[&str]) {
        let refusal = parsed(line).expect_err("must be refused");
        for part in said {
            assert!(refusal.contains(part), "`{refusal}` does not say `{part}`");
        }
    }

    #[test]
    fn verbs_and_their_flags_are_understood() {
        assert_eq!(parsed("test"), Ok(Command::Test));
        assert_eq!(parsed("codegen --check"), Ok(Command::Codegen { check: true }));
        assert_eq!(parsed("tidy --bless"), Ok(Command::Tidy { bless: true }));
        assert_eq!(parsed("ci --list"), Ok(Command::Ci { steps: vec![], list: true }));
        assert_eq!(
            parsed("ci --step msrv --step=features"),
            Ok(Command::Ci { steps: vec!["msrv".to_owned(), "features".to_owned()], list: false })
        );
        assert_eq!(
            parsed("leak-check --scenario relay"),
            Ok(Command::LeakCheck(Box::new(leak_check::Options {
                scenario: Some("relay".to_owned()),
                ..Default::default()
            })))
        );
        assert_eq!(parsed("loom --full"), Ok(Command::Loom { full: true }));
        assert_eq!(parsed("miri"), Ok(Command::Miri));
        assert_eq!(parsed("planted"), Ok(Command::Planted));
        assert_eq!(parsed("shuttle --seed 7"), Ok(Command::Shuttle { full: false, seed: Some("7".to_owned()) }));
        assert_eq!(parsed("conformance otp"), Ok(Command::Conformance { name: "otp".to_owned() }));
        assert_eq!(
            parsed("interop otp --seed 7"),
            Ok(Command::Interop { name: "otp".to_owned(), seed: Some("7".to_owned()), full: false })
        );
        assert_eq!(
            parsed("interop nri --full"),
            Ok(Command::Interop { name: "nri".to_owned(), seed: None, full: true })
        );
        assert_eq!(parsed("fuzz"), Ok(Command::Fuzz { target: None, seconds: None }));
        assert_eq!(
            parsed("fuzz stub --seconds 7"),
            Ok(Command::Fuzz { target: Some("stub".to_owned()), seconds: Some(7) })
        );
        assert_eq!(
            parsed("bench lifecycle --check --json=f.json"),
            Ok(Command::Bench { name: "lifecycle".to_owned(), json: Some("f.json".into()), check: true })
        );
    }

    #[test]
    fn refusals_name_what_was_given_and_what_is_allowed() {
        refused(
            "fix",
            &[
                "`fix`",
                "ci, test, tidy, codegen, leak-check, loom, shuttle, miri, planted, conformance, interop, fuzz, \
                 bench",
            ],
        );
        refused("bench", &["`bench NAME`"]);
        refused("interop", &["`interop NAME`"]);
        refused("conformance otp --seed 7", &["`conformance`", "`--seed"]);
        refused("bench --check lifecycle", &["`bench NAME`"]);
        refused("bench lifecycle pool", &["`bench`", "`pool`"]);
        refused("bench lifecycle --json a --json b", &["once"]);
        refused("fuzz --seconds long", &["--seconds", "`long`"]);
        refused("shuttle --seed x", &["--seed", "`x`"]);
        refused("loom --seed 7", &["`loom`", "--full"]);
        refused("tidy --fix", &["`--fix`", "--bless"]);
        refused("tidy --bless=yes", &["`--bless`", "`yes`"]);
        refused("test lifecycle", &["`test`", "`lifecycle`"]);
        refused("leak-check --scenario", &["--scenario NAME"]);
        refused("leak-check --scenario= --list", &["--scenario NAME"]);
        refused("leak-check --scenario --list", &["--scenario NAME"]);
        refused("leak-check --scenario a --scenario b", &["once"]);
    }

    #[test]
    fn help_lists_every_verb_and_every_flag() {
        for line in ["", "--help", "-h", "help"] {
            let Ok(Command::Help(text)) = parsed(line) else { panic!("`{line}` gives no help") };
            assert!(VERBS.iter().all(|verb| text.contains(verb.name)), "{text}");
        }
        for verb in VERBS {
            let Ok(Command::Help(text)) = parsed(&format!("{} --help", verb.name)) else { panic!("no help") };
            assert!(verb.flags.iter().all(|flag| text.contains(flag.name)), "{text}");
        }
    }
}
