//! The calls of a scenario and their answers, in OTP's words.

use landfall_lifecycle::{Clock, Shutdown, Terminate};
use landfall_supervise::{
    ChildKind, ChildRef, DeleteChildError, Refused, RestartChildError, ShutdownPolicy, SimpleSupervisor,
    StartChildError, StartedChild, Supervisor, TerminateChildError, TreeChild,
};

use super::record::Record;
use super::reports::reason;
use super::worker;

/// How long the end may take; no scenario reaches it.
const GRACE: std::time::Duration = std::time::Duration::from_secs(3_600);

/// Makes a call and gives what it answers.
pub(super) async fn call(record: Record, root: Option<Supervisor>, clock: Clock, words: Vec<String>) -> String {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some(root) = root.filter(|root| root.end_cause().is_none()) else {
        return if words == ["stop"] { "gone" } else { "error gone" }.to_owned();
    };
    let (name, supervisor, id) = match words[..] {
        ["stop"] => {
            let how = Shutdown::within_on(clock, GRACE, GRACE * 2);
            return match root.terminate(&how).await {
                Ok(report) if report.is_clean() => "ok".to_owned(),
                Ok(report) => format!("error {report}"),
                Err(error) => format!("error {error}"),
            };
        }
        [name, supervisor] => (name, supervisor, ""),
        [name, supervisor, id] => (name, supervisor, id),
        _ => return "no such step".to_owned(),
    };
    let called = if supervisor == "root" { Some(root) } else { root.supervisor(supervisor) };
    let Some(called) = called else { return "error gone".to_owned() };
    let is_simple = record.scenario.is_simple(supervisor);
    let child = || match record.instance(id) {
        Some(instance) if is_simple => ChildRef::from(instance),
        _ => ChildRef::from(id),
    };
    match name {
        "start_child" if is_simple => match SimpleSupervisor::<String>::of(&called) {
            Some(simple) => started(&record, id, simple.start_child(id.to_owned()).await.map_err(start_error)),
            None => "no template".to_owned(),
        },
        "start_child" => match record.scenario.child(id) {
            Some(child) => {
                let spec = worker::spec(&record, child, &clock);
                let result = called.start_child(spec).await;
                if let Err(StartChildError::AlreadyStarted { id, instance }) = &result {
                    return format!("error already_started {}", record.name(id.as_str(), *instance));
                }
                started(&record, id, result.map_err(start_error))
            }
            None => "no such spec".to_owned(),
        },
        "restart_child" => started(&record, id, called.restart_child(child()).await.map_err(restart_error)),
        "delete_child" => plain(called.delete_child(child()).await.map_err(delete_error)),
        "terminate_child" => plain(called.terminate_child(child()).await.map_err(terminate_error)),
        "terminate_id" => plain(called.terminate_child(id).await.map_err(terminate_error)),
        "which_children" => {
            let mut rows: Vec<String> = called.which_children().iter().map(|child| row(&record, child)).collect();
            if is_simple {
                rows.sort();
            }
            ["children".to_owned()].into_iter().chain(rows).collect::<Vec<_>>().join(" ")
        }
        "count_children" => {
            let counts = called.count_children();
            let (specs, active, supervisors, workers) =
                (counts.specs, counts.active, counts.supervisors, counts.workers);
            format!("specs={specs} active={active} supervisors={supervisors} workers={workers}")
        }
        "get_childspec" => called.child_spec(child()).map_or("error not_found".to_owned(), |spec| {
            let shutdown = match spec.shutdown {
                ShutdownPolicy::BrutalKill => "brutal_kill".to_owned(),
                ShutdownPolicy::Timeout(limit) => limit.as_millis().to_string(),
                ShutdownPolicy::Infinity => "infinity".to_owned(),
            };
            format!("{} {shutdown} {} {}", spec.restart.kind, spec.significant, kind(spec.kind))
        }),
        _ => "no such step".to_owned(),
    }
}

fn kind(kind: ChildKind) -> &'static str {
    if kind == ChildKind::Supervisor { "supervisor" } else { "worker" }
}

fn row(record: &Record, child: &TreeChild) -> String {
    let id = child.id.as_ref().map_or("-", |id| id.as_str());
    let shown = match child.instance {
        _ if child.state.is_restarting() => "restarting".to_owned(),
        Some(instance) => record.name(child.name.as_str(), instance),
        None => "-".to_owned(),
    };
    format!("{id}={shown}/{}", kind(child.kind))
}

fn started(record: &Record, id: &str, result: Result<StartedChild, String>) -> String {
    match result {
        Ok(child) => match child.instance {
            Some(instance) => format!("ok {}", record.name(id, instance)),
            None => "ok -".to_owned(),
        },
        Err(error) => format!("error {error}"),
    }
}

fn plain(result: Result<(), String>) -> String {
    result.map_or_else(|error| format!("error {error}"), |()| "ok".to_owned())
}

fn refused(refused: Refused) -> String {
    match refused {
        Refused::Terminating => "gone".to_owned(),
        other => other.to_string(),
    }
}

fn start_error(error: StartChildError) -> String {
    match error {
        StartChildError::AlreadyPresent { .. } => "already_present".to_owned(),
        StartChildError::Failed { cause, .. } => format!("failed {}", reason(&cause.to_string())),
        StartChildError::Spec(_) => "spec".to_owned(),
        StartChildError::Refused(why) => refused(why),
        other => other.to_string(),
    }
}

fn restart_error(error: RestartChildError) -> String {
    match error {
        RestartChildError::Running { .. } => "running".to_owned(),
        RestartChildError::Restarting { .. } => "restarting".to_owned(),
        RestartChildError::NotFound { .. } => "not_found".to_owned(),
        RestartChildError::SimpleOneForOne => "simple_one_for_one".to_owned(),
        RestartChildError::Failed { cause, .. } => format!("failed {}", reason(&cause.to_string())),
        RestartChildError::Refused(why) => refused(why),
        other => other.to_string(),
    }
}

fn delete_error(error: DeleteChildError) -> String {
    match error {
        DeleteChildError::Running { .. } => "running".to_owned(),
        DeleteChildError::Restarting { .. } => "restarting".to_owned(),
        DeleteChildError::NotFound { .. } => "not_found".to_owned(),
        DeleteChildError::SimpleOneForOne => "simple_one_for_one".to_owned(),
        DeleteChildError::Refused(why) => refused(why),
        other => other.to_string(),
    }
}

fn terminate_error(error: TerminateChildError) -> String {
    match error {
        TerminateChildError::NotFound { .. } => "not_found".to_owned(),
        TerminateChildError::SimpleOneForOne => "simple_one_for_one".to_owned(),
        TerminateChildError::Refused(why) => refused(why),
        other => other.to_string(),
    }
}
