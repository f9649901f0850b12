//! What a version of NRI knows of what the scenarios are made of.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use super::peer::{Peer, Trouble};

/// Calls that not every version has.
const LATER: &[&str] = &["UpdatePodSandbox", "PostUpdatePodSandbox", "ValidateContainerAdjustment"];

/// What a version of NRI knows.
#[derive(Clone, Debug)]
pub struct Known(Option<BTreeSet<String>>);

impl Known {
    /// All there is: what is unknown then is an error.
    pub const ALL: Self = Self(None);

    /// What the Go program says that its version knows.
    ///
    /// # Errors
    ///
    /// A [`Trouble`], when it cannot be asked.
    ///
    /// # Cancel safety
    ///
    /// Dropping it ends the Go program.
    pub async fn ask(program: &Path) -> Result<Self, Trouble> {
        let known = Peer::start(program)?.ask("known", json!({})).await?;
        Ok(Self(Some(known.into_iter().collect())))
    }

    pub(super) fn adjustment(&self, wish: &str) -> bool {
        self.has("adjustment", wish)
    }

    pub(super) fn update(&self, wish: &str) -> bool {
        self.has("update", wish)
    }

    pub(super) fn method(&self, method: &str) -> bool {
        !LATER.contains(&method) || self.has("method", method)
    }

    fn has(&self, kind: &str, name: &str) -> bool {
        self.0.as_ref().is_none_or(|known| known.contains(&format!("{kind} {name}")))
    }
}
