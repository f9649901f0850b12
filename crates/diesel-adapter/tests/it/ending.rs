//! How a pool of connections on threads ends.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::{Arc, Barrier};

use diesel::QueryResult;
use futures_util::future::BoxFuture;
use futures_util::poll;
use landfall_diesel_adapter::{RunError, Unusable};
use landfall_lifecycle::testing::{Contract, Rule, Verdict};
use landfall_lifecycle::{Report, SelfJoin, Shutdown, TaskKind, TaskSet, Terminate};
use landfall_pool::{ClaimError, TryClaimError};
use tokio::sync::oneshot;

use crate::harness::{File, SqlitePool, assert_clean, at_once, end, endless, long, on_both, one, until};

#[test]
fn idle_connections_are_closed_and_their_threads_joined() {
    on_both(|| async {
        let file = File::new();
        let pool = file.pool(3).build().unwrap();
        let held = (pool.claim().await.unwrap(), pool.claim().await.unwrap(), pool.claim().await.unwrap());
        drop(held);
        end(&pool).await;
        assert!(matches!(pool.claim().await, Err(ClaimError::Terminating { .. })));
        assert!(!file.path().with_extension("db-journal").exists());
    });
}

#[test]
fn a_query_that_runs_when_grace_ends_is_interrupted_and_says_so() {
    on_both(|| async {
        let file = File::new();
        let pool = file.pool(2).build().unwrap();
        let (mut busy, idle) = (pool.claim().await.unwrap(), pool.claim().await.unwrap());
        let (begun, has_begun) = oneshot::channel();
        let uses = async {
            let interrupted = busy.run(endless(begun)).await;
            assert!(matches!(interrupted, Err(RunError::Interrupted { .. })), "{interrupted:?}");
            let refused = busy.run(one).await;
            assert!(matches!(refused, Err(RunError::Unusable { why: Unusable::Terminating, .. })), "{refused:?}");
            drop(busy);
        };
        let ends = async {
            has_begun.await.unwrap();
            let mut idle = idle;
            let report = {
                let how = at_once();
                let mut ends = pin!(pool.terminate(&how));
                // Its thread is gone, though the handle is out.
                let refused = loop {
                    assert!(poll!(&mut ends).is_pending());
                    if let Err(refused) = idle.run(one).await {
                        break refused;
                    }
                };
                assert!(matches!(refused, RunError::Unusable { why: Unusable::Terminating, .. }), "{refused:?}");
                drop(idle);
                ends.await.unwrap()
            };
            assert_clean(&report);
        };
        futures_util::join!(uses, ends);
    });
}

/// A holder may go on until grace ends: its connection's thread does not heed the begin.
#[test]
fn what_is_held_works_until_grace_ends() {
    on_both(|| async {
        let file = File::new();
        let pool = file.pool(1).build().unwrap();
        let mut held = pool.claim().await.unwrap();
        pool.begin_terminate(&long());
        assert_eq!(held.run(one).await.unwrap(), 1);
        drop(held);
        end(&pool).await;
    });
}

#[test]
fn a_closure_that_never_returns_is_a_straggler_by_name() {
    on_both(|| async {
        let file = File::new();
        let pool = file.pool(1).name("orders").build().unwrap();
        let mut connection = pool.claim().await.unwrap();
        let (begun, has_begun) = oneshot::channel();
        let held = Arc::new(Barrier::new(2));
        let holds = Arc::clone(&held);
        {
            let mut runs = pin!(connection.run(move |_| -> QueryResult<()> {
                begun.send(()).unwrap();
                holds.wait();
                Ok(())
            }));
            assert!(poll!(&mut runs).is_pending());
            has_begun.await.unwrap();
        }
        drop(connection);
        let report = pool.terminate(&Shutdown::now()).await.unwrap();
        let left: Vec<_> = report.stragglers().map(|found| (found.item.name.to_string(), found.item.kind)).collect();
        assert_eq!(left, [(format!("connection to {}", file.address()), TaskKind::Thread)], "\n{report}");
        held.wait();
        until(|| Terminate::report(&pool).is_some_and(|report| report.stragglers().next().is_none())).await;
    });
}

#[test]
fn the_last_pool_dropped_interrupts_what_runs_and_ends_it() {
    on_both(|| async {
        let file = File::new();
        let pool = file.pool(1).build().unwrap();
        let mut connection = pool.claim().await.unwrap();
        let (begun, has_begun) = oneshot::channel();
        let uses = async {
            let interrupted = connection.run(endless(begun)).await;
            assert!(matches!(interrupted, Err(RunError::Interrupted { .. })), "{interrupted:?}");
        };
        let drops = async {
            has_begun.await.unwrap();
            drop(pool);
        };
        futures_util::join!(uses, drops);
        drop(connection);
    });
}

/// Waits for real deadlines, as every check of the contract does.
#[test]
fn it_keeps_the_contract_of_terminate() {
    on_both(|| async {
        let contract = Contract::of(Driven::new)
            .work(|driven: &Driven, work| {
                let pool = driven.pool.clone();
                let uses = async move {
                    let mut held = pool.claim().await?;
                    drop(pool);
                    drop(held.run(|_| (work.block(), QueryResult::Ok(())).1).await);
                    Ok::<_, ClaimError>(())
                };
                driven.users.spawn("user", uses).unwrap();
            })
            .refuses(|driven: &Driven| {
                matches!(driven.pool.pool().try_claim(), Err(TryClaimError::Terminating { .. }))
            });
        let report = contract.check().await;
        report.assert_kept();
        for rule in &report.rules {
            assert_eq!(rule.verdict == Verdict::Kept, rule.rule != Rule::WithoutRuntime, "{report}");
        }
    });
}

/// A pool, and who uses it.
struct Driven {
    pool: SqlitePool,
    users: TaskSet,
    _file: File,
}

impl Driven {
    fn new() -> Self {
        let file = File::new();
        Self { pool: file.pool(4).build().unwrap(), users: TaskSet::new("users"), _file: file }
    }
}

impl Terminate for Driven {
    fn name(&self) -> Cow<'_, str> {
        Terminate::name(&self.pool)
    }
    fn begin_terminate(&self, how: &Shutdown) {
        self.pool.begin_terminate(how);
    }
    fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        self.pool.terminate(how)
    }
    fn ended(&self) -> BoxFuture<'_, ()> {
        self.pool.ended()
    }
    fn report(&self) -> Option<Report> {
        Terminate::report(&self.pool)
    }
    fn calling_task(&self) -> Option<String> {
        self.pool.calling_task()
    }
}
