//! What is new where a program is held: what it holds, by identity, and the tasks that it tells of.

use std::thread;
use std::time::Duration;

use landfall_lifecycle::leak_check::{self, Footprint, FootprintError, Leak};
use serde_json::Value;

use super::hold::Said;
use super::target::{ABORT_AFTER, GRACE};
use crate::deadline::Deadline;
use crate::findings::{Finding, Findings, Kind};

/// How long a termination may take: until the abort instant and a second.
const BOUND: Duration = GRACE.saturating_add(ABORT_AFTER).saturating_add(Duration::from_secs(1));

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The beginning of the names of tasks that are meant to be aborted, because they heed nothing.
pub const HEEDLESS: &str = "heedless";

/// What was seen of a program that is held.
#[derive(Clone, Debug)]
pub struct Sight {
    /// What it holds.
    pub footprint: Footprint,
    /// The files in the folder that it has for temporary ones.
    pub files: Vec<String>,
    /// What it said.
    pub said: Said,
}

impl Sight {
    /// What the program that said this holds at this moment, but for its end of the connection over which it is held;
    /// with these files. A program that does not say its process is the one that was started.
    ///
    /// # Errors
    ///
    /// When it cannot be looked at.
    pub fn of(said: &Said, started: u32, files: Vec<String>) -> Result<Self, FootprintError> {
        let footprint = Footprint::of(said.pid.unwrap_or(started))?;
        let footprint = match said.connection {
            Some(inode) => footprint.without_socket(inode),
            None => footprint,
        };
        Ok(Self { footprint, files, said: said.clone() })
    }
}

/// Looks for what is new until nothing is, or for as long as it may take to go. What was found before is not found again.
///
/// # Errors
///
/// When a look fails.
pub fn settled<E>(
    known: &Findings,
    settle: Duration,
    mut look: impl FnMut() -> Result<Vec<Leak>, E>,
) -> Result<Vec<Finding>, E> {
    let deadline = Deadline::after(settle);
    loop {
        let mut new: Vec<Finding> = look()?.into_iter().map(Finding::from).collect();
        new.retain(|finding| !known.knows(finding));
        if new.is_empty() || deadline.is_over() {
            return Ok(new);
        }
        thread::sleep(LOOK_EVERY);
    }
}

impl From<Leak> for Finding {
    fn from(leak: Leak) -> Self {
        let kind = match leak.kind {
            leak_check::Kind::Thread => Kind::Thread,
            leak_check::Kind::Socket => Kind::Socket,
            leak_check::Kind::ChildProcess => Kind::ChildProcess,
            leak_check::Kind::File => Kind::File,
            leak_check::Kind::Descriptor => Kind::Descriptor,
            _ => Kind::Task,
        };
        Self::new(kind, leak.to_string()).named(leak.name).at(leak.place)
    }
}

/// What is new, item by item: descriptors, sockets and child processes always; files, and threads that were not there
/// before its runtime, once that has gone. Till then idle threads of the runtime's pool are no leak.
pub fn new_items(began: &Sight, now: &Sight) -> Vec<Leak> {
    let mut new = now.footprint.since(&began.footprint);
    new.retain(|leak| leak.kind != leak_check::Kind::Thread);
    if now.said.alive.is_none() {
        let before = began.said.threads_before.as_deref().unwrap_or_default();
        new.extend(now.footprint.threads().iter().filter(|thread| !before.contains(&thread.id)).map(Leak::from));
        let files = now.files.iter().filter(|name| !began.files.contains(name));
        new.extend(files.map(|name| Leak::new(leak_check::Kind::File, name)));
    }
    new
}

