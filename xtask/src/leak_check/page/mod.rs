//! The page that `--html` writes: one file that needs nothing from elsewhere.

mod html;
mod waterfall;

use std::fmt::Write;

use serde_json::Value;

use super::shortened;

use self::html::{escaped, page, table, word};

/// How many characters of a leak's detail are shown; all of it is in what `--json` keeps.
const DETAIL_MAX: usize = 300;

/// The page of a leak check, from what `--json` keeps.
pub(super) fn cells(kept: &Value) -> String {
    let cells = list(kept, "cells");
    let mut scenarios: Vec<&str> = Vec::new();
    for cell in cells {
        let name = text(cell, "scenario");
        if !scenarios.contains(&name) {
            scenarios.push(name);
        }
    }
    let mut body = head(kept, cells);
    body.push_str(&matrix(&scenarios, cells));
    body.push_str(waterfall::KEY);
    for (at, scenario) in scenarios.iter().enumerate() {
        body.push_str(&section(at, scenario, &of(cells, scenario)));
    }
    page("Landfall leak check", &body)
}

/// The page of a program that was watched, from what `--json` keeps.
pub(super) fn watched(kept: &Value) -> String {
    let rounds = list(kept, "rounds");
    let clean = rounds.iter().filter(|round| round["clean"] == true).count();
    let mut body = format!(
        "<p class=\"faint\">seed {}, {} rounds, {clean} of them clean</p>\n<p><code>{}</code></p>\n",
        kept["seed"],
        rounds.len(),
        escaped(text(kept, "command"))
    );
    let head = ["round", "ready after", "signalled after", "ended in", "", "sessions", "held at", "", "what was left"];
    let rows: Vec<Vec<String>> = rounds.iter().map(round).collect();
    body.push_str(&table(&head.map(str::to_owned), &rows));
    let blind = list(kept, "skipped").iter().map(|reason| ("SKIPPED", reason));
    for (what, reason) in blind.chain(list(kept, "notes").iter().map(|note| ("note", note))) {
        let _ = writeln!(body, "<p>{what}: {}</p>", escaped(reason.as_str().unwrap_or_default()));
    }
    if let Some(round) = rounds.iter().rev().find(|round| round["report"].is_object()) {
        let _ = write!(body, "<h2>Its last termination</h2>\n{}{}", waterfall::KEY, waterfall::draw(&round["report"]));
    }
    page("Landfall leak check of a program", &body)
}

fn round(round: &Value) -> Vec<String> {
    let millis = |field: &str| round[field].as_u64().map_or_else(String::new, |time| format!("{time} ms"));
    let stages: Vec<&str> = list(round, "stages").iter().filter_map(Value::as_str).collect();
    let leaks = list(round, "leaks").iter().map(|leak| format!("<li>{}</li>", escaped(&named(leak))));
    let (clean, again) = if round["clean"] == true {
        (word("passed", "clean"), String::new())
    } else {
        let again = format!("<p>again: <code>{}</code></p>", escaped(text(round, "replay")));
        (word("failed", "NOT CLEAN"), again)
    };
    vec![
        escaped(&round["round"].to_string()),
        millis("ready_after_ms"),
        millis("signalled_after_ms"),
        millis("ended_after_ms"),
        escaped(text(round, "ended")),
        round["sessions"].as_u64().map_or_else(|| "not counted".to_owned(), |count| count.to_string()),
        if stages.is_empty() { "no stage".to_owned() } else { escaped(&stages.join(", ")) },
        clean,
        format!("<ul>{}</ul>{again}", leaks.collect::<String>()),
    ]
}

fn head(kept: &Value, cells: &[Value]) -> String {
    let count = |word: &str| cells.iter().filter(|cell| cell["verdict"] == word).count();
    let took: u64 = cells.iter().filter_map(|cell| cell["took_ms"].as_u64()).sum();
    let (passed, failed, skipped) = (count("passed"), count("FAILED"), count("skipped"));
    let which = if kept["full"] == true { "full run" } else { "the gate's selection" };
    format!(
        "<p class=\"faint\">seed {}, {which}, {} in all: {passed} cells passed, {failed} failed, {skipped} skipped</p>\n\
         <p>Each scenario is run quietly, where nothing may be left, and with each of its planted faults, which has to be \
         found. A fault in the product's own code is looked for in a build in which tokio tells the places of tasks \
         (unstable) and, in the full run, also as stable tokio shows it (faults).</p>\n",
        kept["seed"],
        seconds(took)
    )
}

