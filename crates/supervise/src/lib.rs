//! OTP's supervisors for Tokio: children that are started in order, restarted by rule, and ended in reverse, with
//! nothing left. Start at [`Supervisor`].
//!
//! Which rule of OTP became what is told in `docs/supervision.md`, with the table of states.
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

/// Lets the code of the page on supervision be tested, in the repository.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/supervision.md")]
mod page {}

#[cfg(all(doctest, feature = "backlog"))]
#[doc = include_str!("../../../docs/backlog.md")]
mod backlog_page {}

#[cfg(feature = "backlog")]
pub mod backlog;
mod backoff;
mod builder;
mod call_error;
mod child_cx;
mod child_id;
mod child_spec;
mod child_state;
mod driver;
mod engine;
mod events;
mod exit;
#[cfg(landfall_faults)]
mod faults;
mod make;
mod panics;
mod partitions;
mod places;
mod policy;
mod registry;
mod report;
mod simple;
mod spec;
mod spec_error;
mod start_error;
mod supervisor;
mod task;
mod task_stream;
mod template;
mod tree;

pub use backoff::Backoff;
pub use builder::{IntoSupervisor, SupervisorBuilder};
pub use call_error::{DeleteChildError, Refused, RestartChildError, StartChildError, TerminateChildError};
pub use child_cx::ChildCx;
pub use child_id::{ChildId, ChildRef, InstanceId};
pub use child_spec::ChildSpec;
pub use child_state::{ChildCounts, ChildState};
pub use events::{Events, Lagged, TreeEvent, TreeEventKind};
pub use exit::{Declined, Exit, Failure, IntoExit};
pub use partitions::{Partitions, PartitionsBuilder, ResizeError};
pub use policy::{
    AutoShutdown, ChildKind, Restart, RestartType, ShutdownPolicy, SpecInfo, Strategy, StuckPolicy, WindowClock,
};
pub use registry::{NameTaken, Registered, Registry};
pub use report::{EndCause, Offender, ReportContext, ReportReason, SupervisorReport};
pub use simple::{SimpleBuilder, SimpleSupervisor};
pub use spec_error::SpecError;
pub use start_error::StartError;
pub use supervisor::{StartedChild, Supervisor, WeakSupervisor};
pub use task::ChildTask;
pub use task_stream::{TaskError, TaskResult, TaskStream};
pub use template::Template;
pub use tree::{LimitsError, Tree, TreeChild};
