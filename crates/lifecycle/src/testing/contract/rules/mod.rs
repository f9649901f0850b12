//! How each rule is tried.

mod begin;
mod ending;
mod instants;
mod work;

use std::task::{Context, Poll, Waker};

use futures_util::future::{BoxFuture, FutureExt};

pub(super) use self::begin::begin_returns;
use super::bench::Bench;
use super::{Rule, Verdict};
use crate::terminate::Terminate;

/// Every rule but the first, on which all others rest; what later ones must know comes first.
pub(super) const AFTER_BEGIN: [Rule; 13] = [
    Rule::OnTime,
    Rule::BeginSuffices,
    Rule::Name,
    Rule::BeginRepeats,
    Rule::Ended,
    Rule::Truthful,
    Rule::OneEnding,
    Rule::DropLosesNothing,
    Rule::Tightens,
    Rule::NeverLoosens,
    Rule::RefusesLateWork,
    Rule::SelfJoin,
    Rule::WithoutRuntime,
];

/// Tries one rule.
pub(super) async fn one<T: Terminate + 'static>(bench: &mut Bench<T>, rule: Rule) -> Result<(), Verdict> {
    match rule {
        Rule::BeginReturns => begin_returns(bench).await,
        Rule::Name => ending::name(bench).await,
        Rule::BeginRepeats => begin::begin_repeats(bench).await,
        Rule::BeginSuffices => begin::begin_suffices(bench).await,
        Rule::Ended => ending::ended(bench).await,
        Rule::OnTime => instants::on_time(bench).await,
        Rule::Truthful => ending::truthful(bench).await,
        Rule::OneEnding => ending::one_ending(bench).await,
        Rule::DropLosesNothing => instants::drop_loses_nothing(bench).await,
        Rule::Tightens => instants::tightens(bench).await,
        Rule::NeverLoosens => instants::never_loosens(bench).await,
        Rule::RefusesLateWork => work::refuses_late_work(bench).await,
        Rule::SelfJoin => work::self_join(bench).await,
        Rule::WithoutRuntime => work::without_runtime(bench).await,
    }
}

/// Polls a call once, so that it has begun; whoever holds it goes on from there.
fn begun<'a, R: Send + 'a>(mut call: BoxFuture<'a, R>) -> BoxFuture<'a, R> {
    match call.poll_unpin(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Box::pin(std::future::ready(output)),
        Poll::Pending => call,
    }
}