/// What the program says of its tasks where its termination has ended, against what it said before it began.
///
/// A task of its own sets that lives has a name and a place. What no set knows is a count, unless tokio tells.
pub fn tasks(before: &Said, now: &Said) -> Findings {
    let mut findings = Findings::default();
    for task in &now.tasks {
        let text = format!("{} `{}` spawned at {} lives on", task.kind, task.name, task.place);
        findings.push(Finding::new(Kind::Task, text).named(&task.name).at(Some(task.place.clone())));
    }
    for task in now.foreign.iter().flatten() {
        let text = format!("a task that belongs to nobody, spawned at {}, lives on", task.place);
        findings.push(Finding::new(Kind::ForeignTask, text).at(Some(task.place.clone())));
    }
    let foreign = |said: &Said| said.alive.unwrap_or_default().saturating_sub(said.registered);
    let more = foreign(now).saturating_sub(foreign(before));
    if more > 0 && now.foreign.as_ref().is_none_or(Vec::is_empty) {
        let plural = if more == 1 { "" } else { "s" };
        findings.add(Kind::ForeignTask, format!("{more} foreign task{plural}"));
    }
    findings
}

/// What the report says of a termination whose tasks all heed it, but for those named so.
pub fn report(report: Option<&Value>) -> Findings {
    let mut findings = Findings::default();
    let Some(report) = report else {
        findings.add(Kind::Unclean, "there is no report");
        return findings;
    };
    if report["clean"] != Value::Bool(true) {
        findings.add(Kind::Unclean, "the report is not clean");
    }
    let took = Duration::from_millis(report["took_ms"].as_u64().unwrap_or_default());
    findings.check(took <= BOUND, Kind::Late, || format!("the termination took {took:?}; {BOUND:?} were allowed"));
    if report["grace_cut"] == "no_clock_thread" {
        findings.add(Kind::GraceCut, "grace was cut: there was no thread to keep the deadlines");
    }
    aborted(report, &mut findings);
    findings
}

