//! A resolver as tower's `Discover`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::{self, Debug, Formatter};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream};
use landfall_lifecycle::internal::{into_message, log};
use tower::discover::Change;

use crate::backend::Backend;
use crate::resolver::Resolver;

/// The changes of a resolver's sets, as tower's `Discover`: what `Balance` is made of.
///
/// For each backend that comes `make` gives a service, for example one over a pool of that backend alone. A backend
/// that stays in the set keeps its service. The resolver is polled by whoever polls this, and by nobody else: `Balance`
/// looks for changes only in its `poll_ready`, so while nobody calls it, a service of a backend that has gone stays.
/// `Balance` drops the services of backends that have gone; what `make` has started for them is its owner's to end.
///
/// # How it ends
///
/// When the resolver has no more sets to give, or panics, the stream of changes ends, and what was found last stands:
/// `Balance` goes on with the services that it has. One that has none then waits for ever, so put a limit of time
/// around it. Backends are told apart by name and address, as everywhere.
pub struct Discovery<R, F> {
    /// The resolver, while it looks for the next set; none when it has ended.
    next: Option<BoxFuture<'static, (R, Option<Vec<Backend>>)>>,
    make: F,
    known: Vec<Backend>,
    changes: VecDeque<Change<Backend, ()>>,
}

impl<R: Resolver, F> Discovery<R, F> {
    /// Changes of what `resolver` finds, each new backend with the service that `make` gives.
    pub fn new<S>(resolver: R, make: F) -> Self
    where
        F: FnMut(&Backend) -> S,
    {
        Self { next: Some(look(resolver)), make, known: Vec::new(), changes: VecDeque::new() }
    }

    /// Takes over a set: first what has gone, then what is new.
    fn replace(&mut self, set: Vec<Backend>) {
        let gone = self.known.iter().filter(|backend| !set.contains(backend)).cloned();
        self.changes.extend(gone.map(Change::Remove));
        let mut known = Vec::with_capacity(set.len());
        for backend in set {
            if known.contains(&backend) {
                continue;
            }
            if !self.known.contains(&backend) {
                self.changes.push_back(Change::Insert(backend.clone(), ()));
            }
            known.push(backend);
        }
        self.known = known;
    }
}

fn look<R: Resolver>(mut resolver: R) -> BoxFuture<'static, (R, Option<Vec<Backend>>)> {
    Box::pin(async move {
        let set = AssertUnwindSafe(resolver.next()).catch_unwind().await;
        let set = set.unwrap_or_else(|payload| {
            let error = into_message(payload);
            log(|| tracing::warn!(error, "resolver panicked"));
            None
        });
        (resolver, set)
    })
}

impl<R: Resolver, F, S> Stream for Discovery<R, F>
where
    F: FnMut(&Backend) -> S + Unpin,
{
    type Item = Result<Change<Backend, S>, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(change) = this.changes.pop_front() {
                return Poll::Ready(Some(Ok(match change {
                    Change::Insert(backend, ()) => {
                        let service = (this.make)(&backend);
                        Change::Insert(backend, service)
                    }
                    Change::Remove(backend) => Change::Remove(backend),
                })));
            }
            let Some(next) = &mut this.next else { return Poll::Ready(None) };
            let (resolver, set) = ready!(next.as_mut().poll(cx));
            this.next = match set {
                Some(set) => {
                    this.replace(set);
                    Some(look(resolver))
                }
                None => None,
            };
        }
    }
}

impl<R, F> Debug for Discovery<R, F> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery").field("known", &self.known).field("has_ended", &self.next.is_none()).finish()
    }
}
