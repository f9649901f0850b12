//! Children that do what a scenario says, and the supervisors around them.

use std::time::Duration;

use landfall_lifecycle::Clock;
use landfall_supervise::{
    AutoShutdown, ChildCx, ChildSpec, Exit, IntoSupervisor, Restart, RestartType, ShutdownPolicy, SimpleBuilder,
    Strategy, Supervisor, SupervisorBuilder, Template,
};

use super::record::Record;
use super::scenario::{Child, Fields, Place};

/// How long a start may take; OTP has no such limit, and no scenario reaches it.
const START_LIMIT: Duration = Duration::from_secs(3_600);

/// A supervisor with its static children, or with its template.
pub(super) enum Made {
    Plain(SupervisorBuilder),
    Simple(SimpleBuilder<String>),
}

impl From<Made> for SupervisorBuilder {
    fn from(made: Made) -> Self {
        match made {
            Made::Plain(builder) => builder,
            Made::Simple(builder) => builder.into(),
        }
    }
}

impl IntoSupervisor for Made {
    fn into_supervisor(self) -> Result<SupervisorBuilder, Exit> {
        Ok(self.into())
    }
}

/// Sets up a supervisor as a scenario has it.
pub(super) fn supervisor(record: &Record, name: &str, clock: &Clock) -> Made {
    let none = Fields::new();
    let flags = record.scenario.supervisors.get(name).unwrap_or(&none);
    let number = |key: &str, default| flags.get(key).and_then(|value| value.parse().ok()).unwrap_or(default);
    let period = Duration::from_secs(number("period", 5));
    let intensity = u32::try_from(number("intensity", 1)).unwrap_or(u32::MAX);
    let mut builder = Supervisor::builder(name).clock(clock.clone()).intensity(intensity, period);
    builder = match flags.get("strategy").map(String::as_str) {
        Some("one_for_all") => builder.strategy(Strategy::OneForAll),
        Some("rest_for_one") => builder.strategy(Strategy::RestForOne),
        _ => builder,
    };
    builder = match flags.get("auto_shutdown").map(String::as_str) {
        Some("any_significant") => builder.auto_shutdown(AutoShutdown::AnySignificant),
        Some("all_significant") => builder.auto_shutdown(AutoShutdown::AllSignificant),
        _ => builder,
    };
    let own = record.scenario.children.iter().filter(|child| child.supervisor == name);
    for child in own {
        match child.place {
            Place::Static => builder = builder.child(spec(record, child, clock)),
            Place::Template => return Made::Simple(builder.template(template(record, child))),
            Place::Call => {}
        }
    }
    Made::Plain(builder)
}

/// The spec of a child as a scenario has it.
pub(super) fn spec(record: &Record, child: &Child, clock: &Clock) -> ChildSpec {
    let id = child.id.as_str();
    let (record, clock) = (record.clone(), clock.clone());
    let mut spec = if child.fields.get("type").is_some_and(|kind| kind == "supervisor") {
        let name = id.to_owned();
        ChildSpec::supervisor(id, move || {
            let (_, started) = record.count(&name);
            record.write(format!("start {started}"));
            supervisor(&record, &name, &clock)
        })
    } else {
        let (id, supervisor) = (id.to_owned(), child.supervisor.clone());
        ChildSpec::worker(child.id.as_str(), move |cx| work(record.clone(), supervisor.clone(), id.clone(), cx))
            .signals_ready(START_LIMIT)
    };
    if let Some(restart) = restart(child) {
        spec = spec.restart(restart);
    }
    if let Some(shutdown) = shutdown(child) {
        spec = spec.shutdown(shutdown);
    }
    if child.fields.get("significant").is_some_and(|significant| significant == "true") {
        spec = spec.significant();
    }
    spec
}

fn template(record: &Record, child: &Child) -> Template<String> {
    let (record, supervisor) = (record.clone(), child.supervisor.clone());
    let mut template =
        Template::worker(child.id.as_str(), move |cx, id: String| work(record.clone(), supervisor.clone(), id, cx))
            .signals_ready(START_LIMIT);
    if let Some(restart) = restart(child) {
        template = template.restart(restart);
    }
    if let Some(shutdown) = shutdown(child) {
        template = template.shutdown(shutdown);
    }
    template
}

fn restart(child: &Child) -> Option<Restart> {
    match child.fields.get("restart")?.as_str() {
        "transient" => Some(RestartType::Transient.into()),
        "temporary" => Some(RestartType::Temporary.into()),
        _ => Some(RestartType::Permanent.into()),
    }
}

fn shutdown(child: &Child) -> Option<ShutdownPolicy> {
    Some(match child.fields.get("shutdown")?.as_str() {
        "infinity" => ShutdownPolicy::Infinity,
        "brutal_kill" => ShutdownPolicy::BrutalKill,
        millis => ShutdownPolicy::Timeout(Duration::from_millis(millis.parse().ok()?)),
    })
}

/// Writes down how an instance ended, also when it is dropped.
struct End {
    record: Record,
    supervisor: String,
    name: String,
    /// None while there is nothing to end.
    reason: Option<String>,
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some(reason) = &self.reason {
            self.record.write_of(&self.supervisor, &format!("end {} {reason}", self.name));
        }
    }
}

async fn work(record: Record, supervisor: String, id: String, cx: ChildCx) -> Exit {
    let begun = record.begin(&supervisor, &id);
    let name = begun.name;
    let killed = Some("killed".to_owned());
    let mut end = End { record: record.clone(), supervisor: supervisor.clone(), name: name.clone(), reason: killed };
    if let Some(held) = begun.held {
        // An error means that the scenario is over.
        held.await.ok();
    }
    match begun.outcome.as_str() {
        "error" => {
            end.reason = None;
            record.write_of(&supervisor, &format!("failed {name}"));
            return Exit::failed("boom");
        }
        "ignore" => {
            end.reason = None;
            record.write_of(&supervisor, &format!("declined {name}"));
            return Exit::Declined;
        }
        _ => {}
    }
    let mut told = record.up(&id, &name, cx.instance());
    cx.ready();
    let reason = tokio::select! {
        Some(reason) = told.recv() => reason,
        () = cx.token().cancelled_owned() => {
            record.write_of(&supervisor, &format!("asked {name}"));
            let asked = record.scenario.child(&id).and_then(|child| child.fields.get("asked"));
            answer(asked.map_or("ok", String::as_str)).await
        }
    };
    end.reason = Some(reason.clone());
    exit(&reason)
}

/// What a child that is asked to stop ends with.
async fn answer(asked: &str) -> String {
    match asked {
        "ok" => "shutdown".to_owned(),
        "ignore" => std::future::pending().await,
        asked => {
            let Some(millis) = asked.strip_prefix("slow:") else { return asked.to_owned() };
            tokio::time::sleep(Duration::from_millis(millis.parse().unwrap_or_default())).await;
            "shutdown".to_owned()
        }
    }
}

fn exit(reason: &str) -> Exit {
    match reason {
        "normal" => Exit::Normal,
        "shutdown" => Exit::Shutdown,
        "killed" => Exit::Aborted,
        reason => match reason.strip_prefix("shutdown:") {
            Some(why) => Exit::ShutdownWith(why.into()),
            None => Exit::failed(reason),
        },
    }
}
