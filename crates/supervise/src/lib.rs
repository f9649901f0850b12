//! OTP's supervisors.
#![forbid(unsafe_code)]

pub mod backoff;
pub mod call_error;
pub mod child_id;
pub mod child_state;
#[cfg_attr(not(test), expect(dead_code, reason = "the driver performs what it decides"))]
mod engine;
pub mod exit;
pub mod policy;
pub mod report;
pub mod spec_error;
