//! A relay that is wrong on purpose: it keeps events in memory, and has a fault besides.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::io;
use std::process::ExitCode;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::http::{Client, Reply, Request, Server};
use crate::random::Random;

const THREADS: usize = 16;

/// Time between two deliveries: at every moment there is something to lose.
const BETWEEN: Duration = Duration::from_millis(5);

/// Longer than anybody should wait for a relay that was told to end.
const DEAF: Duration = Duration::from_secs(60);

/// What is wrong with it, besides that nothing is ever stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Nothing: it loses events, and says at its end that all is well.
    Lossy,
    /// It does not hear signals.
    Deaf,
    /// It panics at what it does not understand.
    Panicky,
    /// It prints the whole target of each event.
    Chatty,
}

impl Fault {
    fn of(args: &[String]) -> Option<Self> {
        let at = args.iter().position(|arg| arg == "--fault")?;
        match args.get(at + 1)?.as_str() {
            "lossy" => Some(Self::Lossy),
            "deaf" => Some(Self::Deaf),
            "panicky" => Some(Self::Panicky),
            "chatty" => Some(Self::Chatty),
            _ => None,
        }
    }
}

struct Event {
    id: i64,
    address: String,
    body: Value,
}

struct Relay {
    fault: Fault,
    next: AtomicI64,
    waiting: Mutex<VecDeque<Event>>,
    states: Mutex<BTreeMap<i64, &'static str>>,
}

/// Runs it until a signal; its options are the relay's, and all but `--fault` are ignored.
pub fn main(args: Vec<String>) -> ExitCode {
    let Some(fault) = Fault::of(&args) else {
        eprintln!("say what is wrong with it: --fault lossy, deaf, panicky or chatty");
        return ExitCode::from(2);
    };
    match serve(fault) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(fault: Fault) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let mut signals = runtime
        .block_on(async { Ok::<_, io::Error>((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)) })?;
    let server = Server::bind("127.0.0.1:0")?;
    // No id comes again after a restart, as with a relay that keeps something.
    let first = i64::try_from(Random::new(Random::draw_seed()).number() >> 16).unwrap_or(1);
    let relay = Relay { fault, next: AtomicI64::new(first), waiting: Mutex::default(), states: Mutex::default() };
    eprintln!("listening on http://{}", server.address());
    server.during(
        THREADS,
        |request| relay.answer(&request),
        || {
            thread::scope(|scope| {
                scope.spawn(|| relay.deliver_for_ever());
                let (terminate, interrupt) = (&mut signals.0, &mut signals.1);
                runtime.block_on(poll_fn(|cx| {
                    let came = terminate.poll_recv(cx).is_ready() || interrupt.poll_recv(cx).is_ready();
                    if came { Poll::Ready(()) } else { Poll::Pending }
                }));
                if fault == Fault::Deaf {
                    thread::sleep(DEAF);
                }
                // What waits is lost here, and the report does not tell.
                println!("{}", json!({ "name": "relay", "clean": true, "tasks": [], "children": [] }));
                std::process::exit(0)
            })
        },
    )
}

impl Relay {
    fn answer(&self, request: &Request) -> Reply {
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/events") => self.accept(request),
            ("GET", "/healthz" | "/readyz") => Reply::Answer(200, "{}".to_owned()),
            ("GET", path) => self.show(path),
            _ => Reply::Answer(405, "{}".to_owned()),
        }
    }

    fn accept(&self, request: &Request) -> Reply {
        let posted: Option<Value> = serde_json::from_slice(&request.body).ok();
        let posted = match self.fault {
            Fault::Panicky => posted.expect("planted: the body is no JSON"),
            Fault::Lossy | Fault::Deaf | Fault::Chatty => posted.unwrap_or_default(),
        };
        let target = posted["target"].as_str().unwrap_or_default();
        let address = target.trim_start_matches("http://").split('/').next().unwrap_or_default().to_owned();
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        if self.fault == Fault::Chatty {
            eprintln!("accepted {id} for {target}");
        }
        lock(&self.states).insert(id, "waiting");
        lock(&self.waiting).push_back(Event { id, address, body: posted["body"].clone() });
        // The fault itself: nothing is on a disk, and it is said to be.
        Reply::Answer(202, json!({ "id": id }).to_string())
    }

    fn show(&self, path: &str) -> Reply {
        let id = path.strip_prefix("/events/").and_then(|id| id.parse::<i64>().ok());
        match id.and_then(|id| lock(&self.states).get(&id).copied()) {
            Some(state) => Reply::Answer(200, json!({ "state": state }).to_string()),
            None => Reply::Answer(404, "{}".to_owned()),
        }
    }

    fn deliver_for_ever(&self) {
        loop {
            thread::sleep(BETWEEN);
            let Some(event) = lock(&self.waiting).pop_front() else { continue };
            if deliver(&event).is_ok() {
                lock(&self.states).insert(event.id, "delivered");
            }
        }
    }
}

fn deliver(event: &Event) -> io::Result<()> {
    let address = event.address.parse().map_err(io::Error::other)?;
    let body = event.body.to_string();
    let (id, length) = (event.id, body.len());
    let head = format!("POST /hook HTTP/1.1\r\nrelay-event-id: {id}\r\ncontent-length: {length}\r\n\r\n");
    Client::connect(address, DEAF)?.send(format!("{head}{body}").as_bytes()).map(|_| ())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
