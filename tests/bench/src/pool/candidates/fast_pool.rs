//! fast_pool.

use std::sync::Arc;

use fast_pool::{ConnectionGuard, Manager, Pool};

use super::Candidate;
use crate::pool::backend::{Backend, Connection, Unfit};

#[derive(Debug)]
pub(in crate::pool) struct FastPool(Pool<Connecting>);

#[derive(Debug)]
pub(in crate::pool) struct Connecting(Arc<Backend>);

impl Manager for Connecting {
    type Connection = Connection;
    type Error = Unfit;

    async fn connect(&self) -> Result<Connection, Unfit> {
        self.0.connect().await
    }

    async fn check(&self, connection: &mut Connection) -> Result<(), Unfit> {
        connection.check()
    }
}

impl Candidate for FastPool {
    const NAME: &'static str = "fast_pool";

    type Handle<'a> = ConnectionGuard<Connecting>;

    async fn build(backend: Arc<Backend>, slots: usize) -> Self {
        let pool = Pool::new(Connecting(backend));
        pool.set_max_open(slots as u64);
        pool.set_max_idle_conns(slots as u64);
        Self(pool)
    }

    async fn claim(&self) -> Option<ConnectionGuard<Connecting>> {
        self.0.get().await.ok()
    }
}
