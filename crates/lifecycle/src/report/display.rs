//! A report as a tree that is read at a glance.

use std::fmt::{self, Display, Formatter};

use super::text::{OneLine, Span};
use super::totals::in_words;
use super::words::MESSAGE_CHARS_MAX;
use super::{Outcome, Remnant, Report, TaskReport, Totals};
use crate::shutdown::Reason;

/// How many abnormal entries of one owner are printed, and how many remnants; the rest is counted.
const ENTRIES_MAX: usize = 16;
/// How many children of one owner are printed; the rest is counted.
const CHILDREN_MAX: usize = 48;
/// How much of a name is printed.
const NAME_CHARS_MAX: usize = 48;
/// The names' column grows no wider than this.
const LABEL_CHARS_MAX: usize = 64;

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut tree = Tree { rows: Vec::new() };
        tree.owner(self, true, "", "");
        let width = |chars: fn(&Row) -> usize| tree.rows.iter().map(chars).max().unwrap_or(0);
        let label_width = width(Row::label_chars).min(LABEL_CHARS_MAX);
        let span_width = width(Row::span_chars);
        for row in &tree.rows {
            let line = match &row.facts {
                Some(Facts { verb, span, text }) => {
                    format!("{:label_width$}  {verb:5} {span:>span_width$}  {text}", row.label)
                }
                None => row.label.clone(),
            };
            writeln!(f, "{}", line.trim_end())?;
        }
        write!(f, "{}", Totals::of(self))
    }
}

/// The lines of a report, not yet aligned.
struct Tree {
    rows: Vec<Row>,
}

struct Row {
    /// The branches and the name.
    label: String,
    /// What stands in the columns behind it.
    facts: Option<Facts>,
}

struct Facts {
    /// What the time means: ended `in` it, ended `after` it, still there `for` it.
    verb: &'static str,
    span: String,
    text: String,
}

impl Row {
    /// Only rows with columns count: a long remark must not push everything to the right.
    fn label_chars(&self) -> usize {
        if self.facts.is_some() { self.label.chars().count() } else { 0 }
    }

    fn span_chars(&self) -> usize {
        self.facts.as_ref().map_or(0, |facts| facts.span.chars().count())
    }
}

