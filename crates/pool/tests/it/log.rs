//! What the crate logs, captured for the whole process and told apart by the pool's name.

use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::sync::{Mutex, Once, PoisonError};

use landfall_pool::{FixedResolver, Handle, Pool, Standing};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::fake::{Mode, Net, backend};
use crate::harness::{MS, SECOND, claim_all, end, named, plain};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Capture;

impl Subscriber for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::DEBUG && metadata.target().starts_with("landfall")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        LINES.lock().unwrap_or_else(PoisonError::into_inner).push(line.0);
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _infallible = write!(self.0, " {}={value:?}", field.name());
    }
}

/// Begins to capture; every test that asks for lines calls it first.
pub(crate) fn capture() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| tracing::subscriber::set_global_default(Capture).unwrap());
}

/// The names of the fields of the lines so far.
fn fields(lines: &[String]) -> BTreeSet<&str> {
    let words = lines.iter().flat_map(|line| line.split_whitespace());
    words.filter_map(|word| word.split_once('=')).map(|(name, _)| name).filter(|name| !name.contains('"')).collect()
}

/// The lines so far about a pool that contain `text`.
pub(crate) fn lines_with(pool: &str, text: &str) -> Vec<String> {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.iter().filter(|line| line.contains(pool) && line.contains(text)).cloned().collect()
}

/// One word for one thing: the names that the whole house uses, and what only a pool has.
const WORDS: &[&str] = &[
    "backend.addr",
    "backends",
    "change",
    "check",
    "claimed",
    "elapsed",
    "error",
    "holders",
    "idle",
    "loc.file",
    "loc.line",
    "message",
    "pool.name",
    "slot.id",
    "time",
    "why",
];

#[test]
fn what_is_logged_has_the_words_of_the_house() {
    capture();
    crate::harness::paused(|| async {
        let net = Net::default();
        let mut policy = plain(2);
        policy.held_report_after = Some(SECOND);
        policy.keepalive = Some(SECOND);
        let pool = named("worded", &net, policy);
        let held = pool.claim().await.unwrap();
        drop(pool.claim().await.unwrap());
        net.set_hook("is_valid", Mode::Fails);
        tokio::time::sleep(2 * SECOND).await;
        drop(held);
        net.set(0, Mode::Fails);
        net.set_hook("close", Mode::Hangs);
        pool.evict();
        assert!(pool.claim_within(SECOND).await.is_err());
        tokio::time::sleep(10 * SECOND).await;
        net.set_hook("close", Mode::Works);
        end(&pool, &net).await;
    });
    check(
        "worded",
        &[
            ("INFO", "pool started"),
            ("DEBUG", "backends resolved"),
            ("DEBUG", "connected"),
            ("DEBUG", "closed"),
            ("DEBUG", "check failed"),
            ("WARN", "connect failed"),
            ("WARN", "connection held for long"),
            ("INFO", "long-held connection came back"),
            ("WARN", "the end of a connection was not seen"),
        ],
    );
}

#[test]
fn an_ejection_and_the_return_are_logged() {
    capture();
    crate::harness::paused(|| async {
        let net = Net::default();
        let mut policy = plain(4);
        (policy.slots_min, policy.trial_uses) = (4, 1);
        let resolver = FixedResolver::new([backend(0), backend(1)]);
        let pool =
            Pool::builder("ejects").resolver(resolver).connector(net.connector()).policy(policy).build().unwrap();
        pool.warm_up().await.unwrap();
        let standing = || pool.stats().backends[0].standing;
        while standing() == Standing::Full {
            let handles = claim_all(&pool, 4).await;
            handles.into_iter().filter(|handle| *handle.backend() == backend(0)).for_each(Handle::discard);
            tokio::time::sleep(MS).await;
        }
        while standing() != Standing::Full {
            tokio::time::sleep(100 * MS).await;
            drop(claim_all(&pool, 4).await);
        }
        end(&pool, &net).await;
    });
    check("ejects", &[("WARN", "backend ejected"), ("INFO", "backend comes back")]);
}

/// What is logged of this pool has these lines, and no other words than those of the house.
#[track_caller]
fn check(pool: &str, expected: &[(&str, &str)]) {
    let lines = lines_with(&format!("pool.name={pool:?}"), "");
    for (level, message) in expected {
        let is_there = |line: &String| line.starts_with(level) && line.contains(&format!("message={message}"));
        assert!(lines.iter().any(is_there), "no {message:?} at {level} in {lines:#?}");
    }
    let strange: Vec<_> = fields(&lines).into_iter().filter(|name| !WORDS.contains(name)).collect();
    assert!(strange.is_empty(), "{strange:?}");
}
