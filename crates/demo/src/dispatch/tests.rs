//! A dispatcher over a real storage thread and peers that answer when they are told to.

use landfall_lifecycle::{Outcome, Report, Shutdown, Terminate};

use super::*;
use crate::client::{Client, tls_config};
use crate::event::{EventView, NewEvent, State};
use crate::target::{AllowList, AllowRule};
use crate::tests::peer::{Answer, OK, Peer, end, storage};

/// A dispatcher and what it stands on.
struct Bench {
    storage_set: TaskSet,
    connections: TaskSet,
    set: TaskSet,
    storage: Storage,
}

impl Bench {
    async fn start(attempts_max: u32, deliveries_max: u32) -> Self {
        let storage_set = TaskSet::new("storage");
        let storage = storage(&storage_set).await;
        let set = TaskSet::new("dispatch");
        let connections = TaskSet::new("connections");
        let client = Client::new(tls_config(None).unwrap(), connections.clone());
        let allowed = AllowList::new(vec![AllowRule::Loopback]);
        let courier = Courier::new(client, allowed, Duration::from_secs(600), connections.clone());
        let backoff = Backoff { min: Duration::from_millis(1), max: Duration::from_millis(2) };
        let policy = RetryPolicy { attempts_max, backoff };
        Dispatcher::start(&set, storage.clone(), courier, policy, deliveries_max, Arc::default()).unwrap();
        Self { storage_set, connections, set, storage }
    }

    async fn post(&self, target: String) -> EventId {
        self.storage.insert(NewEvent { target, body: "1".to_owned() }).await.unwrap()
    }

    async fn event(&self, id: EventId) -> EventView {
        self.storage.find(id).await.unwrap().unwrap()
    }

    /// Asks again and again, each time after a transaction of the storage, until the event is in that state.
    async fn until(&self, id: EventId, state: State) -> EventView {
        loop {
            let event = self.event(id).await;
            if event.state == state {
                return event;
            }
        }
    }

    async fn terminate(&self, grace: Duration) -> Report {
        let report = self.set.terminate(&Shutdown::within(grace, grace + Duration::from_secs(60))).await.unwrap();
        assert!(report.is_clean(), "{report}");
        report
    }

    async fn end(self) {
        end(&self.set).await;
        end(&self.connections).await;
        end(&self.storage_set).await;
    }
}

#[tokio::test]
async fn an_event_is_delivered_once_and_that_is_recorded() {
    let mut peer = Peer::start(OK).await;
    let bench = Bench::start(3, 4).await;
    let id = bench.post(peer.url("/")).await;
    let event = bench.until(id, State::Delivered).await;
    assert_eq!((event.attempts, event.error), (1, None));
    assert!(peer.requests.recv().await.unwrap().contains(&format!("relay-event-id: {id}\r\n")));
    bench.end().await;
    assert!(peer.requests.try_recv().is_err(), "it came once");
    peer.end().await;
}

#[tokio::test]
async fn a_target_that_never_takes_it_makes_a_dead_letter_after_the_last_attempt() {
    let mut peer = Peer::start(Answer::Text("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n")).await;
    let bench = Bench::start(3, 4).await;
    let id = bench.post(peer.url("/")).await;
    let event = bench.until(id, State::Dead).await;
    assert_eq!((event.attempts, event.error.as_deref()), (3, Some("status 500")));
    for attempt in 1..=3 {
        assert!(peer.requests.recv().await.unwrap().contains(&format!("relay-attempt: {attempt}\r\n")));
    }
    bench.end().await;
    peer.end().await;
}

#[tokio::test]
async fn a_target_that_cannot_be_read_back_makes_a_dead_letter() {
    let bench = Bench::start(1, 4).await;
    let id = bench.post("gopher://127.0.0.1/".to_owned()).await;
    let event = bench.until(id, State::Dead).await;
    assert!(event.error.unwrap().contains("http://"));
    bench.end().await;
}

#[tokio::test]
async fn deliveries_under_way_are_bounded() {
    let permits = Arc::new(Semaphore::new(0));
    let mut peer = Peer::start(Answer::OnPermit(Arc::clone(&permits))).await;
    let bench = Bench::start(3, 2).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(bench.post(peer.url("/")).await);
    }
    for _ in 0..2 {
        peer.requests.recv().await.unwrap();
    }
    // Two slots, so the other three wait in the database.
    assert_eq!(bench.storage.progress().counts.waiting, 3);
    assert!(peer.requests.try_recv().is_err());
    permits.add_permits(5);
    for id in ids {
        bench.until(id, State::Delivered).await;
    }
    bench.end().await;
    peer.end().await;
}

