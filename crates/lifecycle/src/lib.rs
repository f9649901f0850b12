//! Background work on Tokio that ends on purpose.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod block_on;
mod current;
mod ending;
mod panics;
mod report;
mod shutdown;
mod stack;
mod sync;
mod task_set;
mod terminate;

pub use ending::{Ending, Owner};
pub use report::{Activity, Counts, Found, GraceCut, Outcome, Place, Remnant, Report, TaskKind, TaskReport, Unclean};
pub use shutdown::{Clock, Reason, Shutdown, SleepUntil};
pub use stack::{Level, PushError, PushErrorKind, Stack};
pub use task_set::{
    AbortOnDrop, ChildError, PanicPolicy, Phase, SpawnError, Task, TaskError, TaskId, TaskInfo, TaskName, TaskSet,
    TaskSetOptions, Tracked, WeakTaskSet,
};
pub use terminate::{SelfJoin, Terminate};