/// Scenarios by faults.
fn matrix(scenarios: &[&str], cells: &[Value]) -> String {
    let mut columns: Vec<&str> = Vec::new();
    for cell in cells {
        if !columns.contains(&column(cell)) {
            columns.push(column(cell));
        }
    }
    let rows = scenarios.iter().enumerate().map(|(at, scenario)| {
        let cells = of(cells, scenario);
        let mut row = vec![format!("<a href=\"#scenario-{at}\">{}</a>", escaped(scenario))];
        row.extend(columns.iter().map(|name| {
            let here = cells.iter().filter(|cell| column(cell) == *name);
            here.map(|cell| {
                let (build, took) = (escaped(text(cell, "build")), seconds(cell["took_ms"].as_u64().unwrap_or(0)));
                let build = if build == "plain" { String::new() } else { format!("<br>{build}") };
                format!("<div class=\"cell\">{}<br><small>{took}{build}</small></div>", result(cell))
            })
            .collect()
        }));
        row
    });
    let head: Vec<String> = [""].into_iter().chain(columns.iter().copied()).map(escaped).collect();
    format!("<div class=\"matrix\">{}</div>", table(&head, &rows.collect::<Vec<_>>()))
}

fn section(at: usize, scenario: &str, cells: &[&Value]) -> String {
    let head = ["fault", "build", "ended in", "rounds", "terminations", "", "what was seen"].map(str::to_owned);
    let rows: Vec<Vec<String>> = cells.iter().map(|cell| row(cell)).collect();
    let mut section = format!("<h2 id=\"scenario-{at}\">{}</h2>\n{}", escaped(scenario), table(&head, &rows));
    let last = cells.iter().rev().find(|cell| cell["fault"].is_null() && cell["said"]["report"].is_object());
    if let Some(cell) = last {
        let _ = write!(section, "<h3>Its last quiet termination</h3>\n{}", waterfall::draw(&cell["said"]["report"]));
    }
    section
}

fn row(cell: &Value) -> Vec<String> {
    let said = &cell["said"];
    let took = |field: &str| said["took_ms"][field].as_u64();
    let terminations = match (took("median"), took("max")) {
        (Some(median), Some(max)) if median != max => format!("{median} ms, at most {max} ms"),
        (_, Some(max)) => format!("{max} ms"),
        (_, None) => String::new(),
    };
    let again = match cell["verdict"].as_str() {
        Some("FAILED") => format!("<p>again: <code>{}</code></p>", escaped(text(cell, "replay"))),
        _ => String::new(),
    };
    vec![
        escaped(column(cell)),
        escaped(text(cell, "build")),
        seconds(cell["took_ms"].as_u64().unwrap_or(0)),
        said["rounds"].as_u64().filter(|rounds| *rounds > 0).map_or_else(String::new, |rounds| rounds.to_string()),
        terminations,
        result(cell),
        format!("{}{again}", left(cell)),
    ]
}

/// The leaks that were found, else what there is to say.
fn left(cell: &Value) -> String {
    let leaks = list(&cell["said"], "leaks");
    if leaks.is_empty() {
        return escaped(text(cell, "detail"));
    }
    let items: String = leaks.iter().map(|leak| format!("<li>{}</li>", escaped(&named(leak)))).collect();
    let detail = if cell["verdict"] == "FAILED" { escaped(text(cell, "detail")) } else { String::new() };
    format!("{detail}<ul>{items}</ul>")
}

fn named(leak: &Value) -> String {
    let [kind, name, place, detail] = ["kind", "name", "place", "detail"].map(|field| text(leak, field));
    let name = if name.is_empty() { String::new() } else { format!(" {name}") };
    let place = if place.is_empty() { String::new() } else { format!(" at {place}") };
    let detail = if detail.is_empty() { String::new() } else { format!(": {}", shortened(detail, DETAIL_MAX)) };
    format!("{kind}{name}{place}{detail}")
}

