//! Clients that post events to a relay that comes and goes, until each event was accepted.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::http::Client;
use crate::journal::{EventId, Journal, Number};

/// Time for each step of a request.
const STEP: Duration = Duration::from_secs(10);

/// How long a client that was refused waits for the relay to be replaced before it asks the same one again.
const PAUSE: Duration = Duration::from_millis(20);

/// The load: how many events, whereto, and what became of each post.
#[derive(Debug)]
pub struct Load {
    target: String,
    events: u64,
    next: AtomicU64,
    /// So many of them are posted only once there is the last relay.
    kept_back: AtomicU64,
    relay: Mutex<Current>,
    changed: Condvar,
    journal: Mutex<Journal>,
    /// Posts that were refused as they may be: no connection, or 503.
    pub refused: AtomicU64,
    /// Posts that got no answer, and may have been accepted all the same.
    pub unanswered: AtomicU64,
    odd: Mutex<Vec<u16>>,
}

#[derive(Clone, Copy, Debug)]
enum Current {
    /// There is a relay; it has this number.
    Up(SocketAddr, u64),
    /// There was one with this number.
    Down(u64),
    /// There will be none any more.
    Over,
}

enum Posted {
    Accepted(EventId),
    Refused,
    Unanswered,
    /// A status that nothing about these posts explains.
    Odd(u16),
}

impl Load {
    /// A load of so many events, of which so many are kept back until [`Self::release`].
    pub fn new(target: String, events: u64, kept_back: u64) -> Self {
        Self {
            target,
            events,
            next: AtomicU64::new(0),
            kept_back: AtomicU64::new(kept_back),
            relay: Mutex::new(Current::Down(0)),
            changed: Condvar::new(),
            journal: Mutex::default(),
            refused: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            odd: Mutex::default(),
        }
    }

    /// Posts with so many clients while `work` goes on; when that has ended they stop.
    pub fn during<T>(&self, clients: usize, deadline: Deadline, work: impl FnOnce() -> T) -> T {
        thread::scope(|scope| {
            let over = OverAtEnd(self);
            for _ in 0..clients {
                scope.spawn(|| self.post_all(deadline));
            }
            let result = work();
            drop(over);
            result
        })
    }

    /// Says where the relay is now, or that it is gone.
    pub fn direct(&self, address: Option<SocketAddr>) {
        let mut relay = lock(&self.relay);
        *relay = match (*relay, address) {
            (Current::Down(number) | Current::Up(_, number), Some(address)) => Current::Up(address, number + 1),
            (Current::Down(number) | Current::Up(_, number), None) => Current::Down(number),
            (Current::Over, _) => Current::Over,
        };
        drop(relay);
        self.changed.notify_all();
    }

    /// Posts what was kept back, too.
    pub fn release(&self) {
        // Under the lock: a client has looked and waits, or looks after this.
        let relay = lock(&self.relay);
        self.kept_back.store(0, Ordering::Relaxed);
        drop(relay);
        self.changed.notify_all();
    }

    /// How many events were accepted so far.
    pub fn accepted(&self) -> u64 {
        u64::try_from(lock(&self.journal).len()).unwrap_or(u64::MAX)
    }

    /// What was accepted so far.
    pub fn journal(&self) -> Journal {
        lock(&self.journal).clone()
    }

    /// Statuses that nothing about these posts explains.
    pub fn odd(&self) -> Vec<u16> {
        lock(&self.odd).clone()
    }

