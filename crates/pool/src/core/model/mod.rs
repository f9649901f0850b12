//! The core beside a slow, obvious model of it: random operations in any order, the outcome of each judged, the whole
//! compared after each.
//!
//! `LANDFALL_POOL_SEED=7 cargo test -p landfall-pool --lib model` runs one seed.

mod judge;
mod listener;
mod ranks;
mod standings;
mod steps;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;
use std::time::Duration;

use self::listener::Listener;
use self::ranks::Ranks;
use super::standing::Tried;
use super::{At, Back, Core, Effects, Hold, Random, SlotId, Wait, Waiter, WaiterId};
use crate::policy::Policy;

const SEEDS: u64 = 3_000;
const STEPS: usize = 300;

/// A connection, told from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Conn(u64);

/// What the harness does wrong on purpose, as a faulty core would: the judge must see each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tamper {
    Nothing,
    /// A connection that comes back broken is given back as a fit one.
    BrokenIsFit,
    /// The connection of a cancelled grant is dropped on the floor.
    ForgetCancelledGrant,
    /// A grant goes to the second in line.
    SecondIsFirst,
    /// A closed connection is not reported: its slot stays taken.
    ForgetClosed,
    /// One connection is handed to two holders.
    TwoHolders,
    /// A listener is not told of every change.
    LoseEvents,
    /// Backends are all alike, whatever their priorities and weights.
    ForgetRanks,
}

/// Where the model has a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the core's hands: idle or granted.
    Core,
    Held,
    Task,
}

struct Model {
    core: Core<Conn>,
    listener: Listener,
    tamper: Tamper,
    random: Random,
    now: At,
    next: u64,
    /// Everything that lives, and where.
    conns: BTreeMap<Conn, Place>,
    /// No longer to be handed out, ever.
    spoilt: BTreeSet<Conn>,
    held: Vec<(SlotId, Conn)>,
    /// Those of them whose holders have reported a failure.
    reported: BTreeSet<Conn>,
    connecting: Vec<SlotId>,
    checking: Vec<(SlotId, Conn)>,
    closing: Vec<(SlotId, Conn)>,
    /// In order of arrival, as far as they have not been served.
    line: VecDeque<WaiterId>,
    /// Granted or failed, or being validated: everybody else who waits.
    aside: Vec<WaiterId>,
    is_closed: bool,
    slots_max: usize,
    /// The backends that the resolver has, as bits.
    set: u8,
    ranks: Ranks,
}

fn policy(random: &mut Random) -> Policy {
    let slots_max = 1 + random.below(6);
    Policy {
        slots_max,
        slots_per_backend_max: (random.below(2) == 0).then(|| 1 + random.below(slots_max)),
        spares_wanted: random.below(slots_max.min(3)),
        waiters_max: 8,
        claim_timeout: Duration::from_millis(400),
        lifetime_max: Some(Duration::from_secs(2)),
        idle_timeout: Some(Duration::from_secs(1)),
        keepalive: Some(Duration::from_millis(700)),
        validate_after: Some(Duration::from_millis(300)),
        rebalance_interval: (random.below(4) > 0).then_some(Duration::from_millis(200)),
        ejection_failures: (random.below(4) > 0).then(|| 1 + random.below(3)),
        ejection_failure_percent: (random.below(4) > 0).then_some(50),
        ejection_uses_min: 2 + random.below(4),
        ejection_window: Duration::from_millis(500),
        ejection_time: Duration::from_millis(100),
        ejection_time_max: Duration::from_millis(400),
        ejected_percent_max: [0, 50, 70, 100][random.below(4)],
        trial_uses: 1 + random.below(3),
        ..Policy::default()
    }
}

