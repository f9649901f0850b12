//! A real server: a private PostgreSQL cluster, a connector of `landfall-pool` for it, and who counts its sessions.

pub mod cluster;
mod connector;
pub mod rounds;
mod session;
mod witness;

pub use self::cluster::{Cluster, NoCluster};
pub use self::connector::{Manners, Postgres};
pub use self::session::Session;
pub use self::witness::Witness;
