//! Changes in words, for logs and screens.

use std::fmt::{self, Display, Formatter};

use super::{BackendChange, Check, CloseReason, EjectReason, PoolChange, PoolEvent, SlotChange, SlotId};

/// `slot 3#7 of db-1 (10.0.0.7:5432): closing, broken`.
impl Display for PoolEvent {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pool(change) => write!(f, "pool: {change}"),
            Self::Backend { backend, change } => write!(f, "backend {backend}: {change}"),
            Self::Slot { slot, backend, change } => write!(f, "slot {slot} of {backend}: {change}"),
        }
    }
}

impl Display for SlotId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.index, self.generation)
    }
}

impl Display for PoolChange {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offline => f.write_str("offline"),
            Self::Online => f.write_str("online"),
            Self::Resized { slots_max } => write!(f, "resized to {slots_max}"),
            Self::Evicted => f.write_str("evicted"),
            Self::Terminating => f.write_str("terminating"),
        }
    }
}

impl Display for BackendChange {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added => f.write_str("added"),
            Self::Removed => f.write_str("removed"),
            Self::Failing => f.write_str("failing"),
            Self::Recovered => f.write_str("recovered"),
            Self::Ejected { why, time } => write!(f, "ejected for {time:?}, {why}"),
            Self::OnTrial => f.write_str("on trial"),
            Self::Returned => f.write_str("returned"),
        }
    }
}

impl Display for EjectReason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FailuresInARow => "failures in a row",
            Self::FailureRate => "failure rate",
            Self::TrialFailed => "trial failed",
        })
    }
}

impl Display for SlotChange {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting => f.write_str("connecting"),
            Self::Connected => f.write_str("connected"),
            Self::ConnectFailed(error) => write!(f, "not connected: {error}"),
            Self::ConnectGivenUp => f.write_str("connect given up"),
            Self::Checking(check) => write!(f, "checking, {check}"),
            Self::CheckPassed => f.write_str("check passed"),
            Self::Held { place, age } => write!(f, "held for {age:?}, claimed at {place}"),
            Self::TakenOut => f.write_str("taken out"),
            Self::Closing(reason) => write!(f, "closing, {reason}"),
            Self::Closed => f.write_str("closed"),
        }
    }
}

impl Display for Check {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Check {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Keepalive => "keepalive",
            Self::Validate => "validate",
            Self::OnClaim => "on_claim",
            Self::OnRecycle => "on_recycle",
            Self::Trial => "trial",
        }
    }
}

impl Display for CloseReason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminating => "the pool terminates",
            Self::BackendRemoved => "its backend was removed",
            Self::Evicted => "evicted",
            Self::Expired => "expired",
            Self::Resized => "the pool was resized",
            Self::Unused => "unused",
            Self::Broken => "broken",
            Self::Ejected => "its backend was ejected",
            Self::Rebalanced => "rebalanced",
            Self::CheckFailed => "a check failed",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;

    use super::*;
    use crate::backend::Backend;
    use crate::claim::ConnectError;

    #[test]
    fn an_event_says_what_became_of_which() {
        let address = SocketAddr::from(([127, 0, 0, 1], 5_432));
        let backend = Arc::new(Backend::new("db-1", address));
        let slot = |change| PoolEvent::Slot {
            slot: SlotId { index: 3, generation: 7 },
            backend: Arc::clone(&backend),
            change,
        };
        let failed = ConnectError::Panicked { backend: address.into() };
        for (event, text) in [
            (PoolEvent::Pool(PoolChange::Resized { slots_max: 4 }), "pool: resized to 4"),
            (
                PoolEvent::Backend { backend: Arc::clone(&backend), change: BackendChange::Failing },
                "backend db-1 (127.0.0.1:5432): failing",
            ),
            (slot(SlotChange::Closing(CloseReason::Broken)), "slot 3#7 of db-1 (127.0.0.1:5432): closing, broken"),
            (slot(SlotChange::Checking(Check::OnClaim)), "slot 3#7 of db-1 (127.0.0.1:5432): checking, on_claim"),
            (
                slot(SlotChange::ConnectFailed(failed)),
                "slot 3#7 of db-1 (127.0.0.1:5432): not connected: the connector panicked while it connected to \
                 127.0.0.1:5432",
            ),
        ] {
            assert_eq!(event.to_string(), text);
        }
    }
}
