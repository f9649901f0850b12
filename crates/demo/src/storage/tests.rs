//! The thread's work is run on the test's own thread, over a queue filled before: no timing is involved.

use std::fs;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use futures_executor::block_on;
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::event::{Leased, State};

const LIMITS: Limits = Limits { lock_wait: Duration::ZERO, backlog_max: 1_000, delivered_max: 1_000, dead_max: 1_000 };

fn open(file: &Path) -> Result<Database, OpenError> {
    Database::open(file, "this-run".to_owned(), LIMITS)
}

fn event(number: usize) -> NewEvent {
    NewEvent { target: format!("http://127.0.0.1:9/{number}"), body: format!("{{\"number\": {number}}}") }
}

fn insert(database: &mut Database, number: usize) -> EventId {
    database.transaction(|transaction| transaction.insert(&event(number))).unwrap().expect("room in the backlog")
}

fn lease(database: &mut Database, max: u32) -> Vec<Leased> {
    database.transaction(|transaction| transaction.lease(max)).unwrap().leased
}

fn settle(database: &mut Database, id: EventId, how: Settlement) {
    database.transaction(|transaction| transaction.settle(id, &how)).unwrap();
}

#[track_caller]
fn check_event(database: &mut Database, id: EventId, state: State, attempts: u32, error: Option<&str>) {
    let view = database.transaction(|transaction| transaction.find(id)).unwrap().expect("the event is known");
    assert_eq!((view.state, view.attempts, view.error.as_deref()), (state, attempts, error));
}

/// Polls each future once, in order, so that what it asks is in the queue.
fn ask<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<Pin<Box<F>>> {
    let mut asked: Vec<_> = futures.into_iter().map(Box::pin).collect();
    for future in &mut asked {
        let pending = block_on(std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())));
        assert!(pending, "answered before the thread ran");
    }
    asked
}

fn stopped() -> CancellationToken {
    let stop = CancellationToken::new();
    stop.cancel();
    stop
}

/// What is on the disk at this moment: what a crash would leave.
fn crashed_copy(file: &Path, to: &Path) {
    fs::copy(file, to).unwrap();
    fs::copy(file.with_extension("db-wal"), to.with_extension("db-wal")).unwrap();
}

#[test]
fn waiting_requests_are_committed_together_and_then_answered() {
    let folder = TemporaryFolder::new().unwrap();
    let file = folder.path().join("relay.db");
    let (storage, worker) = Storage::new(100, 8, 64);
    let asked = ask((0..100).map(|number| storage.insert(event(number))));
    worker.run(open(&file).unwrap(), &stopped()).unwrap();
    let ids: Vec<EventId> = block_on(join_all(asked)).into_iter().map(Result::unwrap).collect();
    assert_eq!(ids, (1..=100).map(EventId).collect::<Vec<_>>());
    assert_eq!(storage.progress().commits, 2, "100 requests, 64 a commit");
    let mut reopened = open(&file).unwrap();
    assert_eq!(reopened.progress().counts.waiting, 100);
    check_event(&mut reopened, EventId(100), State::Waiting, 0, None);
}

#[test]
fn the_queue_is_bounded_for_clients_and_dispatchers_still_find_room() {
    let folder = TemporaryFolder::new().unwrap();
    let (storage, worker) = Storage::new(2, 2, 64);
    let asked = ask((0..2).map(|number| storage.insert(event(number))));
    assert!(matches!(block_on(storage.insert(event(2))), Err(StoreError::QueueFull)));
    assert!(matches!(block_on(storage.find(EventId(1))), Err(StoreError::QueueFull)));
    let dispatch = ask([storage.lease(5), storage.lease(5)]);
    assert!(matches!(block_on(storage.lease(5)), Err(StoreError::QueueFull)));
    worker.run(open(&folder.path().join("relay.db")).unwrap(), &stopped()).unwrap();
    assert!(block_on(join_all(asked)).iter().all(Result::is_ok));
    let leased: usize = block_on(join_all(dispatch)).into_iter().map(|due| due.unwrap().leased.len()).sum();
    assert_eq!(leased, 2);
    assert!(
        matches!(block_on(storage.insert(event(3))), Err(StoreError::Closed)),
        "the places are free, the queue shut"
    );
}

#[test]
fn a_full_backlog_refuses_events_and_nothing_else() {
    let folder = TemporaryFolder::new().unwrap();
    let limits = Limits { backlog_max: 1, ..LIMITS };
    let database = Database::open(&folder.path().join("relay.db"), "this-run".to_owned(), limits).unwrap();
    let (storage, worker) = Storage::new(10, 8, 64);
    let asked = ask((0..2).map(|number| storage.insert(event(number))));
    worker.run(database, &stopped()).unwrap();
    let answers = block_on(join_all(asked));
    assert!(answers[0].is_ok() && matches!(answers[1], Err(StoreError::BacklogFull)));
}

