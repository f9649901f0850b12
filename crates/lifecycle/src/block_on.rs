//! Drives one future on this thread, with no runtime.

use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use crate::sync::Arc;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Unlike a runtime's or an executor crate's, it may be called on any thread, inside of another one too.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        std::thread::park();
    }
}
