//! What is done to events, in one transaction.

use std::time::Duration;

use diesel::prelude::*;
use diesel::result::Error;
use diesel::sqlite::SqliteConnection;

use super::database::Limits;
use super::schema::{events, unixepoch};
use crate::event::{Change, Counts, EventId, EventView, Leased, NewEvent, Settlement, State};

/// The longest error text that is kept with an event.
const ERROR_BYTES_MAX: usize = 256;

/// Finished events forgotten in one transaction, so that none takes long.
const FORGET_MAX: u64 = 1_024;

/// What one look for due events found.
#[derive(Default)]
pub(crate) struct Due {
    /// The events, leased from now on.
    pub(crate) leased: Vec<Leased>,
    /// When the next one is due, if one waits.
    pub(crate) next: Option<Duration>,
}

/// A transaction under way.
pub(crate) struct Transaction<'a> {
    pub(super) connection: &'a mut SqliteConnection,
    pub(super) instance: &'a str,
    pub(super) limits: Limits,
    pub(super) counts: &'a mut Counts,
}

impl Transaction<'_> {
    /// Stores an event, or gives `None` if the backlog is full.
    pub(crate) fn insert(&mut self, event: &NewEvent) -> Result<Option<EventId>, Error> {
        if self.counts.backlog() >= self.limits.backlog_max {
            return Ok(None);
        }
        let row =
            (events::target.eq(&event.target), events::body.eq(&event.body), events::state.eq(State::Waiting.word()));
        let id = diesel::insert_into(events::table).values(row).returning(events::id).get_result(self.connection)?;
        self.counts.waiting += 1;
        Ok(Some(EventId(id)))
    }

    pub(crate) fn find(&mut self, id: EventId) -> Result<Option<EventView>, Error> {
        let columns = (events::target, events::state, events::attempts, events::error);
        let row: Option<(String, String, i32, Option<String>)> =
            events::table.find(id.0).select(columns).first(self.connection).optional()?;
        row.map(|(target, state, attempts, error)| {
            let state = State::from_word(&state).ok_or_else(|| Error::DeserializationError("unknown state".into()))?;
            Ok(EventView { id, target, state, attempts: attempts.unsigned_abs(), error })
        })
        .transpose()
    }

    /// Leases up to `max` due events, the longest due first.
    pub(crate) fn lease(&mut self, max: u32) -> Result<Due, Error> {
        let waiting = || events::table.filter(events::state.eq(State::Waiting.word()));
        let rows: Vec<(i64, String, String, i32)> = waiting()
            .filter(events::due.le(unixepoch("subsec")))
            .order(events::due)
            .limit(max.into())
            .select((events::id, events::target, events::body, events::attempts))
            .load(self.connection)?;
        let to = State::Waiting.on(Change::Lease).expect("what waits can be leased");
        let mut leased = Vec::with_capacity(rows.len());
        for (id, target, body, attempts) in rows {
            diesel::update(events::table.find(id))
                .set((events::state.eq(to.word()), events::lease.eq(self.instance)))
                .execute(self.connection)?;
            self.counts.shift(State::Waiting, to);
            leased.push(Leased { id: EventId(id), target, body, attempts: attempts.unsigned_abs() });
        }
        let next: Option<f64> =
            waiting().order(events::due).select(events::due - unixepoch("subsec")).first(self.connection).optional()?;
        // Negative if it is due already, and odd if the clock jumped: whoever waits looks again soon enough.
        let next = next.map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX));
        Ok(Due { leased, next })
    }

    /// Ends a lease; a lease that is not ours any more changes nothing.
    pub(crate) fn settle(&mut self, id: EventId, how: &Settlement) -> Result<(), Error> {
        let Some(to) = State::Leased.on(how.change()) else { return Ok(()) };
        let (counted, after, error) = match how {
            Settlement::Delivered => (1, Duration::ZERO, None),
            Settlement::Retry { after, error } => (1, *after, Some(shortened(error))),
            Settlement::Dead { error } => (1, Duration::ZERO, Some(shortened(error))),
            Settlement::GivenBack => (0, Duration::ZERO, None),
        };
        let ours = events::table.find(id.0).filter(events::lease.eq(self.instance));
        let ended = (
            events::state.eq(to.word()),
            events::lease.eq(None::<String>),
            events::attempts.eq(events::attempts + counted),
        );
        let changed = if how.change() == Change::GiveBack {
            // It stays due when it was due, and keeps the error of the attempt before.
            diesel::update(ours).set(ended).execute(self.connection)?
        } else {
            let due = events::due.eq(unixepoch("subsec") + after.as_secs_f64());
            diesel::update(ours).set((ended, due, events::error.eq(error))).execute(self.connection)?
        };
        if changed > 0 {
            self.counts.shift(State::Leased, to);
        }
        Ok(())
    }

    /// Forgets the oldest finished events beyond the limits, some at a time.
    pub(super) fn forget(&mut self) -> Result<(), Error> {
        for (state, max) in [(State::Delivered, self.limits.delivered_max), (State::Dead, self.limits.dead_max)] {
            let excess = self.counts.of(state).saturating_sub(max).min(FORGET_MAX);
            if excess == 0 {
                continue;
            }
            let finished = events::table.filter(events::state.eq(state.word()));
            let oldest: Vec<i64> = finished
                .order(events::due)
                .limit(i64::try_from(excess).unwrap_or(i64::MAX))
                .select(events::id)
                .load(self.connection)?;
            for id in oldest {
                diesel::delete(events::table.find(id)).execute(self.connection)?;
                *self.counts.of(state) -= 1;
            }
        }
        Ok(())
    }
}

fn shortened(text: &str) -> &str {
    let end = (0..=ERROR_BYTES_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}
