//! What a supervisor reports of its children: OTP's supervisor reports.

use std::fmt;

use crate::child_id::{ChildId, InstanceId};
use crate::exit::Exit;
use crate::policy::{ChildKind, RestartType, ShutdownPolicy};
use crate::spec::Spec;

/// One report, with OTP's four fields in OTP's order: supervisor, context, reason, offender.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SupervisorReport {
    /// The supervisor's name.
    pub supervisor: String,
    /// On what occasion.
    pub context: ReportContext,
    /// Why.
    pub reason: ReportReason,
    /// Which child it is about.
    pub offender: Offender,
}

/// On what occasion a supervisor reports (OTP: `errorContext`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum ReportContext {
    /// A start failed.
    StartError,
    /// A child ended by itself, and not in order.
    ChildTerminated,
    /// A child that was being stopped ended otherwise than asked, or had to be aborted.
    ShutdownError,
    /// The supervisor gives up.
    Shutdown,
}

impl fmt::Display for ReportContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StartError => "start_error",
            Self::ChildTerminated => "child_terminated",
            Self::ShutdownError => "shutdown_error",
            Self::Shutdown => "shutdown",
        })
    }
}

/// What a report gives as its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportReason {
    /// How the child ended.
    Exit(Exit),
    /// There were more restarts than the intensity allows.
    ReachedMaxRestartIntensity,
}

impl fmt::Display for ReportReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(exit) => exit.fmt(f),
            Self::ReachedMaxRestartIntensity => f.write_str("reached_max_restart_intensity"),
        }
    }
}

/// The child that a report is about; with a count, all instances of a template that ended alike.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Offender {
    /// Its id; for a template, the name that its instances share.
    pub id: ChildId,
    /// Its instance, if it has or had one.
    pub instance: Option<InstanceId>,
    /// How many instances the report is about, in place of one (OTP: `nb_children`).
    pub count: Option<usize>,
    /// Its restart type.
    pub restart: RestartType,
    /// Whether it is significant.
    pub significant: bool,
    /// How long it gets to stop.
    pub shutdown: ShutdownPolicy,
    /// What it is.
    pub kind: ChildKind,
}

impl Offender {
    pub(crate) fn new(spec: &Spec, instance: Option<InstanceId>, count: Option<usize>) -> Self {
        Self {
            id: spec.id.clone(),
            instance,
            count,
            restart: spec.restart.kind,
            significant: spec.significant,
            shutdown: spec.shutdown,
            kind: spec.kind,
        }
    }
}

impl fmt::Display for Offender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        match (self.count, self.instance) {
            (Some(count), _) => write!(f, " ({count} instances)")?,
            (None, Some(instance)) => write!(f, " (instance {instance})")?,
            (None, None) => {}
        }
        write!(f, ", {}, {}, shutdown {}", self.restart, self.kind, self.shutdown)?;
        if self.significant { f.write_str(", significant") } else { Ok(()) }
    }
}

impl fmt::Display for SupervisorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { supervisor, context, reason, offender } = self;
        write!(f, "supervisor: {supervisor}; context: {context}; reason: {reason}; offender: {offender}")
    }
}

/// Why a supervisor ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndCause {
    /// It was terminated.
    Terminated,
    /// A static child failed to start; those before it were stopped again.
    StartFailed {
        /// The child.
        child: ChildId,
        /// What its start ended with.
        cause: Exit,
    },
    /// There were more restarts than the intensity allows.
    IntensityReached {
        /// The child whose restart was one too many.
        child: ChildId,
    },
    /// A significant child ended by itself.
    AutoShutdown {
        /// The child.
        child: ChildId,
    },
    /// An intrinsic child ended normally.
    Intrinsic {
        /// The child.
        child: ChildId,
    },
    /// A child outlived its stop limit and the abort.
    Stuck {
        /// The child.
        child: ChildId,
    },
    /// The supervisor's own code panicked; its children were aborted.
    Panicked {
        /// The text of the panic.
        message: String,
    },
}

impl EndCause {
    /// The end as the supervisor above sees it.
    ///
    /// As in OTP, one that gave up for its intensity ends with [`Exit::Shutdown`]: a permanent supervisor is restarted
    /// then, a transient one is not.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Terminated | Self::IntensityReached { .. } | Self::AutoShutdown { .. } | Self::Intrinsic { .. } => {
                Exit::Shutdown
            }
            Self::StartFailed { .. } => Exit::failed(self.to_string()),
            Self::Stuck { .. } => Exit::Straggler,
            Self::Panicked { message } => Exit::Panicked(message.as_str().into()),
        }
    }
}

impl fmt::Display for EndCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Terminated => f.write_str("terminated"),
            Self::StartFailed { child, cause } => write!(f, "failed to start child {child}: {cause}"),
            Self::IntensityReached { child } => write!(f, "reached_max_restart_intensity at child {child}"),
            Self::AutoShutdown { child } => write!(f, "the significant child {child} ended"),
            Self::Intrinsic { child } => write!(f, "the intrinsic child {child} ended"),
            Self::Stuck { child } => write!(f, "the child {child} is stuck"),
            Self::Panicked { message } => write!(f, "the supervisor panicked: {message}"),
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for ReportReason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for EndCause {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// OTP: format_log. A group of dynamic children is reported once, with a count in place of an instance.
    #[test]
    fn a_report_reads_in_otps_order() {
        let offender = Offender {
            id: "peer".into(),
            instance: Some(InstanceId { supervisor: 1, number: 7, place: 0 }),
            count: None,
            restart: RestartType::Permanent,
            significant: false,
            shutdown: ShutdownPolicy::BrutalKill,
            kind: ChildKind::Worker,
        };
        let mut report = SupervisorReport {
            supervisor: "peers".to_owned(),
            context: ReportContext::ShutdownError,
            reason: ReportReason::Exit(Exit::Aborted),
            offender,
        };
        assert_eq!(
            report.to_string(),
            "supervisor: peers; context: shutdown_error; reason: aborted; \
             offender: peer (instance 1.7), permanent, worker, shutdown brutal kill"
        );
        report.offender.count = Some(12);
        assert!(report.to_string().contains("offender: peer (12 instances), permanent"));
    }
}
