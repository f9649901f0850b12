//! mobc.

use std::sync::Arc;

use async_trait::async_trait;
use mobc::{Connection as Held, Manager, Pool};

use super::Candidate;
use crate::pool::backend::{Backend, Connection, Unfit};

pub(in crate::pool) struct Mobc(Pool<Connecting>);

pub(in crate::pool) struct Connecting(Arc<Backend>);

#[async_trait]
impl Manager for Connecting {
    type Connection = Connection;
    type Error = Unfit;

    async fn connect(&self) -> Result<Connection, Unfit> {
        self.0.connect().await
    }

    async fn check(&self, connection: Connection) -> Result<Connection, Unfit> {
        connection.check().map(|()| connection)
    }

    fn validate(&self, connection: &mut Connection) -> bool {
        connection.check().is_ok()
    }
}

impl Candidate for Mobc {
    const NAME: &'static str = "mobc";

    type Handle<'a> = Held<Connecting>;

    async fn build(backend: Arc<Backend>, slots: usize) -> Self {
        // By default it keeps only two.
        Self(Pool::builder().max_open(slots as u64).max_idle(slots as u64).build(Connecting(backend)))
    }

    async fn claim(&self) -> Option<Held<Connecting>> {
        self.0.get().await.ok()
    }
}
