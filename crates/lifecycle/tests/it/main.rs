//! The crate as its users see it.

#[cfg(feature = "serving")]
mod serving;
