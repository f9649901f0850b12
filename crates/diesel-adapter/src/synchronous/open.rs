//! How a kind of database is opened.

use std::sync::Arc;

use diesel::{Connection, ConnectionResult};
use landfall_pool::Policy;

use crate::brake::Brake;
use crate::build_error::Refusal;

/// What differs from one kind of database to the other.
pub(crate) trait Open<C>: Send + Sync {
    /// Opens a connection, on the thread that will use it.
    fn open(&self, address: &str, brake: &Arc<Brake>) -> ConnectionResult<C>;

    /// Whether the connection of this thread has a transaction open that Diesel does not know of.
    fn is_in_transaction(&self) -> bool {
        false
    }

    /// Looks for options that cannot be so.
    fn check(&self, address: &str, policy: &Policy) -> Result<(), Refusal>;
}

/// As Diesel opens it; its operations cannot be interrupted.
pub(super) struct Plain;

impl<C: Connection> Open<C> for Plain {
    fn open(&self, address: &str, _: &Arc<Brake>) -> ConnectionResult<C> {
        C::establish(address)
    }

    fn check(&self, _: &str, _: &Policy) -> Result<(), Refusal> {
        Ok(())
    }
}
