//! Backends as somebody else tells of them: a stream of changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug, Formatter};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;

use super::Resolver;
use crate::backend::Backend;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use landfall_lifecycle::internal::log;

/// The most backends that are kept unless [`ChangesResolver::backends_max`] says otherwise.
const BACKENDS_MAX: usize = 4_096;
/// How many changes are taken in before the set is given, if there are as many at once.
const BATCH_MAX: usize = 1_024;

/// What has changed.
///
/// The words are those of Kubernetes' watches: a key is what a pod or an endpoint slice is called.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackendsChange {
    /// Under this key are these backends, and no others any more.
    Applied {
        /// What they are called together.
        key: String,
        /// All of them; none is as good as deleted.
        backends: Vec<Backend>,
    },
    /// What was under this key has gone.
    Deleted {
        /// What they were called.
        key: String,
    },
    /// All that there is will be applied anew: the watch has begun, or was interrupted. Until
    /// [`BackendsChange::Listed`] the last set stays.
    Listing,
    /// All that there is has been applied: what was not since the last [`BackendsChange::Listing`] has gone.
    Listed,
}

/// Takes backends from a stream of changes.
///
/// Changes that come together are taken in together. Before the first [`BackendsChange::Listed`], or the first change
/// outside of a listing, there is no set.
///
/// When the stream ends, the resolver ends: the last complete set stays in force for as long as the pool lives, and a
/// warning is logged. A stream that may break has to begin anew by itself.
///
/// # Examples
///
/// ```
/// use std::net::SocketAddr;
///
/// use futures_util::stream;
/// use landfall_pool::{Backend, BackendsChange, ChangesResolver};
///
/// let address: SocketAddr = "10.0.0.1:5432".parse()?;
/// let applied = BackendsChange::Applied { key: "db-0".into(), backends: vec![Backend::new("db-0", address)] };
/// let changes = stream::iter([BackendsChange::Listing, applied, BackendsChange::Listed]);
/// let resolver = ChangesResolver::new(changes);
/// # drop(resolver);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub struct ChangesResolver {
    changes: Option<Pin<Box<dyn Stream<Item = BackendsChange> + Send>>>,
    backends_max: usize,
    known: Known,
    /// What a listing has brought so far.
    listing: Option<Known>,
    /// The last set has not been given yet.
    has_news: bool,
}

/// Backends by key, and how many they are.
#[derive(Debug, Default)]
struct Known {
    by_key: BTreeMap<String, Vec<Backend>>,
    count: usize,
}

impl ChangesResolver {
    /// A resolver that hears of changes by this stream.
    #[must_use]
    pub fn new(changes: impl Stream<Item = BackendsChange> + Send + 'static) -> Self {
        Self {
            changes: Some(Box::pin(changes)),
            backends_max: BACKENDS_MAX,
            known: Known::default(),
            listing: None,
            has_news: false,
        }
    }

    /// Says how many backends are kept; what comes beyond is left out, with a warning. At least 1. Default 4,096.
    #[must_use]
    pub fn backends_max(mut self, max: usize) -> Self {
        self.backends_max = max.max(1);
        self
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<Backend>>> {
        let is_waiting = self.take_in_what_is_there(cx);
        if std::mem::take(&mut self.has_news) {
            return Poll::Ready(Some(self.known.set()));
        }
        if self.changes.is_none() {
            return Poll::Ready(None);
        }
        if !is_waiting {
            // There may be more at once; the stream would not wake this task for it.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Whether the stream has no more for now, and wakes the task when it has.
    fn take_in_what_is_there(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..BATCH_MAX {
            let Some(changes) = &mut self.changes else { break };
            match changes.as_mut().poll_next(cx) {
                Poll::Ready(Some(change)) => self.take_in(change),
                Poll::Ready(None) => self.on_end(),
                Poll::Pending => return true,
            }
        }
        false
    }

    fn on_end(&mut self) {
        log(|| tracing::warn!("the stream of backends has ended; the last ones stay"));
        self.changes = None;
        #[cfg(landfall_faults)]
        if is_armed(Fault::EmptyAtEnd) {
            (self.known, self.has_news) = (Known::default(), true);
        }
    }

    fn take_in(&mut self, change: BackendsChange) {
        let is_listing = self.listing.is_some();
        let known = self.listing.as_mut().unwrap_or(&mut self.known);
        match change {
            BackendsChange::Applied { key, backends } => {
                if known.apply(key, backends, self.backends_max) > 0 {
                    log(|| {
                        tracing::warn!(backends.max = self.backends_max, "more backends than may be: some left out")
                    });
                }
            }
            BackendsChange::Deleted { key } => known.delete(&key),
            BackendsChange::Listing => {
                self.listing = Some(Known::default());
                return;
            }
            BackendsChange::Listed => {
                let Some(listed) = self.listing.take() else { return };
                self.known = listed;
                self.has_news = true;
                return;
            }
        }
        self.has_news |= !is_listing;
    }
}

impl Known {
    /// Gives how many were too many.
    fn apply(&mut self, key: String, mut backends: Vec<Backend>, max: usize) -> usize {
        self.delete(&key);
        let room = max - self.count;
        let left_out = backends.len().saturating_sub(room);
        backends.truncate(room);
        self.count += backends.len();
        if !backends.is_empty() {
            self.by_key.insert(key, backends);
        }
        left_out
    }

    fn delete(&mut self, key: &str) {
        self.count -= self.by_key.remove(key).map_or(0, |backends| backends.len());
    }

    fn set(&self) -> Vec<Backend> {
        let set: BTreeSet<&Backend> = self.by_key.values().flatten().collect();
        set.into_iter().cloned().collect()
    }
}

impl Resolver for ChangesResolver {
    fn next(&mut self) -> impl Future<Output = Option<Vec<Backend>>> + Send {
        poll_fn(|cx| self.poll_next(cx))
    }
}

impl Debug for ChangesResolver {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { changes, backends_max, known, .. } = self;
        let mut shown = f.debug_struct("ChangesResolver");
        shown.field("has_ended", &changes.is_none()).field("backends", &known.count);
        shown.field("backends_max", backends_max).finish()
    }
}
