//! Whole processes that take what other tests cannot: a limit on the process itself, a build of its own.
#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
mod no_threads;
#[cfg(unix)]
mod panic_abort;
#[cfg(target_os = "linux")]
mod pool_postgres;
