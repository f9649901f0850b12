//! The slots: places for one connection each, and their states.

use std::panic::Location;
use std::sync::Weak;

use super::at::At;
use super::queue::WaiterId;
use crate::change::Check;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::interrupt::Interrupt;

/// Where a slot is in its life. The connection is in here only while nobody works with it.
///
/// | from | event | to |
/// |---|---|---|
/// | `Vacant` | a connect begins | `Connecting` |
/// | `Connecting` | connected, somebody waits | `Granted` |
/// | `Connecting` | connected | `Idle` |
/// | `Connecting` | connected, and its backend is on trial | `Checking` |
/// | `Connecting` | connected, but not wanted any more | `Closing` |
/// | `Connecting` | failed, timed out, cancelled | `Vacant` |
/// | `Idle` | claimed | `Claimed` |
/// | `Idle` | due for a check | `Checking` |
/// | `Idle` | expired, evicted, backend gone, terminate | `Closing` |
/// | `Granted` | the claim takes it | `Claimed` |
/// | `Granted` | the claim is dropped, or late | `Granted` to the next, else `Idle` |
/// | `Claimed` | comes back fit | `Granted` to the first that waits, else `Idle` |
/// | `Claimed` | comes back to be recycled; has to be made ready for its claim | `Checking` |
/// | `Claimed` | comes back broken, expired, evicted | `Closing` |
/// | `Claimed` | taken out | `Vacant` |
/// | `Checking` | passed | `Granted`, `Idle` |
/// | `Checking` | failed, timed out, not wanted any more | `Closing` |
/// | `Closing` | closed, or out of time | `Vacant` |
/// | `Checking`, `Closing` | the task is dropped | `Vacant` |
#[derive(Debug)]
pub(crate) enum SlotState<T> {
    Vacant,
    Connecting { round: u64, is_probe: bool, is_cancelled: bool },
    Idle { connection: T },
    Granted { connection: T },
    Claimed(Claimed),
    Checking { until: Option<WaiterId>, check: Check },
    Closing,
}

/// A handle is out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claimed {
    pub(crate) place: &'static Location<'static>,
    pub(crate) since: At,
    /// It was reported that it is held for long.
    pub(crate) is_reported: bool,
}

/// The states without what is in them, to count by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Vacant,
    Connecting,
    Idle,
    Granted,
    Claimed,
    Checking,
    Closing,
}

/// How many slots are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts([u32; 7]);

/// What changes with each claim comes first, for the reason given at [`Core`](super::Core).
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Slot<T> {
    pub(crate) state: SlotState<T>,
    /// When it last was known to be sound, by a use or by a check.
    pub(crate) sound: At,
    /// When it was last used.
    pub(crate) used: At,
    pub(crate) claims: u64,
    /// When its life is over.
    pub(crate) expires: At,
    /// When the connection was made.
    pub(crate) opened: At,
    pub(crate) generation: u32,
    pub(crate) backend: u32,
    /// It is closed as soon as nobody works with it.
    pub(crate) retired: Option<Retired>,
    /// Its connection was used, or passed a check.
    pub(crate) is_proven: bool,
    /// Its holder has reported that the backend failed him.
    pub(crate) has_failed: bool,
}

/// Why a connection is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retired {
    /// It was asked for, or its backend has gone.
    Evicted,
    /// Its backend is left out.
    Ejected,
    /// Another one is opened elsewhere in its place.
    Moved,
}

/// The ways to interrupt what is out, by slot. They take no room where the connector gives none.
#[derive(Debug, Default)]
pub(crate) struct Interrupts(Vec<Option<Weak<dyn Interrupt>>>);

impl Interrupts {
    /// The connection has the other end: nothing of the connector's may be dropped under the lock.
    pub(crate) fn put(&mut self, slot: u32, interrupt: Option<Weak<dyn Interrupt>>) {
        let place = slot as usize;
        if interrupt.is_some() && place >= self.0.len() {
            self.0.resize(place + 1, None);
        }
        if let Some(kept) = self.0.get_mut(place) {
            *kept = interrupt;
        }
    }

    pub(crate) fn take(&mut self, slot: u32) -> Option<Weak<dyn Interrupt>> {
        self.0.get_mut(slot as usize)?.take()
    }
}

impl<T> Slot<T> {
    /// Whether its connection is to be closed so that another one is opened elsewhere.
    pub(crate) fn is_moving(&self) -> bool {
        self.retired == Some(Retired::Moved) && self.state.kind() != Kind::Vacant
    }

    /// A holder had it, and gave it back fit.
    pub(crate) fn note_used(&mut self, now: At) {
        (self.used, self.sound, self.is_proven) = (now, now, true);
    }
}

impl<T> SlotState<T> {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Vacant => Kind::Vacant,
            Self::Connecting { .. } => Kind::Connecting,
            Self::Idle { .. } => Kind::Idle,
            Self::Granted { .. } => Kind::Granted,
            Self::Claimed(_) => Kind::Claimed,
            Self::Checking { .. } => Kind::Checking,
            Self::Closing => Kind::Closing,
        }
    }
}

impl<T> SlotState<T> {
    /// Whether its connection is out of the pool's hands, or with a check, and may come back to be idle.
    pub(crate) fn may_become_idle(&self) -> bool {
        matches!(self, Self::Granted { .. } | Self::Claimed(_) | Self::Checking { .. })
    }
}

impl Kind {
    /// Whether the table of [`SlotState`] has this change.
    pub(crate) fn may_become(self, to: Self) -> bool {
        use Kind::{Checking, Claimed, Closing, Connecting, Granted, Idle, Vacant};
        matches!(
            (self, to),
            (Vacant, Connecting)
                | (Connecting, Granted | Idle | Checking | Closing | Vacant)
                | (Idle, Claimed | Checking | Closing | Granted)
                | (Granted, Claimed | Granted | Idle | Closing | Checking)
                | (Claimed, Granted | Idle | Checking | Closing | Vacant)
                | (Checking, Granted | Idle | Closing | Vacant)
                | (Closing, Vacant)
        )
    }
}

impl Kind {
    /// What a backend counts it as.
    #[inline]
    pub(crate) fn at_backend(self) -> Self {
        match self {
            Self::Granted => Self::Claimed,
            other => other,
        }
    }
}

impl Counts {
    pub(crate) fn of(&self, kind: Kind) -> usize {
        self.0[kind as usize] as usize
    }

    #[inline]
    pub(crate) fn shift(&mut self, from: Kind, to: Kind) {
        if from == to {
            return;
        }
        self.0[from as usize] = self.0[from as usize].wrapping_sub(1);
        self.0[to as usize] = self.0[to as usize].wrapping_add(1);
    }

    /// Slots that count against the caps: all that are not vacant. A connection counts until it is closed.
    pub(crate) fn used(&self) -> usize {
        #[cfg(landfall_faults)]
        if is_armed(Fault::ClosingIsFree) {
            return self.live();
        }
        self.not_vacant()
    }

    #[inline]
    fn not_vacant(&self) -> usize {
        // Vacant ones are not counted when they are made: this is what there is of the others, below zero.
        0_u32.wrapping_sub(self.0[Kind::Vacant as usize]) as usize
    }

    /// Those of them that are not on their way out.
    pub(crate) fn live(&self) -> usize {
        self.not_vacant() - self.of(Kind::Closing)
    }

    /// Those whose connection is with a user, or about to be.
    pub(crate) fn out(&self) -> usize {
        self.of(Kind::Claimed) + self.of(Kind::Granted)
    }
}