/// The tasks of the tree that were aborted though they heed the token.
fn aborted(report: &Value, findings: &mut Findings) {
    let list = |field: &str| report[field].as_array().map(Vec::as_slice).unwrap_or_default();
    for task in list("tasks") {
        let name = task["name"].as_str().unwrap_or_default();
        if task["outcome"]["how"] == "aborted" && !name.starts_with(HEEDLESS) {
            let text = |part: &str| task["place"][part].as_str().unwrap_or_default().to_owned();
            let place = format!("{}:{}", text("file"), task["place"]["line"]);
            let text = format!("`{name}` spawned at {place} would have finished, and was aborted");
            findings.push(Finding::new(Kind::Aborted, text).named(name).at(Some(place)));
        }
    }
    list("children").iter().for_each(|child| aborted(child, findings));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::findings::Sought;
    use crate::observed::hold::TaskSaid;
    use crate::process::Process;
    use crate::workplace::Workplace;

    fn said(alive: u64, registered: u64) -> Said {
        Said { alive: Some(alive), registered, ..Said::default() }
    }

    fn task(name: &str, place: &str) -> TaskSaid {
        TaskSaid { name: name.to_owned(), kind: "task".to_owned(), place: place.to_owned() }
    }

    #[test]
    fn nothing_new_is_nothing_found() {
        assert!(tasks(&said(2, 0), &said(2, 0)).is_empty());
        assert!(tasks(&said(2, 0), &said(1, 0)).is_empty());
        assert!(tasks(&said(2, 0), &Said { foreign: Some(Vec::new()), ..said(2, 0) }).is_empty());
    }

    #[test]
    fn a_task_of_its_own_is_found_by_name_and_place_and_is_no_foreign_one() {
        let now = Said { tasks: vec![task("late", "src/x.rs:9")], ..said(1, 1) };
        let found = tasks(&said(0, 0), &now);
        assert!(found.includes(&Sought { kind: Kind::Task, name: Some("late"), place: Some("src/x.rs:9") }));
        assert!(!found.has(Kind::ForeignTask), "{found}");
    }

    #[test]
    fn foreign_tasks_are_counted_and_where_tokio_tells_placed() {
        assert_eq!(tasks(&said(1, 0), &said(2, 0)).to_string(), "foreign task: 1 foreign task");
        assert_eq!(tasks(&said(0, 0), &said(5, 2)).to_string(), "foreign task: 3 foreign tasks");
        let told = Said { foreign: Some(vec![task("", "src/y.rs:5")]), ..said(2, 0) };
        let found = tasks(&said(1, 0), &told);
        assert!(found.includes(&Sought { kind: Kind::ForeignTask, name: None, place: Some("src/y.rs:5") }), "{found}");
    }

    #[test]
    fn what_is_new_keeps_its_kind_its_name_and_its_place() {
        let leak = Leak::new(leak_check::Kind::Socket, "tcp 127.0.0.1:7").at("src/z.rs:1").with_detail("inode 3");
        let finding = Finding::from(leak);
        assert_eq!((finding.kind, finding.name.as_deref()), (Kind::Socket, Some("tcp 127.0.0.1:7")));
        assert_eq!(finding.place.as_deref(), Some("src/z.rs:1"));
        assert!(finding.text.contains("inode 3"), "{}", finding.text);
    }

    fn told(name: &str, how: &str) -> Value {
        let place = json!({ "file": "src/x.rs", "line": 9, "column": 5 });
        let task = json!({ "name": name, "place": place, "outcome": { "how": how } });
        json!({ "clean": true, "grace_cut": null, "tasks": [], "children": [{ "tasks": [task], "children": [] }] })
    }

    #[test]
    fn an_abort_of_what_would_have_finished_is_found_with_its_place() {
        let sought = Sought { kind: Kind::Aborted, name: Some("drains"), place: Some("src/x.rs:9") };
        assert!(report(Some(&told("drains 3", "aborted"))).includes(&sought));
        assert!(report(Some(&told("heedless 3", "aborted"))).is_empty());
        assert!(report(Some(&told("drains 3", "never_started"))).is_empty());
    }

    #[test]
    fn a_report_that_is_missing_unclean_or_without_a_clock_is_found() {
        let fine = told("heedless", "aborted");
        let with = |field: &str, value: Value| {
            let mut report = fine.clone();
            report[field] = value;
            report
        };
        assert!(report(None).has(Kind::Unclean));
        assert!(report(Some(&with("took_ms", json!(9_000)))).has(Kind::Late));
        assert!(report(Some(&with("clean", json!(false)))).has(Kind::Unclean));
        assert!(report(Some(&with("grace_cut", json!("no_clock_thread")))).has(Kind::GraceCut));
        assert!(report(Some(&with("grace_cut", json!("forced")))).is_empty());
    }

    /// What is new at a stage, by kind, for a process whose threads before its runtime are known or not.
    fn new(said: Said, threads_before: &[u32], files: &[&str]) -> Vec<leak_check::Kind> {
        let workplace = Workplace::new().expect("a folder");
        let process = Process::start("sleep", ["600"], &workplace).expect("it is there");
        let footprint = Footprint::of(process.id()).expect("it lives");
        let threads_before = threads_before.iter().map(|id| if *id == 0 { process.id() } else { *id }).collect();
        let began_said = Said { threads_before: Some(threads_before), ..Said::default() };
        let began = Sight { footprint: footprint.clone(), files: vec!["old".to_owned()], said: began_said };
        let files = files.iter().map(|name| (*name).to_owned()).collect();
        new_items(&began, &Sight { footprint, files, said }).into_iter().map(|leak| leak.kind).collect()
    }

    #[test]
    fn threads_and_files_are_judged_once_the_runtime_has_gone() {
        let over = Said::default();
        assert_eq!(new(over.clone(), &[0], &["old"]), []);
        assert_eq!(new(over.clone(), &[], &["old"]), [leak_check::Kind::Thread]);
        assert_eq!(new(over, &[0], &["old", "new"]), [leak_check::Kind::File]);
        assert_eq!(new(said(0, 0), &[], &["new"]), [], "at `ended` neither is a leak");
    }
}
