//! Our own.

use std::sync::Arc;

use landfall_pool::{Backend as At, BoxError, ConnectCx, Connected, Connector, Fitness, FixedResolver};
use landfall_pool::{Handle, Moment, Policy, Pool};

use super::Candidate;
use crate::pool::backend::{Backend, Connection, address};

/// `Pool`, whose statistics are always on.
#[derive(Debug)]
pub(in crate::pool) struct Ours(pub(in crate::pool) Pool<Connecting>);

#[derive(Debug)]
pub(in crate::pool) struct Connecting(Arc<Backend>);

impl Connector for Connecting {
    type Connection = Connection;

    async fn connect(&self, _: &At, _: &ConnectCx) -> Result<Connected<Connection>, BoxError> {
        Ok(self.0.connect().await?.into())
    }

    fn fitness(&self, connection: &mut Connection, _: Moment) -> Fitness {
        if connection.check().is_ok() { Fitness::Fit } else { Fitness::Broken }
    }
}

impl Candidate for Ours {
    const NAME: &'static str = "Pool";

    type Handle<'a> = Handle<Connecting>;

    async fn build(backend: Arc<Backend>, slots: usize) -> Self {
        let mut policy = Policy::default();
        policy.slots_max = slots;
        policy.spares_wanted = policy.spares_wanted.min(slots);
        let builder = Pool::builder("bench").resolver(FixedResolver::new([address()]));
        let pool = builder.connector(Connecting(backend)).policy(policy).build();
        Self(pool.expect("the policy is sound, and this is a runtime"))
    }

    async fn claim(&self) -> Option<Handle<Connecting>> {
        self.0.claim().await.ok()
    }
}
