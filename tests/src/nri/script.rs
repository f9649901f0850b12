//! What a plugin does, whichever stub it is on.

use serde_json::{Value, json};

/// What a plugin does; what is empty it does not do.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) name: String,
    pub(super) index: String,
    /// What it subscribes to when it is configured; all, if empty.
    pub(super) events: String,
    /// The name of a wish: what it adjusts of a container that is created.
    pub(super) adjust: String,
    /// What it changes of `container-1` when something happens to `container-0`.
    pub(super) update: String,
    /// What it changes of `container-1` when it is synchronized.
    pub(super) update_at_sync: String,
    /// What the handler of a creation asks for outside of its answer; then it waits until that has been looked at.
    pub(super) inside: String,
    /// With what it fails the creation of a container.
    pub(super) fail: String,
    /// Why it rejects what plugins want of a container.
    pub(super) reject: String,
}

impl Script {
    /// A plugin that only sees.
    pub(super) fn sees() -> Self {
        Self::from_json(&json!({ "name": "interop", "index": "10" }))
    }

    /// As a plugin that the runtime launches finds it in its configuration.
    pub(super) fn from_json(json: &Value) -> Self {
        let text = |field: &str| json[field].as_str().unwrap_or_default().to_owned();
        Self {
            name: text("name"),
            index: text("index"),
            events: text("events"),
            adjust: text("adjust"),
            update: text("update"),
            update_at_sync: text("update_at_sync"),
            inside: text("inside"),
            fail: text("fail"),
            reject: text("reject"),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "index": self.index,
            "events": self.events,
            "adjust": self.adjust,
            "update": self.update,
            "update_at_sync": self.update_at_sync,
            "inside": self.inside,
            "fail": self.fail,
            "reject": self.reject,
        })
    }
}
