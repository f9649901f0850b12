//! In which spans children are.

use std::fmt;

use landfall_supervise::{ChildSpec, RestartType, Supervisor};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::harness::*;

/// Writes down the supervisors in whose spans a child has spoken.
struct Listens(Diary);

/// The name of a supervisor, or a child's message.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if matches!(field.name(), "supervisor.name" | "message") {
            self.0 = format!("{value:?}").replace('"', "");
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Listens {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let mut name = Text::default();
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
        self.0.write(line.0);
    }
}

/// Also after a restart, which no user's span is around.
#[test]
fn children_are_in_the_span_of_their_supervisor_and_that_in_the_one_above() {
    guarded(async {
        let diary = Diary::default();
        let subscriber = tracing_subscriber::registry().with(Listens(diary.clone()));
        let _listens = tracing::subscriber::set_default(subscriber);
        let below = || {
            let worker = ChildSpec::worker("b", |_cx| async {
                tracing::info!("run b");
                Err::<(), _>("crash")
            });
            Supervisor::builder("below").intensity(1, secs(5)).child(worker)
        };
        let above = ChildSpec::worker("a", |cx| async move {
            tracing::info!("run a");
            cx.token().cancelled().await;
        });
        let below = ChildSpec::supervisor("below", below).restart(RestartType::Temporary);
        let tree = builder("app").child(above).child(below).start().await.unwrap();
        diary.has("run b in below in app", 2).await;
        diary.has("run a in app", 1).await;
        end(&tree).await;
        assert_eq!(diary.read().len(), 3);
    });
}
