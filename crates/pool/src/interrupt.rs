//! A way to interrupt a connection that a holder has.

use crate::connector::Spawner;

/// Interrupts a connection from outside, while its holder uses it.
///
/// Nobody can take a connection back from a holder. But a socket can be shut down, or the server be asked to cancel
/// what it does; then the holder's use ends with an error, and its handle is dropped. A connector gives one with a
/// connection if it can. Closures are interrupts.
pub trait Interrupt: Send + Sync + 'static {
    /// Interrupts the connection.
    ///
    /// Called at most once, when the grace of a termination ends and the handle is still out, or when the pool is
    /// dropped meanwhile. It must not block: what takes time, such as a request to cancel on a connection of its own,
    /// goes onto `spawner`. A panic is caught and logged.
    fn interrupt(&self, spawner: &Spawner);
}

impl<F: Fn(&Spawner) + Send + Sync + 'static> Interrupt for F {
    fn interrupt(&self, spawner: &Spawner) {
        self(spawner);
    }
}
