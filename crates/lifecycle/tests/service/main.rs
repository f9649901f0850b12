//! Services as processes see them: signals, exit codes, reports on standard error.
//!
//! The test binary runs itself again as the service: see [`child`].
#![cfg(unix)]

mod child;
mod end;
#[cfg(all(feature = "leak-check", target_os = "linux"))]
mod hold;
mod parts;
mod signals;
mod start;
#[cfg(feature = "systemd")]
mod systemd;

/// Not a test but the way into a child process: runs the program it is told, and exits with its code.
#[test]
fn program() {
    child::run_if_told(&[
        end::PROGRAMS,
        #[cfg(all(feature = "leak-check", target_os = "linux"))]
        hold::PROGRAMS,
        signals::PROGRAMS,
        start::PROGRAMS,
        #[cfg(feature = "systemd")]
        systemd::PROGRAMS,
    ]);
}