#[tokio::test]
async fn termination_lets_a_delivery_finish_within_grace() {
    let permits = Arc::new(Semaphore::new(0));
    let mut peer = Peer::start(Answer::OnPermit(Arc::clone(&permits))).await;
    let bench = Bench::start(3, 4).await;
    let id = bench.post(peer.url("/")).await;
    peer.requests.recv().await.unwrap();
    let how = Shutdown::within(Duration::from_secs(60), Duration::from_secs(61));
    bench.set.begin_terminate(&how);
    let late = bench.post(peer.url("/")).await;
    permits.add_permits(1);
    let report = bench.terminate(Duration::from_secs(60)).await;
    assert_eq!(report.counts.aborted, 0, "{report}");
    assert_eq!(bench.event(id).await.state, State::Delivered);
    assert_eq!(bench.event(late).await.state, State::Waiting, "nothing new is begun");
    end(&bench.storage_set).await;
    peer.end().await;
}

#[tokio::test]
async fn when_grace_ends_a_hanging_delivery_is_named_and_its_lease_given_back() {
    let mut peer = Peer::start(Answer::Hang).await;
    let bench = Bench::start(3, 4).await;
    let id = bench.post(peer.url("/hang?key=canary")).await;
    peer.requests.recv().await.unwrap();
    let report = bench.terminate(Duration::ZERO).await;
    let name = format!("delivery {id} → {}", peer.url("/hang"));
    let named = report.tasks.iter().find(|task| task.name == name);
    assert_eq!(named.map(|task| &task.outcome), Some(&Outcome::Aborted), "{report}");
    assert!(!format!("{report}{report:?}").contains("canary"));
    // It was given back before the dispatcher's report: the cleanup is a task of its set.
    let event = bench.event(id).await;
    assert_eq!((event.state, event.attempts), (State::Waiting, 0), "an attempt that was cut does not count");
    end(&bench.storage_set).await;
    peer.end().await;
}

#[tokio::test]
async fn a_delivery_that_panics_counts_as_a_failed_attempt() {
    let bench = Bench::start(3, 4).await;
    end(&bench.set).await;
    let id = bench.post("http://127.0.0.1:1/".to_owned()).await;
    let leased = bench.storage.lease(1).await.unwrap().leased;
    let set = TaskSet::new("deliveries");
    let connections = set.child("connections").unwrap();
    let client = Client::new(tls_config(None).unwrap(), connections.clone());
    let courier = Courier::new(client, AllowList::new(Vec::new()), Duration::from_secs(1), connections);
    let backoff = Backoff { min: Duration::from_secs(60), max: Duration::from_secs(60) };
    let policy = RetryPolicy { attempts_max: 3, backoff };
    let storage = bench.storage.clone();
    let office =
        Arc::new(Office { storage, courier, policy, tally: Arc::default(), stop: set.token(), set: set.downgrade() });
    let lease = Lease { id: leased[0].id, attempts: 0, state: LeaseState::Held, office };
    let task = set.spawn_with_handle("delivery", async move {
        let _lease = lease;
        panic!("planted");
    });
    assert!(task.unwrap().await.is_err());
    end(&set).await;
    let event = bench.event(id).await;
    assert_eq!(
        (event.state, event.attempts, event.error.as_deref()),
        (State::Waiting, 1, Some("the delivery panicked"))
    );
    end(&bench.storage_set).await;
}

#[tokio::test]
async fn a_storage_that_has_ended_ends_the_dispatcher() {
    let bench = Bench::start(3, 4).await;
    end(&bench.storage_set).await;
    bench.storage.closed().await;
    bench.end().await;
}

#[test]
fn the_last_attempt_is_the_last() {
    let backoff = Backoff { min: Duration::from_secs(1), max: Duration::from_secs(1) };
    let policy = RetryPolicy { attempts_max: 2, backoff };
    let error = || "no".to_owned();
    assert!(matches!(policy.after_failure(0, error()), Settlement::Retry { .. }));
    assert!(matches!(policy.after_failure(1, error()), Settlement::Dead { .. }));
    assert!(matches!(policy.after_failure(u32::MAX, error()), Settlement::Dead { .. }));
}
