//! A slow and obvious backlog: one list of requests, and the rules one after the other. The core must do the same, in
//! whatever order things happen; and cores that are at fault must be seen.

use proptest::prelude::*;

use super::*;

/// What becomes of a request in the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Waits,
    IsOut,
    /// The child still has it, and its caller was told.
    IsUnheard,
    Ended,
}

#[derive(Clone, Debug)]
struct One {
    bytes: usize,
    deadline: u64,
    was_committed: bool,
    fate: Fate,
}

/// Requests by number, from 1; that is their order too.
#[derive(Debug)]
struct Model {
    limits: Limits,
    all: Vec<One>,
    is_closed: bool,
    hands_back: bool,
    /// What callers were told: the number, and why; none for an answer.
    told: Vec<(u64, Option<Why>)>,
}

/// What happens. Requests that are out are picked by an index.
#[derive(Clone, Debug)]
enum Event {
    Put { bytes: usize, timeout: u64 },
    Commit { requests_max: usize, bytes_max: usize },
    Answer(usize),
    PutBack(usize),
    GiveUp(usize),
    Withdraw(usize),
    Pass(u64),
    Close,
    HandBack,
    Cut,
}

impl Model {
    fn held(&self) -> impl Iterator<Item = &One> {
        self.all.iter().filter(|one| one.fate != Fate::Ended)
    }

    fn bytes(&self) -> usize {
        self.held().map(|one| one.bytes).sum()
    }

    fn out(&self) -> Vec<usize> {
        let is_out = |one: &One| matches!(one.fate, Fate::IsOut | Fate::IsUnheard);
        (0..self.all.len()).filter(|at| is_out(&self.all[*at])).collect()
    }

    fn tell(&mut self, at: usize, why: Option<Why>) {
        self.told.push((at as u64 + 1, why));
    }

    /// What waits ends: as unknown if it was ever committed.
    fn end_waiting(&mut self, at: usize, why: Why) {
        self.all[at].fate = Fate::Ended;
        let why = if self.all[at].was_committed { Why::Unknown } else { why };
        if why != Why::Withdrawn {
            self.tell(at, Some(why));
        }
    }

    fn expire(&mut self, now: u64) {
        let mut due: Vec<_> = (0..self.all.len()).filter(|at| self.all[*at].deadline <= now).collect();
        due.sort_by_key(|at| self.all[*at].deadline);
        for at in due {
            match self.all[at].fate {
                Fate::Waits => self.end_waiting(at, Why::Expired),
                Fate::IsOut => self.unhear(at),
                Fate::IsUnheard | Fate::Ended => {}
            }
        }
    }

    fn unhear(&mut self, at: usize) {
        self.all[at].fate = Fate::IsUnheard;
        self.tell(at, Some(Why::Unknown));
    }

    /// Whether it is taken in.
    fn put(&mut self, bytes: usize, deadline: u64) -> bool {
        if self.is_closed || bytes > self.limits.bytes_max {
            return false;
        }
        let fits = |model: &Self| {
            model.held().count() < model.limits.requests_max && model.bytes() + bytes <= model.limits.bytes_max
        };
        let one = One { bytes, deadline, was_committed: false, fate: Fate::Waits };
        let mut later = Self { limits: self.limits.clone(), all: self.all.clone(), told: self.told.clone(), ..*self };
        match self.limits.when_full {
            WhenFull::Refuse if !fits(self) => return false,
            WhenFull::DropNewest if !fits(self) => {
                self.all.push(One { fate: Fate::Ended, ..one });
                self.tell(self.all.len() - 1, Some(Why::Dropped));
                return true;
            }
            _ => {}
        }
        while !fits(&later) {
            let oldest = later.all.iter().position(|one| one.fate == Fate::Waits && !one.was_committed);
            let Some(oldest) = oldest else { return false };
            later.end_waiting(oldest, Why::Dropped);
        }
        later.all.push(one);
        *self = later;
        true
    }

    fn commit(&mut self, requests_max: usize, bytes_max: usize) -> Vec<u64> {
        let (mut given, mut bytes) = (Vec::new(), 0);
        for at in 0..self.all.len() {
            if self.all[at].fate != Fate::Waits {
                continue;
            }
            bytes += self.all[at].bytes;
            if given.len() == requests_max || (bytes > bytes_max && !given.is_empty()) {
                break;
            }
            self.all[at].fate = Fate::IsOut;
            self.all[at].was_committed = true;
            given.push(at as u64 + 1);
        }
        given
    }

