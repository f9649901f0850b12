//! Drives one future on this thread, with no runtime.

use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};

use crate::sync::{Arc, Condvar, Mutex};

/// Whether the future was woken since it was last polled. Not the thread's own token, which whatever is polled may use
/// up: a `block_on` inside of this one would sleep through this one's wake.
#[derive(Default)]
struct Woken {
    flag: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        *self.flag.lock() = true;
        self.changed.notify_all();
    }
}

impl Woken {
    fn wait(&self) {
        let mut flag = self.flag.lock();
        while !std::mem::take(&mut *flag) {
            flag = self.changed.wait(flag);
        }
    }
}

/// Unlike a runtime's or an executor crate's, it may be called on any thread, inside of another one too.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        woken.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[test]
    fn one_inside_of_another_does_not_use_up_its_wake() {
        let mut polls = 0;
        block_on(poll_fn(|cx| {
            polls += 1;
            if polls > 1 {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            let (sender, receiver) = tokio::sync::oneshot::channel();
            let mut sender = Some(sender);
            let mut receiver = pin!(receiver);
            let mut looks = 0;
            block_on(poll_fn(|cx| {
                looks += 1;
                let polled = receiver.as_mut().poll(cx);
                // The first wait of the inner one is over at once if it takes the outer one's wake for its own.
                let waker = cx.waker().clone();
                if looks == 1 {
                    waker.wake();
                } else if let Some(sender) = sender.take() {
                    sender.send(()).ok();
                }
                polled
            }))
            .ok();
            Poll::Pending
        }));
        assert_eq!(polls, 2);
    }
}
