//! bb8.

use std::sync::Arc;

use bb8::{ManageConnection, Pool, PooledConnection};

use super::Candidate;
use crate::pool::backend::{Backend, Connection, Unfit};

#[derive(Debug)]
pub(in crate::pool) struct Bb8(Pool<Connecting>);

#[derive(Debug)]
pub(in crate::pool) struct Connecting(Arc<Backend>);

impl ManageConnection for Connecting {
    type Connection = Connection;
    type Error = Unfit;

    async fn connect(&self) -> Result<Connection, Unfit> {
        self.0.connect().await
    }

    async fn is_valid(&self, connection: &mut Connection) -> Result<(), Unfit> {
        connection.check()
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.check().is_err()
    }
}

impl Candidate for Bb8 {
    const NAME: &'static str = "bb8";

    type Handle<'a> = PooledConnection<'a, Connecting>;

    async fn build(backend: Arc<Backend>, slots: usize) -> Self {
        let slots = u32::try_from(slots).expect("a bench has fewer");
        Self(Pool::builder().max_size(slots).build_unchecked(Connecting(backend)))
    }

    async fn claim(&self) -> Option<PooledConnection<'_, Connecting>> {
        self.0.get().await.ok()
    }
}