#[test]
fn a_transaction_that_fails_answers_all_and_leaves_nothing() {
    let folder = TemporaryFolder::new().unwrap();
    let file = folder.path().join("relay.db");
    drop(open(&file).unwrap());
    SqliteConnection::establish(file.to_str().unwrap())
        .unwrap()
        .batch_execute(
            "CREATE TRIGGER full BEFORE INSERT ON events WHEN NEW.target LIKE '%/2' \
             BEGIN SELECT RAISE(ABORT, 'full'); END",
        )
        .unwrap();
    let (storage, worker) = Storage::new(10, 8, 64);
    let asked = ask((0..3).map(|number| storage.insert(event(number))));
    worker.run(open(&file).unwrap(), &stopped()).unwrap();
    assert!(block_on(join_all(asked)).iter().all(|answer| matches!(answer, Err(StoreError::Failed(_)))));
    assert_eq!(open(&file).unwrap().progress().counts, Default::default());
}

#[test]
fn the_thread_wakes_when_it_is_told_to_stop() {
    let folder = TemporaryFolder::new().unwrap();
    let database = open(&folder.path().join("relay.db")).unwrap();
    let (storage, worker) = Storage::new(10, 8, 64);
    let stop = CancellationToken::new();
    let set = landfall_lifecycle::TaskSet::new("storage");
    let ended = set.spawn_thread("storage", {
        let stop = stop.clone();
        move |_| worker.run(database, &stop)
    });
    // The first answer shows that the thread waits for more.
    assert!(block_on(storage.insert(event(1))).is_ok());
    stop.cancel();
    assert!(block_on(ended.unwrap()).unwrap().is_ok());
    assert!(!storage.is_open());
    let report = set.terminate_blocking(&landfall_lifecycle::Shutdown::now()).unwrap();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn what_was_answered_survives_a_crash_and_its_lease_is_freed_at_start() {
    let folder = TemporaryFolder::new().unwrap();
    let (file, copy) = (folder.path().join("relay.db"), folder.path().join("copy.db"));
    let mut database = open(&file).unwrap();
    let (leased, waiting) = (insert(&mut database, 1), insert(&mut database, 2));
    assert_eq!(lease(&mut database, 1).len(), 1);
    crashed_copy(&file, &copy);
    let mut after = open(&copy).unwrap();
    check_event(&mut after, leased, State::Waiting, 0, None);
    check_event(&mut after, waiting, State::Waiting, 0, None);
    let again = lease(&mut after, 9);
    assert_eq!(again.iter().map(|event| event.id).collect::<Vec<_>>(), [leased, waiting], "the longest due first");
    assert_eq!(again[0].body, "{\"number\": 1}");
}

#[test]
fn closing_gives_leases_back_and_leaves_one_file() {
    let folder = TemporaryFolder::new().unwrap();
    let file = folder.path().join("relay.db");
    let mut database = open(&file).unwrap();
    let id = insert(&mut database, 1);
    assert_eq!(lease(&mut database, 1).len(), 1);
    database.close().unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no log is left beside the database");
    let header = fs::read(&file).unwrap();
    assert_eq!(header[18..20], [2, 2], "the file is in WAL mode");
    check_event(&mut open(&file).unwrap(), id, State::Waiting, 0, None);
}

#[test]
fn a_lease_ends_in_one_of_four_ways() {
    let folder = TemporaryFolder::new().unwrap();
    let mut database = open(&folder.path().join("relay.db")).unwrap();
    let ids: Vec<_> = (0..4).map(|number| insert(&mut database, number)).collect();
    assert_eq!(lease(&mut database, 9).len(), 4);
    let hour = Duration::from_secs(3_600);
    settle(&mut database, ids[0], Settlement::Delivered);
    settle(&mut database, ids[1], Settlement::Retry { after: hour, error: "status 500".to_owned() });
    settle(&mut database, ids[2], Settlement::Dead { error: "ü".repeat(400) });
    settle(&mut database, ids[3], Settlement::GivenBack);
    check_event(&mut database, ids[0], State::Delivered, 1, None);
    check_event(&mut database, ids[1], State::Waiting, 1, Some("status 500"));
    check_event(&mut database, ids[2], State::Dead, 1, Some(&"ü".repeat(128)));
    check_event(&mut database, ids[3], State::Waiting, 0, None);
    let due = database.transaction(|transaction| transaction.lease(9)).unwrap();
    assert_eq!(due.leased.iter().map(|event| event.id).collect::<Vec<_>>(), [ids[3]], "the other is not due");
    let next = due.next.expect("one waits");
    assert!(next > hour / 2 && next <= hour, "{next:?}");
    let counts = database.progress().counts;
    assert_eq!((counts.waiting, counts.leased, counts.delivered, counts.dead), (1, 1, 1, 1));
    // A second settlement of the same lease, as after an abort in the middle of the first, changes nothing.
    settle(&mut database, ids[0], Settlement::GivenBack);
    settle(&mut database, ids[2], Settlement::Delivered);
    check_event(&mut database, ids[0], State::Delivered, 1, None);
    assert_eq!(database.progress().counts, counts);
}

#[test]
fn only_so_many_finished_events_are_kept() {
    let folder = TemporaryFolder::new().unwrap();
    let limits = Limits { delivered_max: 2, dead_max: 1, ..LIMITS };
    let mut database = Database::open(&folder.path().join("relay.db"), "this-run".to_owned(), limits).unwrap();
    let ids: Vec<_> = (0..6).map(|number| insert(&mut database, number)).collect();
    assert_eq!(lease(&mut database, 9).len(), 6);
    for id in &ids[..4] {
        settle(&mut database, *id, Settlement::Delivered);
    }
    for id in &ids[4..] {
        settle(&mut database, *id, Settlement::Dead { error: "status 410".to_owned() });
    }
    let counts = database.progress().counts;
    assert_eq!((counts.delivered, counts.dead), (2, 1));
    let found = database.transaction(|transaction| transaction.find(ids[0])).unwrap();
    assert_eq!(found, None, "the oldest goes first");
    check_event(&mut database, ids[3], State::Delivered, 1, None);
}

#[track_caller]
fn check_open(opened: Result<Database, OpenError>, is_expected: fn(&OpenError) -> bool) {
    let error = opened.err().expect("this cannot be opened");
    assert!(is_expected(&error), "{error:?}");
}

#[test]
fn a_file_in_use_is_locked() {
    let folder = TemporaryFolder::new().unwrap();
    let file = folder.path().join("relay.db");
    let first = open(&file).unwrap();
    check_open(open(&file), |error| matches!(error, OpenError::Locked { .. }));
    drop(first);
    let mut other = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    check_open(open(&file), |error| matches!(error, OpenError::Locked { .. }));
    drop(other);
    assert!(open(&file).is_ok());
}

#[test]
fn a_file_that_is_not_ours_is_left_alone() {
    let folder = TemporaryFolder::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(
        path("text"),
        "not a database at all, but long enough to have a header of one hundred bytes, and some more so",
    )
    .unwrap();
    check_open(open(&path("text")), |error| matches!(error, OpenError::Broken { .. }));

    let make = |name: &str, sql: &str| {
        SqliteConnection::establish(path(name).to_str().unwrap()).unwrap().batch_execute(sql).unwrap()
    };
    make("foreign", "CREATE TABLE notes (text)");
    let before = fs::read(path("foreign")).unwrap();
    check_open(open(&path("foreign")), |error| matches!(error, OpenError::Foreign { .. }));
    assert_eq!(fs::read(path("foreign")).unwrap(), before);
    make("foreign-empty", "PRAGMA application_id = 7");
    check_open(open(&path("foreign-empty")), |error| matches!(error, OpenError::Foreign { .. }));

    drop(open(&path("newer")).unwrap());
    make("newer", "PRAGMA user_version = 99");
    check_open(open(&path("newer")), |error| matches!(error, OpenError::Newer { found: 99, known: 1, .. }));
    make("newer", "PRAGMA user_version = -1");
    check_open(open(&path("newer")), |error| matches!(error, OpenError::Newer { .. }));
}

#[test]
fn a_damaged_file_is_broken() {
    let folder = TemporaryFolder::new().unwrap();
    let file = folder.path().join("relay.db");
    let mut database = open(&file).unwrap();
    for number in 0..100 {
        insert(&mut database, number);
    }
    database.close().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    for page in bytes.chunks_mut(4_096).skip(1) {
        page.fill(0xa5);
    }
    fs::write(&file, bytes).unwrap();
    check_open(open(&file), |error| matches!(error, OpenError::Broken { .. }));
}

#[test]
fn a_file_that_cannot_be_written_or_made_is_an_error() {
    let folder = TemporaryFolder::new().unwrap();
    let file = folder.path().join("relay.db");
    drop(open(&file).unwrap());
    let read_only = format!("file:{}?mode=ro", file.display());
    let opened = Database::open_address(&read_only, &file, "this-run".to_owned(), LIMITS);
    check_open(opened, |error| matches!(error, OpenError::ReadOnly { .. }));
    check_open(open(&folder.path().join("no/such/folder/relay.db")), |error| matches!(error, OpenError::Failed { .. }));
    check_open(open(folder.path()), |error| matches!(error, OpenError::Failed { .. }));
}

#[cfg(unix)]
#[test]
fn a_new_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TemporaryFolder::new().unwrap();
    let file = folder.path().join("relay.db");
    let _database = open(&file).unwrap();
    for name in ["relay.db", "relay.db-wal"] {
        let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o700);
}