    /// The child lets one go.
    fn let_go(&mut self, at: usize, event: &Event) {
        let is_heard = self.all[at].fate == Fate::IsOut;
        self.all[at].fate = Fate::Ended;
        match event {
            _ if !is_heard => {}
            Event::Answer(_) => self.tell(at, None),
            Event::PutBack(_) if !self.hands_back => self.all[at].fate = Fate::Waits,
            _ => self.tell(at, Some(Why::Unknown)),
        }
    }

    fn hand_back(&mut self) {
        (self.is_closed, self.hands_back) = (true, true);
        for at in 0..self.all.len() {
            if self.all[at].fate == Fate::Waits {
                self.end_waiting(at, Why::HandedBack);
            }
        }
    }
}

/// What is wrong with a core on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Planted {
    Nothing,
    /// What was put back expires, or is dropped for a newcomer, as if it had never been committed.
    ForgetsCommit,
    /// What was put back comes last.
    PutsBackLast,
    /// What expires while it waits is given nevertheless.
    GivesExpired,
    /// What was answered counts for ever.
    KeepsAnswered,
    /// What is lost after the end waits on.
    KeepsLost,
}

/// The core, with what the child has.
struct Tried {
    core: Core<u64, u64>,
    out: BTreeMap<Number, u64>,
    planted: Planted,
    now: u64,
}

impl Tried {
    fn now(&self) -> Duration {
        Duration::from_secs(self.now)
    }

    fn do_to_out(&mut self, number: Number, event: &Event) -> Option<u64> {
        let request = self.out.remove(&number)?;
        match event {
            Event::Answer(_) if self.planted == Planted::KeepsAnswered => {
                return self.core.out.get_mut(&number)?.held.reply.take();
            }
            Event::Answer(_) => return self.core.answer(number),
            Event::PutBack(_) => self.put_back(number, request),
            _ => self.core.give_up(number, request),
        }
        None
    }

    fn put_back(&mut self, number: Number, request: u64) {
        if self.planted == Planted::KeepsLost && self.core.phase == Phase::Closed {
            self.core.phase = Phase::Drains;
        }
        self.core.put_back(number, request, self.now());
        let Some(mut waiting) = self.core.waiting.remove(&number) else { return };
        if self.planted == Planted::ForgetsCommit {
            waiting.stage = Stage::Queued;
        }
        let number = if self.planted == Planted::PutsBackLast { self.core.next_number() } else { number };
        self.core.waiting.insert(number, waiting);
    }

    fn commit(&mut self, requests_max: usize, bytes_max: usize) -> Vec<u64> {
        // A clock that lags gives what is due by the right one.
        let now = if self.planted == Planted::GivesExpired { Duration::ZERO } else { self.now() };
        let given = self.core.commit(requests_max, bytes_max, now);
        self.out.extend(given.iter().map(|given| (given.number, given.request)));
        given.into_iter().map(|given| given.request).collect()
    }
}

