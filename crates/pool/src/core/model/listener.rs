//! Somebody who listens to the events and nothing else, and must come to the same picture as the core has.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::FutureExt;

use super::standings::Standings;
use super::{Conn, Tamper};
use crate::backend::Backend;
use crate::change::{BackendChange, PoolChange, PoolEvent, SlotChange, SlotId};
use crate::core::{At, Core, Kind};
use crate::events::Events;

/// What the events say of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Connecting,
    Open,
    Checking,
    Closing,
}

#[derive(Debug)]
pub(super) struct Listener {
    events: Events,
    stages: HashMap<SlotId, Stage>,
    /// The backends that the resolver has, by their addresses whatever their ranks, and whether each is failing.
    backends: HashMap<SocketAddr, bool>,
    pub(super) standings: Standings,
    is_offline: bool,
    is_closed: bool,
    is_over: bool,
    heard: u64,
}

impl Listener {
    pub(super) fn new(core: &Core<Conn>) -> Self {
        Self {
            events: core.journal().listen(),
            stages: HashMap::new(),
            backends: HashMap::new(),
            standings: Standings::default(),
            is_offline: false,
            is_closed: false,
            is_over: false,
            heard: 0,
        }
    }

    /// Takes in what was told, and compares.
    pub(super) fn follow(&mut self, core: &Core<Conn>, now: At, tamper: Tamper) {
        while !self.is_over
            && let Some(read) = self.events.recv().now_or_never()
        {
            let Some(event) = read else {
                self.is_over = true;
                break;
            };
            self.heard += 1;
            if tamper == Tamper::LoseEvents && self.heard.is_multiple_of(50) {
                continue;
            }
            match event.expect("it is never that far behind") {
                PoolEvent::Pool(change) => self.pool(change),
                PoolEvent::Backend { backend, change } => self.backend(backend, change),
                PoolEvent::Slot { slot, change, .. } => self.slot(slot, &change),
            }
        }
        self.compare(core);
        self.standings.judge(core, now);
    }

    fn pool(&mut self, change: PoolChange) {
        match change {
            PoolChange::Offline => assert!(!std::mem::replace(&mut self.is_offline, true)),
            PoolChange::Online => assert!(std::mem::replace(&mut self.is_offline, false)),
            PoolChange::Terminating => assert!(!std::mem::replace(&mut self.is_closed, true)),
            PoolChange::Resized { .. } | PoolChange::Evicted => {}
        }
    }

    fn backend(&mut self, backend: Arc<Backend>, change: BackendChange) {
        let (before, after) = match change {
            BackendChange::Added => (None, None),
            BackendChange::Removed => {
                assert!(self.backends.remove(&backend.address).is_some(), "{backend} was not there");
                return self.standings.told(&backend, change);
            }
            BackendChange::Failing => (Some(false), Some(true)),
            BackendChange::Recovered => (Some(true), Some(false)),
            BackendChange::Ejected { .. } | BackendChange::OnTrial | BackendChange::Returned => {
                return self.standings.told(&backend, change);
            }
        };
        match (self.backends.get_mut(&backend.address), after) {
            // One that has gone is told of while it still has connections.
            (None, Some(_)) => {}
            (Some(is_failing), Some(after)) => {
                assert_eq!(Some(*is_failing), before, "{backend} {change:?}");
                *is_failing = after;
            }
            (known, None) => {
                assert!(known.is_none(), "{backend} was there");
                self.backends.insert(backend.address, false);
            }
        }
    }

    /// The table of [`SlotChange`].
    fn slot(&mut self, slot: SlotId, change: &SlotChange) {
        use Stage::{Checking, Closing, Connecting, Open};
        let from = self.stages.get(&slot).copied();
        let to = match (from, change) {
            (None, SlotChange::Connecting) => Some(Connecting),
            (Some(Connecting), SlotChange::Connected)
            | (Some(Checking), SlotChange::CheckPassed)
            | (Some(Open), SlotChange::Held { .. }) => Some(Open),
            (Some(Connecting), SlotChange::ConnectFailed(_) | SlotChange::ConnectGivenUp) => None,
            (Some(Open), SlotChange::Checking(_)) => Some(Checking),
            (Some(Open | Checking), SlotChange::Closing(_)) => Some(Closing),
            (Some(Open), SlotChange::TakenOut) | (Some(Closing | Checking), SlotChange::Closed) => None,
            _ => panic!("slot {slot}: {change:?} after {from:?}"),
        };
        match to {
            Some(to) => self.stages.insert(slot, to),
            None => self.stages.remove(&slot),
        };
    }

    fn compare(&self, core: &Core<Conn>) {
        let told = |stage| self.stages.values().filter(|it| **it == stage).count();
        let open = core.counts.of(Kind::Idle) + core.counts.of(Kind::Granted) + core.counts.of(Kind::Claimed);
        assert_eq!(told(Stage::Connecting), core.counts.of(Kind::Connecting), "told to be connecting");
        assert_eq!(told(Stage::Open), open, "told to be open");
        assert_eq!(told(Stage::Checking), core.counts.of(Kind::Checking), "told to be checking");
        assert_eq!(told(Stage::Closing), core.counts.of(Kind::Closing), "told to be closing");
        assert_eq!(self.is_closed, core.is_closed, "told to be terminating");
        assert_eq!(self.is_over, core.is_closed && core.counts.used() == 0, "the end of the stream");
        if core.is_closed {
            return;
        }
        assert_eq!(self.is_offline, core.timers.offline_since.is_some(), "told to be offline");
        assert_eq!(self.backends.len(), core.backends.current.len(), "told backends");
        for index in &core.backends.current {
            let entry = core.backends.get(*index);
            assert_eq!(self.backends.get(&entry.backend.address), Some(&entry.is_failing()), "{}", entry.backend);
        }
    }
}
