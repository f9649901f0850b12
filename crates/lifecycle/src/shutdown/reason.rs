//! Why a termination began.

use std::sync::Arc;

/// Why a termination began.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Reason {
    /// Somebody called terminate.
    Requested,
    /// The process received this signal.
    Signal(i32),
    /// The owner of this owner terminates.
    ParentTerminating,
    /// Something failed, and this is the consequence.
    Failed(Arc<str>),
    /// The last handle was dropped without a termination.
    Dropped,
}