impl Model {
    fn new(seed: u64, tamper: Tamper) -> Self {
        let mut random = Random::seeded(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let policy = policy(&mut random);
        let (slots_max, ranks) = (policy.slots_max, Ranks::draw(&mut random));
        let core = Core::new(policy, Random::seeded(random.next()));
        let mut model = Self {
            listener: Listener::new(&core),
            core,
            tamper,
            random,
            now: At::default(),
            next: 0,
            conns: BTreeMap::new(),
            spoilt: BTreeSet::new(),
            held: Vec::new(),
            reported: BTreeSet::new(),
            connecting: Vec::new(),
            checking: Vec::new(),
            closing: Vec::new(),
            line: VecDeque::new(),
            aside: Vec::new(),
            is_closed: false,
            slots_max,
            set: 0b111,
            ranks,
        };
        model.resolve();
        model
    }

    /// The resolver gives a set.
    fn resolve(&mut self) {
        let effects = self.core.set_backends(self.backends(), self.now);
        self.absorb(effects);
        self.judge_preference();
    }

    /// Takes over what the core asks for. The model does it later, in any order.
    fn absorb(&mut self, effects: Effects<Conn>) {
        let (_, rest) = effects.into_parts();
        if let Some(rest) = rest {
            for (slot, backend) in rest.connect {
                self.judge_connect(&backend);
                self.connecting.push(slot);
            }
            for (slot, conn, _) in rest.check {
                self.moves(conn, Place::Task);
                self.checking.push((slot, conn));
            }
            for (slot, conn) in rest.close {
                self.moves(conn, Place::Task);
                self.spoilt.insert(conn);
                self.closing.push((slot, conn));
            }
        }
        self.follow_the_line();
    }

    fn absorb_back(&mut self, back: Back<Conn>) {
        match back {
            Back::Idle => assert!(self.line.is_empty(), "it is idle beside claims in line"),
            Back::Passed { .. } => self.follow_the_line(),
            Back::Other(effects) => self.absorb(effects),
        }
    }

    /// Who has left the line must have been first in it.
    fn follow_the_line(&mut self) {
        if self.tamper == Tamper::SecondIsFirst && self.line.len() > 1 {
            self.line.swap(0, 1);
        }
        let mut may_go = true;
        let mut stay = VecDeque::new();
        for id in std::mem::take(&mut self.line) {
            match self.core.queue.wait(id) {
                Some(Wait::Queued) => {
                    may_go = false;
                    stay.push_back(id);
                }
                Some(Wait::Granted { .. } | Wait::Prepared { .. } | Wait::Checking) => {
                    assert!(may_go, "{id:?} was served before one that came earlier");
                    self.aside.push(id);
                }
                Some(Wait::Failed(_)) => self.aside.push(id),
                other => panic!("{id:?} in line became {other:?}"),
            }
        }
        self.line = stay;
        // Those who were served and got nothing come back at the head.
        for id in std::mem::take(&mut self.aside) {
            if self.core.queue.wait(id) == Some(Wait::Queued) {
                self.line.push_front(id);
            } else {
                self.aside.push(id);
            }
        }
        // Several may have come back: the core knows in which order.
        let first = self.core.queue.first();
        if let Some(place) = self.line.iter().position(|id| Some(*id) == first) {
            self.line.swap(0, place);
        }
    }

    /// The time as the coarse clock tells it, which claims and releases go by.
    fn recent(&self) -> At {
        const TICK: u64 = 10_000_000;
        At::from_nanos(self.now.nanos_since(At::default()) / TICK * TICK)
    }

    fn hold_of(&mut self) -> Hold {
        Hold { since: self.recent(), is_timed: self.random.below(2) == 0 }
    }

    fn moves(&mut self, conn: Conn, to: Place) {
        let from = self.conns.insert(conn, to);
        assert!(from.is_some_and(|from| from != to), "{conn:?} went from {from:?} to {to:?}");
    }

    fn hold(&mut self, slot: SlotId, conn: Conn) {
        assert!(!self.spoilt.contains(&conn), "{conn:?} is no good and was handed out");
        assert_eq!(self.conns.insert(conn, Place::Held), Some(Place::Core), "{conn:?} has a holder already");
        self.held.push((slot, conn));
        if self.tamper == Tamper::TwoHolders && self.random.below(8) == 0 {
            self.hold(slot, conn);
        }
    }

    fn pick<T>(random: &mut Random, from: &mut Vec<T>) -> Option<T> {
        (!from.is_empty()).then(|| from.swap_remove(random.below(from.len())))
    }

    fn tried(&mut self, slot: SlotId, tried: Tried, is_well: bool) {
        self.listener.standings.tried(&self.core, slot.index, tried, is_well, self.now);
    }

    /// A holder is done with a connection, of which nothing more is learnt if he has reported a failure.
    fn used(&mut self, slot: SlotId, conn: Conn, is_well: bool) {
        if !self.reported.remove(&conn) {
            self.tried(slot, Tried::Use, is_well);
        }
    }

    fn waiter(&self) -> Waiter {
        let deadline = self.now.plus(self.core.policy().claim_timeout);
        Waiter { waker: Waker::noop().clone(), began: self.now, deadline }
    }

    fn step(&mut self) {
        match self.random.below(22) {
            0..=5 => self.claim(),
            6..=8 => self.give_back(),
            9..=10 => self.poll(),
            11 => self.cancel(),
            12..=14 => self.connect_over(),
            15 => self.check_over(),
            16..=17 => self.closed(),
            18..=19 => self.pass_time(),
            20 => self.try_claim(),
            _ => self.rare(),
        }
        self.listener.follow(&self.core, self.now, self.tamper);
        self.judge();
    }
}

fn run(seed: u64, tamper: Tamper) {
    let mut model = Model::new(seed, tamper);
    for _ in 0..STEPS {
        model.step();
    }
    model.settle();
}

#[test]
fn the_core_does_what_the_model_does() {
    let one = std::env::var("LANDFALL_POOL_SEED").ok().map(|seed| seed.parse().expect("a number"));
    for seed in one.map_or(0..SEEDS, |seed| seed..seed + 1) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(seed, Tamper::Nothing))) {
            eprintln!("LANDFALL_POOL_SEED={seed} cargo test -p landfall-pool --lib model");
            std::panic::resume_unwind(panic);
        }
    }
}

/// The judge sees this fault within fifty seeds.
#[track_caller]
fn check_seen(fault: Tamper) {
    let is_seen = |seed| catch_unwind(AssertUnwindSafe(|| run(seed, fault))).is_err();
    assert!((0..50).any(is_seen), "{fault:?} was not seen");
}

#[test]
fn a_broken_connection_that_is_handed_out_again_is_seen() {
    check_seen(Tamper::BrokenIsFit);
}

#[test]
fn a_connection_that_is_lost_with_a_dropped_claim_is_seen() {
    check_seen(Tamper::ForgetCancelledGrant);
}

#[test]
fn a_claim_that_overtakes_another_is_seen() {
    check_seen(Tamper::SecondIsFirst);
}

#[test]
fn a_slot_that_is_never_free_again_is_seen() {
    check_seen(Tamper::ForgetClosed);
}

#[test]
fn an_event_that_is_lost_is_seen() {
    check_seen(Tamper::LoseEvents);
}

#[test]
fn a_choice_that_heeds_no_ranks_is_seen() {
    check_seen(Tamper::ForgetRanks);
}

#[test]
fn a_connection_with_two_holders_is_seen() {
    check_seen(Tamper::TwoHolders);
}