    fn post_all(&self, deadline: Deadline) {
        let mut client = None;
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.events || !self.post_until_accepted(Number(number), &mut client, deadline) {
                return;
            }
        }
    }

    /// `false` if the load is over before.
    fn post_until_accepted(&self, number: Number, client: &mut Option<(Client, u64)>, deadline: Deadline) -> bool {
        let body = serde_json::json!({ "target": self.target, "body": { "number": number.0 } }).to_string();
        loop {
            let Some((address, life)) = self.wait_for_relay(number, deadline) else { return false };
            if client.as_ref().is_some_and(|(_, of)| *of != life) {
                *client = None;
            }
            match post(client, address, life, body.as_bytes()) {
                Posted::Accepted(id) => {
                    lock(&self.journal).accept(id, number);
                    return true;
                }
                Posted::Refused => self.refused.fetch_add(1, Ordering::Relaxed),
                Posted::Unanswered => self.unanswered.fetch_add(1, Ordering::Relaxed),
                Posted::Odd(status) => {
                    lock(&self.odd).push(status);
                    0
                }
            };
            *client = None;
            self.wait_for_change(life);
        }
    }

    fn wait_for_relay(&self, number: Number, deadline: Deadline) -> Option<(SocketAddr, u64)> {
        let mut relay = lock(&self.relay);
        loop {
            let may_post = number.0 < self.events.saturating_sub(self.kept_back.load(Ordering::Relaxed));
            match *relay {
                Current::Up(address, life) if may_post => return Some((address, life)),
                Current::Over => return None,
                _ if deadline.is_over() => return None,
                _ => {}
            }
            let waited = self.changed.wait_timeout(relay, deadline.remaining());
            relay = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn wait_for_change(&self, life: u64) {
        let is_same = |relay: &mut Current| matches!(relay, Current::Up(_, of) if *of == life);
        drop(self.changed.wait_timeout_while(lock(&self.relay), PAUSE, is_same));
    }
}

/// Ends the clients, also when the work panics: the scope waits for them.
struct OverAtEnd<'a>(&'a Load);

impl Drop for OverAtEnd<'_> {
    fn drop(&mut self) {
        *lock(&self.0.relay) = Current::Over;
        self.0.changed.notify_all();
    }
}

fn post(client: &mut Option<(Client, u64)>, address: SocketAddr, life: u64, body: &[u8]) -> Posted {
    if client.is_none() {
        *client = Client::connect(address, STEP).ok().map(|connected| (connected, life));
    }
    let Some((connected, _)) = client else { return Posted::Refused };
    let Ok(answer) = connected.post("/events", body) else { return Posted::Unanswered };
    if answer.is_last {
        *client = None;
    }
    let id = answer.json()["id"].as_i64();
    match (answer.status, id) {
        (202, Some(id)) => Posted::Accepted(EventId(id)),
        (503, _) => Posted::Refused,
        (status, _) => Posted::Odd(status),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Reply, Request, Server};

    /// Every third post is refused, the first of these oddly; each event is accepted once nevertheless.
    #[test]
    fn each_event_is_posted_until_it_is_accepted() {
        let server = Server::bind("127.0.0.1:0").expect("a free port");
        let posts = AtomicU64::new(0);
        let answer = |_: Request| match posts.fetch_add(1, Ordering::Relaxed) {
            1 => Reply::Answer(500, "{}".to_owned()),
            post if post % 3 == 1 => Reply::Answer(503, "{}".to_owned()),
            post => Reply::Answer(202, format!(r#"{{"id": {post}}}"#)),
        };
        let load = Load::new("http://127.0.0.1:1/".to_owned(), 40, 0);
        let deadline = Deadline::after(Duration::from_secs(60));
        server.during(4, answer, || {
            load.during(4, deadline, || {
                load.direct(Some(server.address()));
                assert!(deadline.poll(|| (load.accepted() == 40).then_some(())).is_some());
            });
        });
        assert!(load.refused.load(Ordering::Relaxed) >= 18, "{load:?}");
        assert_eq!(load.odd(), [500]);
    }

    /// Each client draws one of those that are kept back, and waits with it.
    #[test]
    fn what_is_kept_back_is_posted_once_it_is_released() {
        let server = Server::bind("127.0.0.1:0").expect("a free port");
        let posts = AtomicU64::new(0);
        let answer = |_: Request| Reply::Answer(202, format!(r#"{{"id": {}}}"#, posts.fetch_add(1, Ordering::Relaxed)));
        let load = Load::new("http://127.0.0.1:1/".to_owned(), 40, 8);
        let deadline = Deadline::after(Duration::from_secs(60));
        let reaches = |accepted, drawn| {
            let is_so = || load.accepted() == accepted && load.next.load(Ordering::Relaxed) == drawn;
            deadline.poll(|| is_so().then_some(())).is_some()
        };
        server.during(4, answer, || {
            load.during(4, deadline, || {
                load.direct(Some(server.address()));
                assert!(reaches(32, 36), "{load:?}");
                load.release();
                assert!(reaches(40, 44), "{load:?}");
            });
        });
    }

    #[test]
    fn clients_stop_with_the_work_though_there_never_was_a_relay() {
        let load = Load::new("http://127.0.0.1:1/".to_owned(), 40, 0);
        load.during(4, Deadline::after(Duration::from_secs(60)), || ());
        assert!(load.journal().is_empty());
    }
}
