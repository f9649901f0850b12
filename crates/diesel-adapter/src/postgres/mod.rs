//! PostgreSQL, spoken in Rust: diesel-async's connections, whose every task is the pool's.

mod address;
mod body;
mod builder;
mod cancel;
mod connection;
mod connector;
mod encryption;
mod ends;
mod line;
mod open_error;
mod rows;
mod session;
#[cfg(feature = "postgres-tls")]
mod tls;
mod transaction;
mod usage;
mod wire;

pub use self::body::TransactionBody;
pub use self::builder::PgBuilder;
pub use self::connection::PgConnection;
pub use self::connector::PgConnector;
pub use self::open_error::PgOpenError;
pub use self::rows::PgRows;
