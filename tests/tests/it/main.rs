//! What other tests cannot take: a limit on the process itself, a build of its own, servers that fail in real time or are
//! not ours.
#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
mod diesel_postgres;
#[cfg(target_os = "linux")]
mod no_threads;
#[cfg(unix)]
mod panic_abort;
mod pool_dns;
#[cfg(target_os = "linux")]
mod pool_faults;
#[cfg(target_os = "linux")]
mod pool_postgres;
#[cfg(target_os = "linux")]
mod server;
