//! The committed tables: which cases there are, and what answers each.

use std::collections::HashMap;

/// A case of the suites we go by.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) name: String,
    /// None if it applies; else why it does not.
    pub(super) inapplicable: Option<String>,
}

/// What answers a case.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) state: String,
    /// The tests, or the reason why there is none.
    pub(super) rest: String,
}

/// Reads the cases: source, name, area, whether it applies, set-up, stimulus, outcome or why it does not apply.
pub(super) fn cases(text: &str) -> Result<Vec<Case>, String> {
    rows(text, 7, |row| {
        let name = format!("{}: {}", row[0], row[1]);
        let inapplicable = (row[3] != "yes").then(|| row[6].trim_matches('-').trim().to_owned());
        Case { name, inapplicable }
    })
}

/// Reads the answers: source, name, state, tests or reason.
pub(super) fn answers(text: &str) -> Result<HashMap<String, Answer>, String> {
    let all = rows(text, 4, |row| {
        let answer = Answer { state: row[2].clone(), rest: row[3].trim().to_owned() };
        (format!("{}: {}", row[0], row[1]), answer)
    })?;
    Ok(all.into_iter().collect())
}

fn rows<T>(text: &str, columns: usize, mut of_row: impl FnMut(&[String]) -> T) -> Result<Vec<T>, String> {
    let mut all = Vec::new();
    for (at, line) in text.lines().enumerate().skip(1) {
        let row = fields(line);
        if row.len() != columns {
            return Err(format!("line {} has {} fields, not {columns}", at + 1, row.len()));
        }
        all.push(of_row(&row));
    }
    Ok(all)
}

/// The fields of a line; a quoted one may have commas in it.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    for c in line.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            c => fields.last_mut().expect("there is a first field").push(c),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read() {
        let text =
            "source,case,area,applies,set-up,stimulus,outcome\no,a,api,yes,-,-,ok\no,\"b, c\",api,no,-,-,names\n";
        let case = |name: &str, why: Option<&str>| Case { name: name.into(), inapplicable: why.map(str::to_owned) };
        assert_eq!(cases(text), Ok(vec![case("o: a", None), case("o: b, c", Some("names"))]));
        let answers = answers("source,case,state,rest\no,a,tested,it::x it::y\n").expect("it is a table");
        assert_eq!(answers["o: a"], Answer { state: "tested".to_owned(), rest: "it::x it::y".to_owned() });
        assert!(cases("head\na,b\n").is_err_and(|why| why.contains("line 2")));
    }
}
