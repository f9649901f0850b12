//! Every case of OTP's and its relatives' suites has an answer in `tests/data/otp-conformance.csv`: the tests that show
//! it, or that it does not apply; and the tests it names are there.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// The rows of a table with quoted fields, without its heading.
fn rows(name: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap();
    text.lines().skip(1).map(fields).collect()
}

fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if is_quoted && chars.next_if_eq(&'"').is_some() => field.push('"'),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    fields.push(field);
    fields
}

/// Where the test with that path is: its module's file, in the crate or in this binary.
fn is_there(test: &str) -> bool {
    let (module, name) = test.rsplit_once("::").unwrap();
    let (root, module) = match module.strip_prefix("it::") {
        Some(module) => ("tests/it", module),
        None => ("src", module),
    };
    let module = module.replace("::", "/");
    // The tests of a file sit in a module of that file.
    let inline = module.strip_suffix("/tests").unwrap_or(&module);
    let at = Path::new(env!("CARGO_MANIFEST_DIR")).join(root);
    let files = [format!("{module}.rs"), format!("{inline}.rs"), format!("{module}/mod.rs")];
    let texts = files.iter().filter_map(|file| fs::read_to_string(at.join(file)).ok());
    texts.into_iter().any(|text| text.contains(&format!("fn {name}()")))
}

#[test]
fn every_case_has_its_answer_and_every_test_named_is_there() {
    let answers: HashMap<_, _> =
        rows("otp-conformance.csv").into_iter().map(|row| ((row[0].clone(), row[1].clone()), row)).collect();
    let cases = rows("otp-supervisor-cases.csv");
    assert_eq!(cases.len(), 110);
    assert_eq!(answers.len(), cases.len());
    for case in &cases {
        let answer = &answers[&(case[0].clone(), case[1].clone())];
        let (state, rest) = (answer[2].as_str(), answer[3].as_str());
        match (case[3].as_str(), state) {
            ("no", "not applicable") => assert_eq!(rest, ""),
            ("yes", "tested") => {
                assert!(!rest.is_empty(), "{case:?} names no test");
                for test in rest.split(' ') {
                    assert!(is_there(test), "{case:?} names {test}, which is not there");
                }
            }
            other => panic!("{case:?} is answered {other:?}"),
        }
    }
}

/// The check would see a test that is not there.
#[test]
fn a_test_that_is_not_there_is_noticed() {
    assert!(is_there("engine::window::tests::both_ends_of_the_window_count"));
    assert!(is_there("it::conformance::a_test_that_is_not_there_is_noticed"));
    assert!(!is_there("engine::window::tests::no_such_test"));
    assert!(!is_there("engine::nowhere::tests::both_ends_of_the_window_count"));
}
