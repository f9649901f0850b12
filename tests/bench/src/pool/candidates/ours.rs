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
pub(in crate::pool) struct Connecting {
    backend: Arc<Backend>,
    /// How often it tries for one connection.
    tries: u32,
}

impl Connector for Connecting {
    type Connection = Connection;

    async fn connect(&self, _: &At, _: &ConnectCx) -> Result<Connected<Connection>, BoxError> {
        for _ in 1..self.tries {
            drop(self.backend.connect().await);
        }
        Ok(self.backend.connect().await?.into())
    }

    fn fitness(&self, connection: &mut Connection, _: Moment) -> Fitness {
        if connection.check().is_ok() { Fitness::Fit } else { Fitness::Broken }
    }
}

impl Ours {
    /// With a policy that is changed, and a connector that tries so often for one connection.
    pub(super) fn with(backend: Arc<Backend>, slots: usize, change: impl FnOnce(&mut Policy), tries: u32) -> Self {
        let mut policy = Policy::default();
        policy.slots_max = slots;
        policy.spares_wanted = policy.spares_wanted.min(slots);
        change(&mut policy);
        let builder = Pool::builder("bench").resolver(FixedResolver::new([address()]));
        let pool = builder.connector(Connecting { backend, tries }).policy(policy).build();
        Self(pool.expect("the policy is sound, and this is a runtime"))
    }
}

impl Candidate for Ours {
    const NAME: &'static str = "Pool";

    type Handle<'a> = Handle<Connecting>;

    async fn build(backend: Arc<Backend>, slots: usize) -> Self {
        Self::with(backend, slots, |_| {}, 1)
    }

    async fn claim(&self) -> Option<Handle<Connecting>> {
        self.0.claim().await.ok()
    }
}