/// One line beneath an owner, and with it all that is beneath that line.
enum Item<'a> {
    Remark(String),
    Task(&'a TaskReport),
    Remnant(&'a Remnant),
    Child(&'a Report),
}

impl Tree {
    /// Adds an owner and all beneath it; `branch` leads to its own line, `below` to the lines beneath.
    fn owner(&mut self, report: &Report, is_root: bool, branch: &str, below: &str) {
        let verb = if has_ended(report) { "in" } else { "for" };
        self.push(branch, &report.name, verb, Span(report.took), describe(report, is_root));
        let items = items(report);
        let last = items.len().saturating_sub(1);
        for (index, item) in items.into_iter().enumerate() {
            let (fork, rail) = if index == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let branch = format!("{below}{fork}");
            match item {
                Item::Remark(remark) => self.rows.push(Row { label: branch + &remark, facts: None }),
                Item::Task(task) => self.task(task, &branch),
                Item::Remnant(remnant) => self.remnant(remnant, &branch),
                Item::Child(child) => self.owner(child, false, &branch, &format!("{below}{rail}")),
            }
        }
    }

    fn task(&mut self, task: &TaskReport, branch: &str) {
        let TaskReport { name, kind, place, age, outcome } = task;
        let (verb, text) = match outcome {
            Outcome::Straggler { activity } => ("for", format!("STRAGGLER {kind}: {activity}, spawned at {place}")),
            ended => ("after", format!("{kind} {ended}, spawned at {place}")),
        };
        self.push(branch, name, verb, Span(*age), text);
    }

    fn remnant(&mut self, remnant: &Remnant, branch: &str) {
        let mut text = format!("REMNANT {}", OneLine::new(&remnant.kind, NAME_CHARS_MAX));
        if let Some(place) = remnant.place {
            text += &format!(", taken at {place}");
        }
        self.push(branch, &remnant.name, "for", Span(remnant.age), text);
    }

    fn push(&mut self, branch: &str, name: &str, verb: &'static str, span: Span, text: String) {
        let label = format!("{branch}{}", OneLine::new(name, NAME_CHARS_MAX));
        self.rows.push(Row { label, facts: Some(Facts { verb, span: span.to_string(), text }) });
    }
}

/// Whether nothing of an owner and of what it owned is alive.
fn has_ended(report: &Report) -> bool {
    report.owners().all(|(_, owner)| owner.counts.stragglers == 0) && report.stragglers().next().is_none()
}

/// What an owner's line says behind its time.
fn describe(report: &Report, is_root: bool) -> String {
    let mut parts = Vec::new();
    // Beneath the root the usual reason says nothing new.
    if is_root || report.reason != Reason::ParentTerminating {
        parts.push(report.reason.to_string());
    }
    if !has_ended(report) {
        parts.push("has not ended".to_owned());
    }
    if let Some(cut) = report.grace_cut {
        parts.push(format!("grace cut short ({cut})"));
    }
    if report.began_after.as_millis() > 0 {
        parts.push(format!("began at {}", Span(report.began_after)));
    }
    parts.push(in_words(&report.counts));
    parts.retain(|part| !part.is_empty());
    parts.join("; ")
}

/// The lines beneath an owner: its own first, then what it owned.
fn items(report: &Report) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    if let Some(error) = &report.error {
        items.push(Item::Remark(format!("FAILED: {}", OneLine::new(error, MESSAGE_CHARS_MAX))));
    }
    let tasks = most_telling(&report.tasks, ENTRIES_MAX, |task| !task.is_straggler());
    let hidden = (report.tasks.len() - tasks.len()) as u64;
    items.extend(tasks.into_iter().map(Item::Task));
    items.extend(and_more(hidden.saturating_add(report.tasks_omitted), "entry", "entries"));

    let remnants = most_telling(&report.remnants, ENTRIES_MAX, |_| false);
    let hidden = (report.remnants.len() - remnants.len()) as u64;
    items.extend(remnants.into_iter().map(Item::Remnant));
    items.extend(and_more(hidden, "remnant", "remnants"));

    let children = most_telling(&report.children, CHILDREN_MAX, Report::is_clean);
    let hidden = (report.children.len() - children.len()) as u64;
    items.extend(children.into_iter().map(Item::Child));
    items.extend(and_more(hidden, "owner", "owners"));
    items
}

/// At most `max` of the items in their order; if they are too many, ordinary ones give way first.
fn most_telling<T>(items: &[T], max: usize, is_ordinary: impl Fn(&T) -> bool) -> Vec<&T> {
    if items.len() <= max {
        return items.iter().collect();
    }
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_cached_key(|&index| is_ordinary(&items[index]));
    order.truncate(max);
    order.sort_unstable();
    order.into_iter().map(|index| &items[index]).collect()
}

fn and_more<'a>(count: u64, one: &str, many: &str) -> Option<Item<'a>> {
    let noun = if count == 1 { one } else { many };
    (count > 0).then(|| Item::Remark(format!("… and {count} more {noun}")))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[track_caller]
    fn check(report: &Report, expected: &str) {
        let shown = report.to_string();
        assert_eq!(shown, expected.trim_matches('\n'), "\n{shown}\n");
    }

    #[test]
    fn a_clean_report() {
        check(
            &sample::clean(),
            r#"
relay            in        1.21 s  SIGTERM
├─ listener      in         12 ms  318 completed, 2 drained
└─ workers       in        1.20 s  began at 12 ms; 40 completed, 1 aborted, 1 panicked
   ├─ deliver-7  after     210 ms  task aborted, spawned at src/dispatch.rs:88
   └─ deliver-8  after 1 min 10 s  task panicked "no answer", spawned at src/dispatch.rs:88
clean: nothing is left (1 aborted, 1 panicked)
"#,
        );
    }

    #[test]
    fn a_report_with_everything_in_it() {
        check(
            &sample::unclean(),
            r#"
relay                          for       3.06 s  SIGTERM; has not ended; grace cut short (forced)
├─ listener                    in         12 ms  318 completed
├─ dispatchers                 for       2.04 s  has not ended; began at 12 ms; 1 aborted, 1 panicked, 1 straggler
│  ├─ deliver-7                after     210 ms  task aborted, spawned at src/dispatch.rs:88
│  ├─ deliver-8                after 1 min 10 s  task panicked "index out of bounds: the len is 3 but the index is 7", spawned at src/dispatch.rs:88
│  └─ deliver-9                for       3.20 s  STRAGGLER task: busy in one poll for at least 1.30 s, spawned at src/dispatch.rs:88
├─ pool                        in          0 ms  began at 2.05 s
│  └─ orders-db 10.0.0.7:5432  for       41.0 s  REMNANT handle, taken at src/claim.rs:12
└─ storage                     for       1.00 s  has not ended; began at 2.05 s; 1 panicked, 1 straggler
   ├─ FAILED: cannot sync relay.db: Input/output error (os error 5)
   ├─ sqlite                   for    2 h 3 min  STRAGGLER thread: its closure has not come back, spawned at src/storage.rs:40
   └─ checkpoint               after      <1 ms  blocking job panicked in a destructor "poisoned \u{1b}[31m", spawned at src/storage.rs:40
NOT clean: 2 stragglers, 1 remnant are left, 1 owner failed (1 aborted, 2 panicked)
"#,
        );
    }

    #[test]
    fn a_report_of_nothing() {
        check(&Report::new("empty", Reason::Requested), "empty  in    0 ms  requested\nclean: nothing is left");
    }

    #[test]
    fn names_cannot_break_the_tree() {
        let child = Report::new("x".repeat(200), Reason::Requested);
        let report = Report::new("a\nb\u{1b}[0m", Reason::Failed("\r".repeat(9).into())).with_child(child);
        let long = "x".repeat(NAME_CHARS_MAX);
        let expected = format!(
            "a b\\u{{1b}}[0m{:40}  in    0 ms  failed:\n└─ {long}…  in    0 ms  requested\nclean: nothing is left",
            ""
        );
        check(&report, &expected);
    }

    #[test]
    fn of_many_siblings_the_rest_is_counted_and_what_is_left_comes_first() {
        let mut report = Report::new("set", Reason::Requested);
        for _ in 0..1_000 {
            report = report.with_task(sample::aborted("early")).with_remnant(sample::remnant("db"));
        }
        report = report.with_task(sample::straggler("late"));
        report.tasks_omitted = 5_000;
        for _ in 0..1_000 {
            report.children.push(Report::new("child", Reason::ParentTerminating));
        }
        let shown = report.to_string();
        let lines_with = |text: &str| shown.lines().filter(|line| line.contains(text)).count();
        assert_eq!(lines_with("early"), ENTRIES_MAX - 1);
        assert_eq!(lines_with("late"), 1);
        assert_eq!(lines_with("├─ … and 5985 more entries"), 1);
        assert_eq!(lines_with("REMNANT"), ENTRIES_MAX);
        assert_eq!(lines_with("├─ … and 984 more remnants"), 1);
        assert_eq!(lines_with("child"), CHILDREN_MAX);
        assert_eq!(lines_with("└─ … and 952 more owners"), 1);
        assert!(shown.ends_with("NOT clean: 1 straggler, 1000 remnants are left (1000 aborted)"), "{shown}");
    }
}
