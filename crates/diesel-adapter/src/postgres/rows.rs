//! The rows of a query, as they come.

use std::fmt::{self, Debug, Formatter};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use diesel::QueryResult;
use diesel_async::{AsyncConnectionCore, AsyncPgConnection};
use futures_util::Stream;
use futures_util::stream::BoxStream;

use super::line::Begun;

/// How many rows that nobody wants are looked through for the end of the answer when they are dropped.
const LEFT_MAX: usize = 64;

pub(super) type Row = <AsyncPgConnection as AsyncConnectionCore>::Row<'static, 'static>;

/// The rows of a query on a [`PgConnection`](super::PgConnection).
pub struct PgRows<'conn> {
    rows: BoxStream<'static, QueryResult<Row>>,
    /// None once the answer has ended.
    begun: Option<Begun<'conn>>,
}

impl<'conn> PgRows<'conn> {
    pub(super) fn new(rows: BoxStream<'static, QueryResult<Row>>, begun: Begun<'conn>) -> Self {
        Self { rows, begun: Some(begun) }
    }
}

impl Stream for PgRows<'_> {
    type Item = QueryResult<Row>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(self.rows.as_mut().poll_next(cx));
        if let Some(Ok(row)) = next {
            return Poll::Ready(Some(Ok(row)));
        }
        // The end, or an error, which is an end too.
        let result = next.transpose();
        match self.begun.take() {
            Some(begun) => Poll::Ready(begun.end(result).transpose()),
            None => Poll::Ready(result.transpose()),
        }
    }
}

impl Drop for PgRows<'_> {
    /// Who takes the first row and no more leaves the end of the answer, which most often has come with the row.
    fn drop(&mut self) {
        let Some(begun) = self.begun.take() else { return };
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..LEFT_MAX {
            match self.rows.as_mut().poll_next(&mut cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(error))) => return drop(begun.end::<()>(Err(error))),
                Poll::Ready(None) => return drop(begun.end(Ok(()))),
                Poll::Pending => break,
            }
        }
        begun.leave_rows();
    }
}

impl Debug for PgRows<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgRows").field("has_ended", &self.begun.is_none()).finish_non_exhaustive()
    }
}
