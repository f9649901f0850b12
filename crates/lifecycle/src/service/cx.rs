//! What the start of a service is given.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::shutdown::Reason;
use crate::stack::Stack;
use crate::sync::Arc;

/// The service as its own code sees it: where components are pushed, and how the service is asked to end.
///
/// Clones are the same service.
#[derive(Clone, Debug)]
pub struct ServiceCx {
    stack: Stack,
    token: CancellationToken,
    request: Arc<watch::Sender<Option<Reason>>>,
}

impl ServiceCx {
    /// Also gives the end at which the request to terminate arrives.
    pub(super) fn new(stack: Stack, token: CancellationToken) -> (Self, watch::Receiver<Option<Reason>>) {
        let (request, requested) = watch::channel(None);
        (Self { stack, token, request: Arc::new(request) }, requested)
    }

    /// The components of the service. What is pushed last ends first.
    #[must_use]
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// Is cancelled when the service begins to terminate, before any component is told to.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Asks the service to terminate, and returns at once; the first reason given counts.
    ///
    /// May be called from anywhere, also while the service starts. With [`Reason::Failed`] the exit code will be 1,
    /// however clean the end is.
    pub fn terminate(&self, reason: Reason) {
        self.request.send_if_modified(|request| {
            let is_first = request.is_none();
            request.get_or_insert(reason);
            is_first
        });
    }
}
