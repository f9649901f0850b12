//! The stub for NRI plugins of containerd and CRI-O: it registers a plugin, serves its handlers, starts again after any
//! end, and stops with nothing left. Start at [`Stub`].
//!
//! How its phases follow from each other is told in `docs/stub.md`.
#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod adjust;
mod build_error;
mod builder;
mod check;
mod endpoint;
mod events;
mod handler_cx;
mod handlers;
mod identity;
mod inherited;
mod life;
pub mod messages;
mod options;
mod plugin;
mod reconnect;
mod removal;
mod resources;
mod run_error;
mod runtime_info;
mod stub;
#[cfg(feature = "testing")]
pub mod testing;
mod unsolicited;
mod update;
mod update_queue;
mod wire;
mod wish_error;

pub use self::adjust::Adjustment;
pub use self::build_error::BuildError;
pub use self::builder::StubBuilder;
pub use self::endpoint::ConnectError;
pub use self::events::{EventMask, EventMaskError};
pub use self::handler_cx::HandlerCx;
pub use self::handlers::BoxError;
pub use self::life::{CloseCause, Closed, Phase, StartError, Started};
pub use self::options::StubOptions;
pub use self::plugin::Plugin;
pub use self::reconnect::Reconnect;
pub use self::removal::{mark_for_removal, marked_for_removal};
pub use self::resources::Resources;
pub use self::run_error::RunError;
pub use self::runtime_info::{Configuration, RuntimeInfo};
pub use self::stub::Stub;
pub use self::unsolicited::UpdateError;
pub use self::update::Update;
pub use self::update_queue::PendingUpdate;
pub use self::wire::{Code, Connection, Loss, Metadata};
pub use self::wish_error::WishError;
