//! Names of what runs, that outlive its restarts.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Names of what runs, each with a value to reach it by, such as a sender; a name outlives restarts
/// (Elixir: `Registry` with unique keys).
///
/// A child registers when it starts, and keeps what it got. That goes with its future, so the name is free before the
/// child is started again, and whoever looks it up finds the new instance. A registry is a value, not a global: who
/// shares names shares a clone. It holds one entry for each [`Registered`] that lives. Names are shown in errors: put no
/// secret into them.
///
/// # Examples
///
/// ```
/// use landfall_lifecycle::{Shutdown, Terminate};
/// use landfall_supervise::{ChildSpec, NameTaken, Registry, Supervisor};
/// use tokio::sync::mpsc;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let names: Registry<mpsc::Sender<u32>> = Registry::new();
/// let adder = {
///     let names = names.clone();
///     ChildSpec::worker("adder", move |cx| {
///         let names = names.clone();
///         async move {
///             let (sender, mut numbers) = mpsc::channel(16);
///             let _name = names.register("adder", sender)?;
///             let mut sum = 0;
///             while let Some(Some(number)) = cx.token().run_until_cancelled(numbers.recv()).await {
///                 sum += number;
///                 println!("{sum}");
///             }
///             Ok::<_, NameTaken<_>>(())
///         }
///     })
/// };
/// let tree = Supervisor::builder("app").child(adder).start().await?;
/// // Also while it restarts: this waits until it is there again.
/// names.wait_for("adder").await.send(7).await?;
/// # tree.terminate(&Shutdown::now()).await?;
/// # Ok(()) }
/// ```
pub struct Registry<T>(Arc<Shared<T>>);

struct Shared<T> {
    names: Mutex<HashMap<Arc<str>, Arc<T>>>,
    registered: Notify,
}

/// A name that is held: it is free again when this is dropped.
#[must_use = "the name is free again as soon as this is dropped"]
pub struct Registered<T> {
    shared: Arc<Shared<T>>,
    name: Arc<str>,
}

/// A name is held by somebody else (OTP: `{already_started, Pid}` of a name that a foreign process has).
///
/// A child whose start gives this error has failed to start, and nothing of it is kept. Who called finds this error, with
/// the holder's value, by `downcast_ref` in the cause of
/// [`StartChildError::Failed`](crate::StartChildError::Failed).
#[non_exhaustive]
pub struct NameTaken<T> {
    /// The name.
    pub name: String,
    /// The value of who holds it.
    pub holder: T,
}

impl<T: Clone> Registry<T> {
    /// A registry without names.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Shared { names: Mutex::default(), registered: Notify::new() }))
    }

    /// Registers `value` under a name, for as long as what this gives is kept.
    ///
    /// # Errors
    ///
    /// [`NameTaken`], with the value of who holds the name.
    pub fn register(&self, name: impl Into<String>, value: T) -> Result<Registered<T>, NameTaken<T>> {
        let name: Arc<str> = name.into().into();
        let value = Arc::new(value);
        let holder = {
            let mut names = self.0.lock();
            match names.get(&name) {
                Some(holder) => Some(Arc::clone(holder)),
                None => {
                    names.insert(Arc::clone(&name), Arc::clone(&value));
                    None
                }
            }
        };
        if let Some(holder) = holder {
            return Err(NameTaken { name: name.to_string(), holder: (*holder).clone() });
        }
        self.0.registered.notify_waiters();
        Ok(Registered { shared: Arc::clone(&self.0), name })
    }

    /// The value of who holds the name now.
    #[must_use]
    pub fn lookup(&self, name: &str) -> Option<T> {
        // Cloned with no lock held: that is a user's code.
        let found = self.0.lock().get(name).cloned()?;
        Some((*found).clone())
    }

    /// The value of who holds the name, as soon as somebody does: for who has to outlast a restart.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped wait changes nothing.
    pub async fn wait_for(&self, name: &str) -> T {
        loop {
            let mut registered = pin!(self.0.registered.notified());
            // Before the look: a registration in between would otherwise be missed.
            registered.as_mut().enable();
            if let Some(value) = self.lookup(name) {
                return value;
            }
            registered.await;
        }
    }

    /// The names that are held, in no order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.lock().keys().map(ToString::to_string).collect()
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<T>>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Registered<T> {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<T> Drop for Registered<T> {
    fn drop(&mut self) {
        let held = self.shared.lock().remove(&self.name);
        // With no lock held: the destructor is a user's code.
        drop(held);
    }
}

impl<T> Clone for Registry<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone> Default for Registry<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Registry<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.lock().keys().cloned().collect();
        f.debug_struct("Registry").field("names", &names).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Registered<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for NameTaken<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameTaken").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<T> fmt::Display for NameTaken<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the name {:?} is taken: register another, or end who holds it", self.name)
    }
}

impl<T> Error for NameTaken<T> {}
