//! Connections that are threads: who ends them, and what is said of one that does not end.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Barrier};

use landfall_lifecycle::{Shutdown, TaskKind, Terminate};
use landfall_pool::{Backend, BoxError, ConnectCx, Connected, Connector, FixedResolver, Pool};

use crate::fake::backend;
use crate::harness::{assert_clean, long, on_both, plain, until};

/// A connection is a sender; its thread ends when that is dropped, or later, when it is let go.
struct Blocking {
    held: Option<Arc<Barrier>>,
}

impl Connector for Blocking {
    type Connection = Sender<()>;

    async fn connect(&self, _: &Backend, cx: &ConnectCx) -> Result<Connected<Sender<()>>, BoxError> {
        let (connection, closed) = channel::<()>();
        let held = self.held.clone();
        cx.spawner().spawn_thread("blocking connection", move || {
            let _ended = closed.recv();
            held.map(|held| held.wait());
        })?;
        Ok(connection.into())
    }
}

fn pool(held: Option<Arc<Barrier>>) -> Pool<Blocking> {
    let backends = FixedResolver::new([backend(0)]);
    Pool::builder("pool").resolver(backends).connector(Blocking { held }).policy(plain(2)).build().unwrap()
}

#[test]
fn threads_of_connections_are_joined_by_the_termination() {
    on_both(|| async {
        let pool = pool(None);
        let (first, second) = (pool.claim().await.unwrap(), pool.claim().await.unwrap());
        drop((first, second));
        let report = pool.terminate(&long()).await.unwrap();
        assert_clean(&report);
        let completed: u64 = report.children.iter().map(|child| child.counts.completed).sum();
        assert!(completed >= 2, "the two threads are counted:\n{report}");
    });
}

#[test]
fn a_thread_that_outlives_its_connection_is_a_straggler_by_name() {
    on_both(|| async {
        let held = Arc::new(Barrier::new(2));
        let pool = pool(Some(Arc::clone(&held)));
        drop(pool.claim().await.unwrap());
        let report = pool.terminate(&Shutdown::now()).await.unwrap();
        let left: Vec<_> = report.stragglers().map(|found| (found.item.name.clone(), found.item.kind)).collect();
        assert_eq!(left, [("blocking connection".into(), TaskKind::Thread)], "\n{report}");
        held.wait();
        until(|| Terminate::report(&pool).is_some_and(|report| report.is_clean())).await;
    });
}
