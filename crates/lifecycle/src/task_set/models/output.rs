//! The cell through which an output passes.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use super::{CountsDrop, Drops, core, enter, with_handle};
use crate::block_on::block_on;
use crate::explore::explore;
use crate::sync::{Arc, thread};

/// Whoever waits is woken, and by then the task has left.
#[test]
fn a_handle_gives_the_output_of_a_task_that_has_left() {
    explore(|| {
        let core = core();
        let id = enter(&core).unwrap();
        let (owned, task) = with_handle(&core, id, async { 7 });
        let runs = thread::spawn(move || block_on(owned));
        assert_eq!(block_on(task), Ok(7));
        assert_eq!(core.len(), 0, "its task is still there");
        runs.join().unwrap();
    });
}

/// The output is dropped once, by whoever had it last, and never later than its task unless it was handed out.
#[test]
fn an_output_beside_the_drop_of_its_handle_is_dropped_once() {
    explore(|| {
        let (core, drops) = (core(), Drops::default());
        let id = enter(&core).unwrap();
        let output = CountsDrop(drops.clone());
        let (owned, mut task) = with_handle(&core, id, async { output });
        let runs = thread::spawn(move || block_on(owned));
        let polled = block_on(poll_fn(|cx| Poll::Ready(Pin::new(&mut task).poll(cx).is_ready())));
        drop(task);
        if polled {
            assert_eq!((drops.count(), core.len()), (1, 0));
        }
        runs.join().unwrap();
        assert_eq!(drops.count(), 1);
        assert_eq!(Arc::strong_count(&core), 1);
    });
}
