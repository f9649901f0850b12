//! What a supervisor reports, taken from its tracing events, so that it stands in order among all else.

use std::fmt::{self, Debug};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as Values};
use tracing::{Event, Metadata, Subscriber};

use super::record::Record;

/// Writes reports and ends of supervisors into a record.
pub(super) struct Reports(pub(super) Record);

impl Subscriber for Reports {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("landfall_supervise")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Values<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        match fields.message.as_str() {
            "supervisor report" => {
                let id = fields.offender.split([' ', ',']).next().unwrap_or_default();
                let (supervisor, context, reason) = (&fields.supervisor, &fields.context, reason(&fields.reason));
                self.0.write(format!("report {supervisor} {context} {reason} {id}"));
            }
            "supervisor ended" => {
                let name = &fields.supervisor;
                // The root is the only one, and has no number.
                let shown = if name == "root" { name.clone() } else { self.0.latest(name) };
                self.0.write(format!("ended {shown} {}", end(&fields.cause)));
            }
            _ => {}
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Fields {
    message: String,
    supervisor: String,
    context: String,
    reason: String,
    offender: String,
    cause: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let place = match field.name() {
            "message" => &mut self.message,
            "supervisor" => &mut self.supervisor,
            "context" => &mut self.context,
            "reason" => &mut self.reason,
            "offender" => &mut self.offender,
            "cause" => &mut self.cause,
            _ => return,
        };
        *place = fmt::format(format_args!("{value:?}"));
    }
}

/// A reason as OTP writes it.
pub(super) fn reason(text: &str) -> String {
    if let Some(start) = text.split_once("failed to start child ").map(|(_, start)| start) {
        return format!("failed_to_start_child {}", reason_of(start));
    }
    match text {
        "aborted" => "killed".to_owned(),
        text => text.strip_prefix("failed: ").unwrap_or(text).replace("shutdown: ", "shutdown:"),
    }
}

/// `c: failed: boom` as `c boom`.
fn reason_of(start: &str) -> String {
    let (child, cause) = start.split_once(": ").unwrap_or((start, ""));
    format!("{child} {}", reason(cause))
}

/// Why a supervisor ended, as the one above sees it.
fn end(cause: &str) -> String {
    if cause.starts_with("failed to start child ") { reason(cause) } else { "shutdown".to_owned() }
}
