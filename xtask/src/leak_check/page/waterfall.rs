//! A termination as a waterfall: each owner of a report as a bar, from the begin of its own termination to its end.

use std::fmt::Write;

use serde_json::Value;

use super::html::escaped;

/// How many owners, and how many entries of each, are shown; the rest is counted.
const OWNERS_MAX: usize = 80;
const ENTRIES_MAX: usize = 8;

/// Draws the report that a program printed; nothing if it is none.
pub(super) fn draw(report: &Value) -> String {
    let Some(total) = end(report) else { return String::new() };
    let total = total.max(1);
    let mut chart = Chart { rows: String::new(), shown: 0, omitted: 0, total };
    chart.owner(report, 0);
    if chart.omitted > 0 {
        let _ = write!(chart.rows, "<p class=\"faint\">and {} more owners</p>", chart.omitted);
    }
    let (half, rows) = (shown(total as f64 / 2.0), chart.rows);
    format!(
        "<div class=\"chart\"><div class=\"owner\"><span></span><div class=\"scale\"><span>0</span><span>{half}</span>\
         <span>{}</span></div><span></span></div>\n{rows}</div>\n",
        shown(total as f64)
    )
}

/// What the bars mean, once a page.
pub(super) const KEY: &str = "<p class=\"faint\"><span class=\"key\"></span> its own work ends &nbsp; \
    <span class=\"key waits\"></span> it waits for what it owns &nbsp; \
    <span class=\"key unclean\"></span> something is left. An owner that is ended later began later: it was needed until \
    then. Times are whole milliseconds.</p>\n";

struct Chart {
    rows: String,
    shown: usize,
    omitted: usize,
    total: u64,
}

impl Chart {
    fn owner(&mut self, report: &Value, depth: usize) {
        if self.shown == OWNERS_MAX {
            self.omitted += 1;
        } else {
            self.shown += 1;
            self.row(report, depth);
        }
        for child in children(report) {
            self.owner(child, depth + 1);
        }
    }

    fn row(&mut self, report: &Value, depth: usize) {
        let (began, took) = (millis(report, "began_after_ms"), millis(report, "took_ms"));
        let name = escaped(report["name"].as_str().unwrap_or("an owner without a name"));
        let mut bars = String::new();
        if report["clean"] == false && children(report).iter().all(|child| child["clean"] != false) {
            bars.push_str(&self.bar("bar unclean", began, began + took));
        } else {
            bars.push_str(&self.bar("bar waits", began, began + took));
            for (from, to) in alone(report) {
                bars.push_str(&self.bar("bar", from, to));
            }
        }
        let indent = depth as f64 * 1.1;
        let _ = writeln!(
            self.rows,
            "<div class=\"owner\"><span style=\"padding-left:{indent:.1}rem\" title=\"{name}\">{name}</span>\
             <div class=\"lane\">{bars}</div><small>{}</small></div>",
            escaped(&words(report, took))
        );
        self.entries(report, indent);
    }

    fn bar(&self, class: &str, from: u64, to: u64) -> String {
        let percent = |time: u64| time as f64 * 100.0 / self.total as f64;
        let (left, width) = (percent(from).min(99.5), percent(to.saturating_sub(from)));
        format!("<div class=\"{class}\" style=\"left:{left:.2}%;width:{width:.2}%\"></div>")
    }

    /// What ended abnormally, and what was left.
    fn entries(&mut self, report: &Value, indent: f64) {
        let tasks = list(report, "tasks").iter().map(|task| {
            let how = task["outcome"]["how"].as_str().unwrap_or_default();
            entry(task, how, if matches!(how, "straggler" | "panicked") { "left" } else { "faint" })
        });
        let remnants = list(report, "remnants").iter().map(|remnant| {
            entry(remnant, &format!("remnant, {}", remnant["kind"].as_str().unwrap_or_default()), "left")
        });
        let error = report["error"].as_str().map(|error| ("left", escaped(error)));
        let all: Vec<(&str, String)> = tasks.chain(remnants).chain(error).collect();
        for (class, text) in all.iter().take(ENTRIES_MAX) {
            let _ = writeln!(
                self.rows,
                "<div class=\"{class}\" style=\"padding-left:{:.1}rem\">{text}</div>",
                indent + 1.1
            );
        }
        if all.len() > ENTRIES_MAX {
            let more = all.len() - ENTRIES_MAX;
            let _ = writeln!(
                self.rows,
                "<div class=\"faint\" style=\"padding-left:{:.1}rem\">and {more} more</div>",
                indent + 1.1
            );
        }
    }
}

fn entry(value: &Value, how: &str, class: &'static str) -> (&'static str, String) {
    let place = &value["place"];
    let place = match (place["file"].as_str(), place["line"].as_u64()) {
        (Some(file), Some(line)) => format!(", {file}:{line}"),
        _ => String::new(),
    };
    let (name, age) = (value["name"].as_str().unwrap_or_default(), millis(value, "age_ms"));
    (class, escaped(&format!("{name}: {how}, for {}{place}", shown(age as f64))))
}

