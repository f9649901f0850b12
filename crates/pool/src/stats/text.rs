//! Statistics as a person reads them: one line for the pool, one for each backend.

use std::error::Error;
use std::fmt::{self, Display, Formatter};

use super::{BackendStats, PoolStats, SlotCounts, Standing};
use crate::claim::ConnectError;

/// ```text
/// 5 of 16 slots: 2 idle, 3 claimed; 1 waiting; 812 claims, 3 timed out
/// 10.0.0.7:5432: 2 idle, 3 claimed; 812 claims, 9 connects
/// db-2 (10.0.0.8:5432): none; 0 claims, 4 connects, 4 failed; failing, next in 1.2s: connecting failed: refused
/// ```
impl Display for PoolStats {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { slots, slots_max, waiting, totals, .. } = self;
        write!(f, "{} of {slots_max} slots: {slots}; {waiting} waiting; {} claims", slots.used(), totals.claims)?;
        for (count, what) in [
            (totals.timed_out, "timed out"),
            (totals.offline, "failed offline"),
            (totals.refused, "refused"),
            (totals.cancelled, "cancelled"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        f.write_str(if self.is_offline { "; offline" } else { "" })?;
        self.backends.iter().try_for_each(|backend| write!(f, "\n{backend}"))
    }
}

impl Display for BackendStats {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { backend, slots, claims, connects, connects_failed, .. } = self;
        write!(f, "{backend}: {slots}; {claims} claims, {connects} connects")?;
        if *connects_failed > 0 {
            write!(f, ", {connects_failed} failed")?;
        }
        f.write_str(if self.is_removed { "; removed" } else { "" })?;
        f.write_str(if self.is_failing { "; failing" } else { "" })?;
        if let Some(span) = self.retry_in {
            write!(f, ", next in {span:.1?}")?;
        }
        self.last_error.iter().try_for_each(|error| write!(f, ": {}", chain(error)))?;
        match self.standing {
            Standing::Full => Ok(()),
            Standing::Ejected { remaining } => write!(f, "; ejected for {remaining:.1?}"),
            Standing::OnTrial { .. } => f.write_str("; on trial"),
        }
    }
}

/// `2 idle, 3 claimed`, states with no slot left out.
impl Display for SlotCounts {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.used() == 0 {
            return f.write_str("none");
        }
        let some = self.each().into_iter().filter(|(_, count)| *count > 0);
        let mut some = some.map(|(state, count)| format!("{count} {state}"));
        some.next().iter().try_for_each(|first| f.write_str(first))?;
        some.try_for_each(|next| write!(f, ", {next}"))
    }
}

impl SlotCounts {
    /// How many there are in each state, with its name.
    pub(crate) fn each(&self) -> [(&'static str, usize); 6] {
        let Self { connecting, idle, granted, claimed, checking, closing } = *self;
        [
            ("connecting", connecting),
            ("idle", idle),
            ("granted", granted),
            ("claimed", claimed),
            ("checking", checking),
            ("closing", closing),
        ]
    }

    fn used(&self) -> usize {
        self.each().iter().map(|(_, count)| count).sum()
    }
}

/// An error with its causes, on one line.
pub(super) fn chain(error: &ConnectError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::sample;
    use super::*;

    #[test]
    fn each_backend_is_one_line() {
        let mut stats = sample();
        let backend = &mut stats.backends[1];
        backend.last_error =
            Some(ConnectError::Failed { backend: backend.backend.clone(), source: Arc::from(Box::from("re\nfused")) });
        let text = "3 of 16 slots: 2 idle, 1 claimed; 4 waiting; 7 claims, 2 timed out, 1 cancelled\n\
            127.0.0.1:1: 2 idle, 1 claimed; 7 claims, 3 connects\n\
            db (127.0.0.1:2): none; 0 claims, 2 connects, 2 failed; removed; failing, next in 1.5s: \
            connecting to db (127.0.0.1:2) failed: re fused";
        assert_eq!(stats.to_string(), text);
    }

    #[test]
    fn a_pool_without_anything_says_so() {
        let mut stats = sample();
        (stats.slots, stats.is_offline, stats.waiting) = (SlotCounts::default(), true, 0);
        stats.backends.clear();
        stats.totals.cancelled = 0;
        assert_eq!(stats.to_string(), "0 of 16 slots: none; 0 waiting; 7 claims, 2 timed out; offline");
        assert_eq!(Duration::from_millis(1_500), sample().backends[1].retry_in.unwrap());
    }
}
