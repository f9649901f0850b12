//! The worker of a producer: takes from the backlog, sends to the leader, answers.

use std::future::pending;
use std::sync::Arc;

use kafka_protocol::messages::ProduceResponse;
use landfall_lifecycle::{Shutdown, Terminate};
use landfall_supervise::ChildCx;
use landfall_supervise::backlog::{AttachError, Backlog, Intake};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::request::{Verdict, identify, produce, verdict};
use super::window::Window;
use super::{FlushBegin, Refused, STOP_MARGIN, Sent};
use crate::client::{Directory, Want};
use crate::connection::{CallError, Lane, Link};
use crate::message::Message;
use crate::retry::Retry;
use crate::settings::{ProducerSettings, Settings};

#[derive(Clone)]
pub(super) struct Worker {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) backlog: Backlog<Message, Sent>,
    pub(super) directory: Arc<Directory>,
    pub(super) settings: Arc<Settings>,
    pub(super) producer: ProducerSettings,
    pub(super) flush_begin: Arc<FlushBegin>,
}

/// What a worker has while it runs.
struct Work {
    worker: Worker,
    want: Want,
    intake: Intake<Message, Sent>,
    window: Window,
    retry: Retry,
}

/// Why a producer ended, or is to be started again.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProducerError {
    #[error(transparent)]
    Attach(#[from] AttachError),
    #[error("a batch cannot be encoded: {0}")]
    Encode(String),
}

/// Why no more is sent on a connection for now.
enum Pause {
    /// The connection has gone, or is not that to the leader any more.
    Gone,
    /// The broker wants nothing for now.
    NotNow,
    /// It wants nothing because it is not the leader.
    NotHere,
    /// Nobody waits any more for what is out.
    Overdue,
    /// Nothing comes any more, and nothing is out.
    Done,
}

enum Event {
    Answer(Result<ProduceResponse, CallError>),
    Ready(bool),
    Gone,
    Overdue,
}

impl Worker {
    /// Runs until the backlog ends. Asked to stop, it ends the backlog, and goes on for as long as there is a
    /// connection, at most until the flush is over; what it holds then is handed back.
    pub(super) async fn run(self, cx: ChildCx) -> Result<(), ProducerError> {
        let stop = cx.token();
        let flush = async {
            stop.cancelled().await;
            let end = self.flush_begin.end(self.producer.flush_max);
            let left = end.saturating_duration_since(Instant::now());
            // Nothing is taken in from here on. It comes before the end of the worker, which it is about.
            self.backlog.begin_terminate(&Shutdown::within_on(self.settings.clock.clone(), left, left + STOP_MARGIN));
            sleep_until(end).await;
        };
        let work = self.work(&stop);
        tokio::select! {
            // The stop first: it has to close the backlog before the work finds out that there is no connection.
            biased;
            () = flush => {
                let (stats, topic) = (self.backlog.stats(), &*self.topic);
                if stats.waiting + stats.out > 0 {
                    tracing::warn!(topic, partition = self.partition, "the flush is over before all is sent");
                }
                Ok(())
            }
            done = work => done,
        }
    }

    async fn work(&self, stop: &CancellationToken) -> Result<(), ProducerError> {
        let want = self.directory.want_leader(&self.topic, self.partition, Lane::Producers);
        let intake = self.backlog.address().attach()?;
        let retry = Retry::new(&self.settings);
        let mut work = Work { worker: self.clone(), want, intake, window: Window::default(), retry };
        while let Some(link) = work.leader(stop).await {
            let pause = work.send_to(&link).await?;
            work.window.recall();
            match pause {
                Pause::Gone => {
                    // It may stand in the directory for a moment yet, and be the same one again if its answers are none.
                    let gone = work.worker.directory.leader_gone(&work.want, &link);
                    drop(timeout(work.retry.pause(), gone).await);
                }
                Pause::NotNow => sleep(work.retry.pause()).await,
                Pause::NotHere => {
                    sleep(work.retry.pause()).await;
                    work.worker.directory.forget_leader(&work.want, &link);
                }
                Pause::Overdue => work.window.give_up(),
                Pause::Done => return Ok(()),
            }
        }
        Ok(())
    }
}

impl Work {
    /// Waits for the connection to the leader; none if the worker is to stop and there is no connection.
    async fn leader(&mut self, stop: &CancellationToken) -> Option<Link> {
        loop {
            if let Some(link) = self.worker.directory.leader(&self.want) {
                return Some(link);
            }
            let deadline = self.window.deadline();
            tokio::select! {
                // Stop first: an end does not wait for a broker that is not there.
                biased;
                () = stop.cancelled() => return None,
                link = self.worker.directory.leader_up(&self.want) => return Some(link),
                () = reached(deadline) => self.window.give_up(),
            }
        }
    }