/// The time that it took and, if that was mostly the time of one that it owns, whose.
fn words(report: &Value, took: u64) -> String {
    let longest = children(report).iter().max_by_key(|child| millis(child, "took_ms"));
    let waited = longest.filter(|child| millis(child, "took_ms") > 0).map(|child| {
        let (name, time) = (child["name"].as_str().unwrap_or_default(), millis(child, "took_ms"));
        format!(", longest for {name}: {}", shown(time as f64))
    });
    format!("{}{}", shown(took as f64), waited.unwrap_or_default())
}

/// The spans of its termination in which nothing that it owns was being ended.
fn alone(report: &Value) -> Vec<(u64, u64)> {
    let mut spans: Vec<(u64, u64)> =
        children(report).iter().map(|child| (millis(child, "began_after_ms"), end(child).unwrap_or(0))).collect();
    spans.sort_unstable();
    let mut from = millis(report, "began_after_ms");
    let until = from + millis(report, "took_ms");
    let mut alone = Vec::new();
    for (began, ended) in spans {
        if began > from {
            alone.push((from, began.min(until)));
        }
        from = from.max(ended);
    }
    if until > from {
        alone.push((from, until));
    }
    // An owner of nothing that took no time still has a mark.
    if alone.is_empty() && children(report).is_empty() {
        alone.push((from, until));
    }
    alone
}

/// The end of the last that is in a report, from the begin of the termination; `None` if it is no report.
fn end(report: &Value) -> Option<u64> {
    let own = report["began_after_ms"].as_u64()?.saturating_add(report["took_ms"].as_u64()?);
    Some(children(report).iter().filter_map(end).fold(own, u64::max))
}

fn children(report: &Value) -> &[Value] {
    list(report, "children")
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn millis(value: &Value, field: &str) -> u64 {
    // A bound, so that nothing that is printed can overflow a sum: eleven days.
    value[field].as_u64().unwrap_or(0).min(1_000_000_000)
}

fn shown(millis: f64) -> String {
    if millis < 1_000.0 { format!("{millis} ms") } else { format!("{:.2} s", millis / 1_000.0) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn owner(name: &str, began: u64, took: u64, children: &Value) -> Value {
        json!({
            "name": name, "clean": true, "began_after_ms": began, "took_ms": took, "tasks": [], "remnants": [],
            "children": children, "error": null,
        })
    }

    #[test]
    fn bars_lie_where_their_times_lie() {
        let children = json!([owner("listener", 0, 50, &json!([])), owner("storage", 50, 25, &json!([]))]);
        let chart = draw(&owner("relay", 0, 100, &children));
        assert!(chart.contains("class=\"bar\" style=\"left:0.00%;width:50.00%\""), "{chart}");
        assert!(chart.contains("class=\"bar\" style=\"left:50.00%;width:25.00%\""), "{chart}");
        // The relay itself worked alone only at its end.
        assert!(chart.contains("class=\"bar\" style=\"left:75.00%;width:25.00%\""), "{chart}");
        assert!(chart.contains("100 ms, longest for listener: 50 ms"), "{chart}");
    }

    #[test]
    fn what_is_left_is_named_with_its_place_and_as_text() {
        let mut report = owner("<relay>", 0, 100, &json!([]));
        report["clean"] = json!(false);
        report["tasks"] = json!([{
            "name": "ping <1>", "age_ms": 3_200, "place": { "file": "src/a.rs", "line": 8, "column": 1 },
            "outcome": { "how": "straggler" },
        }]);
        let chart = draw(&report);
        assert!(chart.contains("ping &lt;1&gt;: straggler, for 3.20 s, src/a.rs:8"), "{chart}");
        assert!(chart.contains("bar unclean") && !chart.contains("<relay>"), "{chart}");
    }

    #[test]
    fn spans_alone_are_those_between_what_is_owned() {
        let children = json!([owner("b", 40, 20, &json!([])), owner("a", 10, 20, &json!([]))]);
        assert_eq!(alone(&owner("x", 0, 100, &children)), [(0, 10), (30, 40), (60, 100)]);
    }

    #[test]
    fn a_report_without_end_is_cut() {
        let many: Vec<Value> = (0..500).map(|_| owner("child", 0, 1, &json!([]))).collect();
        let chart = draw(&owner("x", 0, 1, &json!(many)));
        assert!(chart.contains("and 421 more owners"), "it is not cut");
    }

    #[test]
    fn what_is_no_report_draws_nothing() {
        for value in [Value::Null, json!({}), json!({ "began_after_ms": -1, "took_ms": "x" })] {
            assert_eq!(draw(&value), "");
        }
        assert!(!draw(&owner("x", u64::MAX, u64::MAX, &json!([]))).is_empty());
    }
}
