//! In which spans a pool's tasks are.

use std::fmt;
use std::sync::{Arc, Mutex};

use landfall_pool::{Backend, BoxError, ConnectCx, Connected, Connector, FixedResolver, Pool, Spawner};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Instrument, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::fake::backend;
use crate::harness::{MS, SECOND, assert_clean, paused, plain, two_seconds};

type Diary = Arc<Mutex<Vec<String>>>;

/// Writes down in which spans the connector has spoken.
struct Listens(Diary);

/// What a span is called, or a message.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if matches!(field.name(), "pool.name" | "message") {
            self.0 = format!("{value:?}").replace('"', "");
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Listens {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let mut name = Text(attributes.metadata().name().to_owned());
        attributes.record(&mut name);
        cx.span(id).unwrap().extensions_mut().insert(name);
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let mut line = Text::default();
        event.record(&mut line);
        if !line.0.starts_with("run") {
            return;
        }
        for span in cx.event_scope(event).into_iter().flatten() {
            line.0 += " in ";
            line.0 += &span.extensions().get::<Text>().unwrap().0;
        }
        self.0.lock().unwrap().push(line.0);
    }
}

/// Says what it is asked to do.
struct Speaks;

impl Connector for Speaks {
    type Connection = ();

    async fn connect(&self, _: &Backend, cx: &ConnectCx) -> Result<Connected<()>, BoxError> {
        tracing::info!("run connect");
        cx.spawner().spawn("driver", async { tracing::info!("run driver") })?;
        let interrupt = |spawner: &Spawner| drop(spawner.spawn("cancel", async { tracing::info!("run cancel") }));
        Ok(Connected::from(()).with_interrupt(interrupt))
    }

    async fn is_valid(&self, (): &mut ()) -> Result<(), BoxError> {
        tracing::info!("run is_valid");
        Ok(())
    }

    async fn close(&self, (): ()) {
        tracing::info!("run close");
    }
}

/// Whoever claims and releases is in a span of his own, which is no business of the pool's.
#[test]
fn what_a_pool_starts_is_in_its_span_and_that_in_the_one_around_its_build() {
    let diary = Diary::default();
    let subscriber = tracing_subscriber::registry().with(Listens(Arc::clone(&diary)));
    let _listens = tracing::subscriber::set_default(subscriber);
    paused(|| async {
        let mut policy = plain(1);
        policy.keepalive = Some(SECOND);
        let build = || {
            let resolver = FixedResolver::new([backend(0)]);
            Pool::builder("orders").resolver(resolver).connector(Speaks).policy(policy).build().unwrap()
        };
        let pool = tracing::info_span!("app").in_scope(build);
        let request = tracing::info_span!("request");
        async {
            let handle = pool.claim().await.unwrap();
            handle.discard();
            drop(pool.claim().await.unwrap());
        }
        .instrument(request)
        .await;
        tokio::time::sleep(2 * SECOND).await;
        let held = pool.claim().await.unwrap();
        let how = two_seconds();
        let (report, ()) = tokio::join!(landfall_lifecycle::Terminate::terminate(&pool, &how), async {
            // Grace is over by then.
            tokio::time::sleep(SECOND + 100 * MS).await;
            drop(held);
        });
        assert_clean(&report.unwrap());
    });
    let lines = diary.lock().unwrap();
    for what in ["connect", "driver", "close", "is_valid", "cancel"] {
        assert!(lines.iter().any(|line| *line == format!("run {what} in orders in app")), "{what}: {lines:?}");
    }
    assert!(lines.iter().all(|line| line.ends_with(" in orders in app")), "{lines:?}");
}