    /// Sends until something comes between.
    async fn send_to(&mut self, link: &Link) -> Result<Pause, ProducerError> {
        loop {
            if self.window.identity().is_none() {
                match identify(link).await {
                    Ok(Ok(identity)) => self.window.become_known_as(identity),
                    Ok(Err(error)) => {
                        tracing::debug!(%error, "no producer id");
                        return Ok(Pause::NotNow);
                    }
                    Err(_) => return Ok(Pause::Gone),
                }
            }
            if let Some(pause) = self.send_unsent(link).await? {
                return Ok(pause);
            }
            match self.next_event(link).await {
                Event::Answer(Ok(response)) => {
                    if let Some(pause) = self.judge(&response) {
                        return Ok(pause);
                    }
                }
                Event::Answer(Err(CallError::Encode(error))) => return Err(ProducerError::Encode(error.to_string())),
                Event::Answer(Err(CallError::Lost { .. })) | Event::Gone => return Ok(Pause::Gone),
                // Nothing says that the next answer would be another one.
                Event::Answer(Err(error @ CallError::Answer { .. })) => {
                    tracing::warn!(%error, "given up");
                    self.window.give_up();
                }
                Event::Ready(true) => self.take(),
                Event::Ready(false) if self.window.is_empty() => return Ok(Pause::Done),
                Event::Ready(false) => unreachable!("it is not asked while something is out"),
                Event::Overdue => return Ok(Pause::Overdue),
            }
        }
    }

    async fn send_unsent(&mut self, link: &Link) -> Result<Option<Pause>, ProducerError> {
        let Some(identity) = self.window.identity() else { return Ok(None) };
        while let Some(batch) = self.window.unsent(self.worker.producer.in_flight_max) {
            let to = (&self.worker.topic, self.worker.partition);
            let request = produce(batch, identity, to, (self.worker.producer.acks, &self.worker.settings));
            match link.begin(&request.map_err(ProducerError::Encode)?).await {
                Ok(answer) => batch.answer = Some(answer),
                Err(CallError::Encode(error)) => return Err(ProducerError::Encode(error.to_string())),
                Err(CallError::Lost { .. } | CallError::Answer { .. }) => return Ok(Some(Pause::Gone)),
            }
        }
        Ok(None)
    }

    async fn next_event(&mut self, link: &Link) -> Event {
        let Self { worker, want, intake, window, .. } = self;
        let deadline = window.deadline();
        let has_room = window.has_room(worker.producer.in_flight_max);
        let is_empty = window.is_empty();
        let answer = async {
            match window.front_mut().and_then(|batch| batch.answer.as_mut()) {
                Some(answer) => answer.received().await,
                None => pending().await,
            }
        };
        let ready = async {
            match intake.ready().await {
                // What is out comes first; then this is asked again.
                false if !is_empty => pending().await,
                ready => ready,
            }
        };
        tokio::select! {
            // Answers first: they make room.
            biased;
            answer = answer => Event::Answer(answer),
            () = worker.directory.leader_gone(want, link) => Event::Gone,
            () = reached(deadline) => Event::Overdue,
            ready = ready, if has_room => Event::Ready(ready),
        }
    }

    /// Takes one batch: from here on it does not expire.
    fn take(&mut self) {
        let settings = &self.worker.producer;
        let records = self.intake.commit(settings.batch_records_max, settings.batch_bytes_max);
        if !records.is_empty() {
            self.window.push(records);
        }
    }

    /// What an answer to the oldest batch means; a pause if no more is to be sent for now.
    fn judge(&mut self, response: &ProduceResponse) -> Option<Pause> {
        let of = (&self.worker.topic, self.worker.partition, self.window.front_count());
        let (error, pause) = match verdict(response, of) {
            Verdict::Written(first) => {
                self.retry.reset();
                self.window.written(first);
                return None;
            }
            Verdict::TooLarge(error) | Verdict::Never(error) if self.window.is_doubtful() => {
                tracing::warn!(%error, "given up: refused now, and perhaps written before");
                self.window.give_up();
                return None;
            }
            Verdict::TooLarge(_) if self.window.halve() => return None,
            Verdict::TooLarge(error) | Verdict::Never(error) => {
                let (topic, partition) = (self.worker.topic.to_string(), self.worker.partition);
                self.window.refused(&Refused { topic, partition, error });
                return None;
            }
            Verdict::Unclear(error) => {
                tracing::warn!(%error, "given up: the broker does not say whether it was written");
                self.window.give_up();
                return None;
            }
            Verdict::NotNow(error) => (error, Pause::NotNow),
            Verdict::NotHere(error) => (error, Pause::NotHere),
        };
        tracing::debug!(%error, "to be sent again");
        Some(pause)
    }
}

async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
