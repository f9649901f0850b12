//! Ours, made worse on purpose.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use landfall_pool::{Handle, Policy};

use super::Candidate;
use super::ours::{Connecting, Ours};
use crate::Plant;
use crate::pool::backend::{Backend, Connection};

/// Ours with two faults: a claim takes its time, and whoever has just given a connection back may have it again before
/// those who wait.
#[derive(Debug)]
pub(in crate::pool) struct Planted {
    pool: Ours,
    kept: Mutex<Option<Handle<Connecting>>>,
}

#[derive(Debug)]
pub(in crate::pool) struct Held<'a> {
    handle: Option<Handle<Connecting>>,
    pool: &'a Planted,
}

/// Ours where a refusal is met with many attempts at once, and then with a long pause.
#[derive(Debug)]
pub(in crate::pool) struct PlantedStorm(Ours);

/// How often it tries for one connection, and how long it pauses after.
const TRIES: u32 = 64;
const PAUSE: Duration = Duration::from_secs(20);

impl Candidate for PlantedStorm {
    const NAME: &'static str = Ours::NAME;

    type Handle<'a> = Handle<Connecting>;

    async fn build(backend: Arc<Backend>, slots: usize) -> Self {
        let pauses = |policy: &mut Policy| {
            policy.backoff_min = PAUSE;
            policy.backoff_waiting_max = PAUSE;
        };
        Self(Ours::with(backend, slots, pauses, TRIES))
    }

    async fn claim(&self) -> Option<Handle<Connecting>> {
        self.0.claim().await
    }
}

impl Planted {
    fn kept(&self) -> MutexGuard<'_, Option<Handle<Connecting>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Candidate for Planted {
    const NAME: &'static str = Ours::NAME;

    type Handle<'a> = Held<'a>;

    async fn build(backend: Arc<Backend>, slots: usize) -> Self {
        Self { pool: Ours::build(backend, slots).await, kept: Mutex::new(None) }
    }

    async fn claim(&self) -> Option<Held<'_>> {
        Plant::planted().act();
        let kept = self.kept().take();
        let handle = match kept {
            Some(handle) => handle,
            None => self.pool.claim().await?,
        };
        Some(Held { handle: Some(handle), pool: self })
    }
}

impl Deref for Held<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.handle.as_ref().expect("only the drop takes it")
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.handle.as_mut().expect("only the drop takes it")
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let handle = self.handle.take();
        let mut kept = self.pool.kept();
        if kept.is_none() {
            *kept = handle;
            return;
        }
        drop(kept);
        drop(handle);
    }
}
