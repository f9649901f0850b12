//! The stub for NRI plugins of containerd and CRI-O: it registers a plugin, serves its handlers, starts again after any
//! end, and stops with nothing left.
//!
//! How its phases follow from each other is told in `docs/stub.md`.
#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod panics;
mod wire;

pub use wire::{Code, Connection, Loss, Metadata};
