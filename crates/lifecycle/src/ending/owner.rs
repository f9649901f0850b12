//! What an owner is asked to do while it ends.

use std::borrow::Cow;

use super::Ending;
use crate::report::Report;
use crate::shutdown::Shutdown;
use crate::sync::Arc;

/// What an owner does when its [`Ending`] says so.
///
/// Every hook is called at most once, except `on_tighten`; none may block. They are called by whoever began the
/// termination or by the thread that keeps its deadlines, with no lock held.
pub trait Owner: Send + Sync + 'static {
    /// The owner's name.
    fn name(&self) -> Cow<'_, str>;
    /// The cell this owner's end is kept in.
    fn ending(&self) -> &Ending;
    /// Refuses new work, asks what runs to finish, begins what the owner owns.
    fn on_begin(self: &Arc<Self>, how: &Shutdown);
    /// Another caller came with earlier instants: passes them on to what the owner owns.
    fn on_tighten(self: &Arc<Self>, how: &Shutdown);
    /// Grace is over: aborts what has not ended.
    fn on_grace_over(self: &Arc<Self>);
    /// The abort instant has come: aborts all that is left.
    fn on_abort(self: &Arc<Self>);
    /// Completes a report whose name, reason and times are filled in: what ended how, and what still lives.
    fn fill(&self, report: &mut Report);
    /// The name of the task of this owner, or of one below it, that is making this call.
    fn calling_task(&self) -> Option<String>;
    /// Joins threads whose work is done; called before a final report is given away.
    fn settle(&self) {}
}
