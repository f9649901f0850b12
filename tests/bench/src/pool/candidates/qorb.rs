//! qorb.

use std::sync::Arc;

use async_trait::async_trait;
use qorb::backend::{Backend as At, Connector, Error};
use qorb::claim::Handle;
use qorb::policy::{Policy, SetConfig};
use qorb::pool::Pool;
use qorb::resolvers::fixed::FixedResolver;

use super::Candidate;
use crate::pool::backend::{Backend, Connection, address};

pub(in crate::pool) struct Qorb(pub(in crate::pool) Pool<Connection>);

struct Connecting(Arc<Backend>);

#[async_trait]
impl Connector for Connecting {
    type Connection = Connection;

    async fn connect(&self, _: &At) -> Result<Connection, Error> {
        self.0.connect().await.map_err(|error| Error::Other(error.into()))
    }

    async fn is_valid(&self, connection: &mut Connection) -> Result<(), Error> {
        connection.check().map_err(|error| Error::Other(error.into()))
    }
}

impl Candidate for Qorb {
    const NAME: &'static str = "qorb";

    type Handle<'a> = Handle<Connection>;

    async fn build(backend: Arc<Backend>, slots: usize) -> Self {
        let set_config = SetConfig { max_count: slots, ..SetConfig::default() };
        let policy = Policy { max_slots: slots, set_config, ..Policy::default() };
        let resolver = Box::new(FixedResolver::new([address()]));
        let pool = Pool::new("bench".to_owned(), resolver, Arc::new(Connecting(backend)), policy);
        Self(pool.unwrap_or_else(|error| error.into_inner()))
    }

    async fn claim(&self) -> Option<Handle<Connection>> {
        self.0.claim().await.ok()
    }
}