/// Whether the core does what the model does, all the way.
fn agree(limits: &Limits, events: &[Event], planted: Planted) -> Result<(), String> {
    let (all, told) = (Vec::new(), Vec::new());
    let mut model = Model { limits: limits.clone(), all, is_closed: false, hands_back: false, told };
    let mut tried = Tried { core: Core::new(limits.clone()), out: BTreeMap::new(), planted, now: 0 };
    for event in events {
        let mut told = Vec::new();
        let same = match event {
            Event::Put { bytes, timeout } => {
                model.expire(tried.now);
                let next = model.all.len() as u64 + 1;
                let deadline = tried.now + timeout;
                let put = tried.core.put(next, next, (*bytes, Duration::from_secs(deadline)), tried.now());
                put.is_ok() == model.put(*bytes, deadline)
            }
            Event::Commit { requests_max, bytes_max } => {
                model.expire(tried.now);
                tried.commit(*requests_max, *bytes_max) == model.commit(*requests_max, *bytes_max)
            }
            Event::Answer(pick) | Event::PutBack(pick) | Event::GiveUp(pick) => {
                let out = model.out();
                let Some(at) = out.get(pick % out.len().max(1)).copied() else { continue };
                model.let_go(at, event);
                if matches!(event, Event::PutBack(_)) {
                    model.expire(tried.now);
                }
                let number =
                    tried.out.iter().find(|(_, request)| **request == at as u64 + 1).map(|(number, _)| *number);
                let Some(number) = number else { return Err(format!("{at} is not out")) };
                told.extend(tried.do_to_out(number, event).map(|reply| (reply, None)));
                true
            }
            Event::Withdraw(pick) => {
                let at = pick % model.all.len().max(1);
                if model.all.get(at).is_some_and(|one| one.fate == Fate::Waits && !one.was_committed) {
                    model.end_waiting(at, Why::Withdrawn);
                }
                tried.core.withdraw(Number(at as u64 + 1));
                true
            }
            Event::Pass(secs) => {
                tried.now += secs;
                model.expire(tried.now);
                if planted != Planted::GivesExpired {
                    tried.core.tick(tried.now());
                }
                true
            }
            Event::Close => {
                model.is_closed = true;
                tried.core.close();
                true
            }
            Event::HandBack => {
                model.hand_back();
                tried.core.hand_back();
                true
            }
            Event::Cut => {
                model.hand_back();
                let is_heard = |at: &usize| model.all[*at].fate == Fate::IsOut;
                let heard: Vec<_> = model.out().into_iter().filter(is_heard).collect();
                heard.into_iter().for_each(|at| model.unhear(at));
                tried.core.cut();
                true
            }
        };
        let ended = tried.core.take_ended().into_iter();
        told.extend(
            ended.filter(|ended| ended.why != Why::Withdrawn).filter_map(|ended| Some((ended.reply?, Some(ended.why)))),
        );
        let (told, expected) = (sorted(told), sorted(std::mem::take(&mut model.told)));
        let held = (tried.core.held(), tried.core.bytes());
        if !same || told != expected || held != (model.held().count(), model.bytes()) {
            return Err(format!("after {event:?}: {told:?} and not {expected:?}; {held:?}; {model:?}"));
        }
    }
    let counts = tried.core.counts();
    let ended =
        counts.answered + counts.unknown + counts.expired + counts.dropped + counts.withdrawn + counts.handed_back;
    let unheard = model.all.iter().filter(|one| matches!(one.fate, Fate::Waits | Fate::IsOut)).count() as u64;
    if counts.taken_in != ended + unheard { Err(format!("{counts:?} and {unheard}")) } else { Ok(()) }
}

/// In which order callers hear within one step says nothing.
fn sorted(mut told: Vec<(u64, Option<Why>)>) -> Vec<(u64, Option<Why>)> {
    told.sort_by_key(|(number, _)| *number);
    told
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (0..60_usize, 0..20_u64).prop_map(|(bytes, timeout)| Event::Put { bytes, timeout }),
        6 => (0..4_usize, 0..60_usize).prop_map(|(requests_max, bytes_max)| Event::Commit { requests_max, bytes_max }),
        2 => any::<usize>().prop_map(Event::Answer),
        4 => any::<usize>().prop_map(Event::PutBack),
        1 => any::<usize>().prop_map(Event::GiveUp),
        1 => any::<usize>().prop_map(Event::Withdraw),
        4 => (0..6_u64).prop_map(Event::Pass),
    ]
}

/// Ends, if at all, near the end.
fn history() -> impl Strategy<Value = (Limits, Vec<Event>)> {
    let when_full = prop_oneof![Just(WhenFull::Refuse), Just(WhenFull::DropOldest), Just(WhenFull::DropNewest)];
    let limits = (1..6_usize, 1..100_usize, when_full).prop_map(|(requests_max, bytes_max, when_full)| Limits {
        requests_max,
        bytes_max,
        when_full,
        ..Limits::default()
    });
    let close =
        prop_oneof![Just(vec![]), Just(vec![Event::Close]), Just(vec![Event::HandBack]), Just(vec![Event::Cut])];
    let events = proptest::collection::vec(event(), 0..40);
    (limits, events, close, proptest::collection::vec(event(), 0..10))
        .prop_map(|(limits, first, close, last)| (limits, first.into_iter().chain(close).chain(last).collect()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_backlog_does_what_the_model_does((limits, events) in history()) {
        let agreed = agree(&limits, &events, Planted::Nothing);
        prop_assert!(agreed.is_ok(), "{}", agreed.unwrap_err());
    }
}

/// The model would see each of these.
#[test]
fn a_core_at_fault_is_seen() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let histories: Vec<_> = (0..2_000).map(|_| history().new_tree(&mut runner).unwrap().current()).collect();
    let planted = [
        Planted::ForgetsCommit,
        Planted::PutsBackLast,
        Planted::GivesExpired,
        Planted::KeepsAnswered,
        Planted::KeepsLost,
    ];
    for planted in planted {
        let is_seen = histories.iter().any(|(limits, events)| agree(limits, events, planted).is_err());
        assert!(is_seen, "{planted:?}");
    }
    assert!(histories.iter().all(|(limits, events)| agree(limits, events, Planted::Nothing).is_ok()));
}
