//! Runs a scenario, step by step, on the paused clock.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use landfall_lifecycle::{Clock, Shutdown, TaskSet, Terminate};
use landfall_supervise::{SpecError, StartError, Supervisor, SupervisorBuilder};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::calls::call;
use super::record::Record;
use super::reports::{Reports, reason};
use super::scenario::Scenario;
use super::worker;

/// How long an answer may take, on the paused clock, before a step says that there is none.
const ANSWER: Duration = Duration::from_secs(10);

/// Runs a scenario and gives its history.
///
/// # Errors
///
/// When there is no runtime for it.
pub fn run(scenario: Scenario) -> io::Result<Vec<String>> {
    let record = Record::new(Arc::new(scenario));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let reports = Reports(record.clone());
    Ok(tracing::subscriber::with_default(reports, || runtime.block_on(course(record))))
}

async fn course(record: Record) -> Vec<String> {
    let clock = Clock::tokio(&Handle::current());
    let mut course = Course { callers: TaskSet::new("callers"), record, clock, root: None, waiting: None };
    let mut history = vec![format!("scenario {}", course.record.scenario.name)];
    for step in Arc::clone(&course.record.scenario).steps.clone() {
        history.push(format!("> {}", step.join(" ")));
        let result = course.step(&step).await;
        settle().await;
        history.extend(course.record.take());
        history.extend(result.map(|result| format!("= {result}")));
    }
    let now = Shutdown::within_on(course.clock.clone(), Duration::ZERO, Duration::ZERO);
    if let Some(root) = &course.root {
        root.terminate(&now).await.ok();
    }
    course.callers.terminate(&now).await.ok();
    history
}

/// On the paused clock a timer fires only when nothing else can run, and none of a scenario is this short.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

struct Course {
    record: Record,
    clock: Clock,
    root: Option<Supervisor>,
    callers: TaskSet,
    waiting: Option<oneshot::Receiver<String>>,
}

impl Course {
    /// What a step answers, if it asks for something.
    async fn step(&mut self, words: &[String]) -> Option<String> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["start"] => Some(self.start().await),
            ["exit", id, reason] => {
                self.record.exit(id, reason);
                None
            }
            ["release", id] => {
                self.record.release(id);
                None
            }
            ["wait", millis] => {
                tokio::time::sleep(Duration::from_millis(millis.parse().unwrap_or_default())).await;
                None
            }
            ["async", ref call @ ..] => {
                self.waiting = self.ask(call);
                None
            }
            ["await"] => Some(answer(self.waiting.take()).await),
            ref call => {
                let asked = self.ask(call);
                Some(answer(asked).await)
            }
        }
    }

    async fn start(&mut self) -> String {
        let builder: SupervisorBuilder = worker::supervisor(&self.record, "root", &self.clock).into();
        match builder.start().await {
            Ok(root) => {
                self.root = Some(root);
                "ok".to_owned()
            }
            Err(StartError::Child { child, cause, .. }) => {
                format!("error failed_to_start_child {child} {}", reason(&cause.to_string()))
            }
            Err(StartError::Spec { source: SpecError::DuplicateId { id }, .. }) => format!("error duplicate {id}"),
            Err(StartError::Spec { .. }) => "error spec".to_owned(),
            Err(other) => format!("error {other}"),
        }
    }

    fn ask(&self, words: &[&str]) -> Option<oneshot::Receiver<String>> {
        let (sender, receiver) = oneshot::channel();
        let words = words.iter().map(|&word| word.to_owned()).collect();
        let calling = call(self.record.clone(), self.root.clone(), self.clock.clone(), words);
        let task = async move {
            // The course may have ended without waiting for it.
            sender.send(calling.await).ok();
        };
        self.callers.spawn("caller", task).ok().map(|_| receiver)
    }
}

async fn answer(asked: Option<oneshot::Receiver<String>>) -> String {
    let Some(asked) = asked else { return "nothing was asked".to_owned() };
    match tokio::time::timeout(ANSWER, asked).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) | Err(_) => "never answered".to_owned(),
    }
}
