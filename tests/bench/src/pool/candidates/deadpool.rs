//! deadpool.

use std::sync::Arc;

use deadpool::Runtime;
use deadpool::managed::{Manager, Metrics, Object, Pool, RecycleError, RecycleResult};

use super::Candidate;
use crate::pool::backend::{Backend, Connection, Unfit};

#[derive(Debug)]
pub(in crate::pool) struct Deadpool(pub(in crate::pool) Pool<Connecting>);

#[derive(Debug)]
pub(in crate::pool) struct Connecting(Arc<Backend>);

impl Manager for Connecting {
    type Type = Connection;
    type Error = Unfit;

    async fn create(&self) -> Result<Connection, Unfit> {
        self.0.connect().await
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<Unfit> {
        connection.check().map_err(RecycleError::Backend)
    }
}

impl Candidate for Deadpool {
    const NAME: &'static str = "deadpool";

    type Handle<'a> = Object<Connecting>;

    async fn build(backend: Arc<Backend>, slots: usize) -> Self {
        let pool = Pool::builder(Connecting(backend)).max_size(slots).runtime(Runtime::Tokio1).build();
        Self(pool.expect("it has a runtime"))
    }

    async fn claim(&self) -> Option<Object<Connecting>> {
        self.0.get().await.ok()
    }
}