fn result(cell: &Value) -> String {
    match (cell["verdict"].as_str(), cell["fault"].is_null()) {
        (Some("passed"), true) => word("passed", "clean"),
        (Some("passed"), false) => word("passed", "caught"),
        (Some("skipped"), _) => word("skipped", "skipped"),
        (_, true) => word("failed", "NOT CLEAN"),
        (_, false) => word("failed", "NOT CAUGHT"),
    }
}

fn column(cell: &Value) -> &str {
    cell["fault"].as_str().unwrap_or("quiet")
}

fn of<'a>(cells: &'a [Value], scenario: &str) -> Vec<&'a Value> {
    cells.iter().filter(|cell| cell["scenario"] == scenario).collect()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn seconds(millis: u64) -> String {
    format!("{}.{} s", millis / 1_000, millis % 1_000 / 100)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cell(fault: &Value, build: &str, verdict: &str, said: &Value) -> Value {
        json!({
            "scenario": "set <x>", "fault": fault, "build": build, "verdict": verdict, "detail": "what <was> seen",
            "took_ms": 1_234, "replay": "cargo xtask leak-check", "said": said, "lines": [],
        })
    }

    fn planted() -> String {
        let leak = json!({ "kind": "thread", "name": "<idler>", "place": "a.rs:3", "detail": "since 2 s" });
        let report = json!({ "name": "set", "clean": true, "began_after_ms": 0, "took_ms": 7, "children": [] });
        cells(&json!({ "seed": 7, "full": false, "cells": [
            cell(&Value::Null, "plain", "passed", &json!({ "rounds": 20, "report": report, "leaks": [] })),
            cell(&json!("skip-join"), "faults", "passed", &json!({ "leaks": [leak] })),
            cell(&json!("skip-join"), "unstable", "FAILED", &Value::Null),
        ] }))
    }

    #[test]
    fn the_page_says_what_became_of_each_cell() {
        let page = planted();
        for part in ["seed 7", ">clean<", ">caught<", ">NOT CAUGHT<", "1.2 s<br>unstable", "2 cells passed, 1 failed"] {
            assert!(page.contains(part), "`{part}` is not on the page");
        }
        assert!(page.contains("thread &lt;idler&gt; at a.rs:3: since 2 s"));
    }

    /// A column without a head, or a head without a column, would shift what is read.
    #[test]
    fn each_row_of_a_table_has_a_cell_for_each_head() {
        let watched = watched(&json!({ "rounds": [{ "round": 1, "clean": true }] }));
        for page in [planted(), watched] {
            for table in page.split("<table>").skip(1) {
                let (head, body) = table.split_once("</thead>").expect("it has a head");
                let heads = head.matches("<th>").count();
                let rows = body.split("<tr>").skip(1);
                assert!(rows.map(|row| row.matches("<td>").count() + 1).all(|cells| cells == heads), "{table}");
            }
        }
    }

    #[test]
    fn the_page_shows_the_last_quiet_termination() {
        assert!(planted().contains("class=\"lane\""));
    }

    #[test]
    fn the_page_of_a_watched_program_has_its_rounds_and_its_last_report() {
        let report = json!({ "name": "<svc>", "clean": true, "began_after_ms": 0, "took_ms": 7, "children": [] });
        let leak = json!({ "kind": "file", "name": "x", "place": null, "detail": "`x` is left" });
        let page = watched(&json!({
            "seed": 7, "command": "a & <b>", "skipped": ["no psql"], "notes": [],
            "rounds": [
                { "round": 1, "clean": true, "ended": "ended with code 0", "leaks": [], "report": report },
                { "round": 2, "clean": false, "ended": "killed", "leaks": [leak], "report": null },
            ],
        }));
        for part in [
            "a &amp; &lt;b&gt;",
            "1 of them clean",
            ">NOT CLEAN<",
            "file x: `x` is left",
            "SKIPPED: no psql",
            "&lt;svc&gt;",
        ] {
            assert!(page.contains(part), "`{part}` is not on the page");
        }
    }

    #[test]
    fn nothing_that_a_program_printed_becomes_markup() {
        let page = planted();
        assert!(!page.contains("<x>") && !page.contains("<was>") && !page.contains("<idler>"));
    }
}
