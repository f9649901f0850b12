//! Several resolvers as one.

use std::collections::HashSet;
use std::fmt::{self, Debug, Formatter};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use futures_util::stream::unfold;

use super::Resolver;
use crate::backend::Backend;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use landfall_lifecycle::internal::{contain, dispose, log};

/// What several resolvers have found, as one set.
///
/// The set is that of the first, then what the second has besides, and so on. It is given as soon as one of them has
/// found something, and again with each change. A resolver that ends or panics leaves its last set; the whole ends when
/// all have ended.
///
/// # Examples
///
/// ```
/// use std::net::SocketAddr;
///
/// use landfall_pool::{FixedResolver, MergedResolver};
///
/// let near: SocketAddr = "10.0.0.1:5432".parse()?;
/// let far: SocketAddr = "10.9.0.1:5432".parse()?;
/// let both = MergedResolver::new().and(FixedResolver::new([near])).and(FixedResolver::new([far]));
/// # drop(both);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Default)]
pub struct MergedResolver {
    parts: Vec<Part>,
    /// The last set has not been given yet.
    has_news: bool,
}

/// The sets of one resolver, one after the other.
type Sets = Pin<Box<dyn Stream<Item = Vec<Backend>> + Send>>;

struct Part {
    /// None once it has ended.
    sets: Option<Sets>,
    last: Vec<Backend>,
}

impl MergedResolver {
    /// Of none: it ends at once, and there never is a set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one more.
    #[must_use]
    pub fn and(mut self, resolver: impl Resolver) -> Self {
        // A stream owns its resolver: a call under way is kept, not begun anew, when another has found something.
        let sets = unfold(resolver, async |mut resolver| Some((resolver.next().await?, resolver)));
        self.parts.push(Part { sets: Some(Box::pin(sets)), last: Vec::new() });
        self
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<Backend>>> {
        for part in &mut self.parts {
            self.has_news |= part.poll(cx);
        }
        if std::mem::take(&mut self.has_news) {
            return Poll::Ready(Some(self.union()));
        }
        if self.parts.iter().all(|part| part.sets.is_none()) { Poll::Ready(None) } else { Poll::Pending }
    }

    fn union(&self) -> Vec<Backend> {
        let mut seen = HashSet::new();
        let all = self.parts.iter().flat_map(|part| &part.last);
        all.filter(|backend| seen.insert((&backend.name, backend.address))).cloned().collect()
    }
}

impl Part {
    /// Whether it has another set than before. A resolver that always has one gets one look, as the others do.
    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(sets) = &mut self.sets else { return false };
        let polled = contain(|| sets.as_mut().poll_next(cx));
        if let Err(error) = &polled {
            log(|| tracing::warn!(error, "resolver panicked; its last backends stay"));
        }
        match polled {
            Ok(Poll::Pending) => false,
            Ok(Poll::Ready(Some(set))) => {
                self.last = set;
                // There may be more at once; nobody else would wake this task for it.
                cx.waker().wake_by_ref();
                true
            }
            Ok(Poll::Ready(None)) | Err(_) => {
                #[cfg(landfall_faults)]
                if is_armed(Fault::DropPart) {
                    self.last.clear();
                }
                dispose(self.sets.take());
                false
            }
        }
    }
}

impl Resolver for MergedResolver {
    fn next(&mut self) -> impl Future<Output = Option<Vec<Backend>>> + Send {
        poll_fn(|cx| self.poll_next(cx))
    }
}

impl Debug for MergedResolver {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let running = self.parts.iter().filter(|part| part.sets.is_some()).count();
        f.debug_struct("MergedResolver").field("parts", &self.parts.len()).field("running", &running).finish()
    }
}
