//! Every public future of the crate is dropped at every poll, spurious ones included.

use landfall_lifecycle::Terminate;
use landfall_lifecycle::testing::{cancel_at_every_poll, cancel_at_every_poll_on};

use crate::harness::{File, SqlitePool, end, long, on_both, one, until};

/// Every slot serves, and there never were more connections than may be.
async fn whole(pool: &SqlitePool, slots: usize) {
    let mut held = Vec::new();
    for _ in 0..slots {
        let mut connection = pool.claim().await.unwrap();
        assert_eq!(connection.run(one).await.unwrap(), 1);
        held.push(connection);
    }
    drop(held);
    until(|| pool.pool().slots().idle == slots).await;
}

#[test]
fn a_claim() {
    on_both(|| async {
        let set_up = async || {
            let file = File::new();
            (file.pool(1).build().unwrap(), file)
        };
        cancel_at_every_poll_on(set_up, async |(pool, _): &mut (SqlitePool, File)| drop(pool.claim().await.unwrap()))
            .spurious()
            .check(async |(pool, _file), _| {
                whole(&pool, 1).await;
                end(&pool).await;
            })
            .await;
    });
}

/// Another thread answers, so it may be done at the first poll.
#[test]
fn a_run() {
    on_both(|| async {
        let file = File::new();
        let pool = file.pool(2).build().unwrap();
        cancel_at_every_poll(async || pool.claim().await.unwrap().run(one).await.unwrap())
            .spurious()
            .ready_at_once()
            .check_async(async |_| whole(&pool, 2).await)
            .await;
        end(&pool).await;
    });
}

#[test]
fn terminate_and_ended() {
    on_both(|| async {
        let set_up = async || {
            let file = File::new();
            let pool = file.pool(2).build().unwrap();
            whole(&pool, 2).await;
            (pool, file)
        };
        let how = long();
        cancel_at_every_poll_on(set_up, async |(pool, _): &mut (SqlitePool, File)| pool.terminate(&how).await)
            .ready_at_once()
            .check(async |(pool, _file), _| end(&pool).await)
            .await;
        let begun = async || {
            let (pool, file) = set_up().await;
            pool.begin_terminate(&how);
            (pool, file)
        };
        cancel_at_every_poll_on(begun, async |(pool, _): &mut (SqlitePool, File)| pool.ended().await)
            .ready_at_once()
            .check(async |(pool, _file), _| end(&pool).await)
            .await;
    });
}
