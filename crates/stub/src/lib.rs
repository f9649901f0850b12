//! The stub for NRI plugins of containerd and CRI-O: it registers a plugin, serves its handlers, starts again after any
//! end, and stops with nothing left.
//!
//! How its phases follow from each other is told in `docs/stub.md`.
#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod adjust;
mod check;
mod events;
pub mod messages;
mod panics;
mod removal;
mod resources;
mod update;
mod wire;
mod wish_error;

pub use self::adjust::Adjustment;
pub use self::events::{EventMask, EventMaskError};
pub use self::removal::{mark_for_removal, marked_for_removal};
pub use self::resources::Resources;
pub use self::update::Update;
pub use self::wire::{Code, Connection, Loss, Metadata};
pub use self::wish_error::WishError;
