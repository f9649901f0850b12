//! One scenario as it runs: the runtime, the plugin on one of the two stubs, and what happened.

use std::path::{Path, PathBuf};

use prost::Message;
use serde_json::json;

use super::ours::{Line, Ours, Part, UPDATE};
use super::peer::{Peer, Trouble};
use super::script::Script;
use super::wishes;
use crate::workplace::Workplace;

/// On which stub the plugin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// On NRI's own, in Go.
    Go,
    /// On ours.
    Ours,
}

/// What a wish is of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Adjustment,
    Update,
}

const ADJUSTMENT: &str = "ContainerAdjustment";

/// A scenario that runs.
pub(super) struct World {
    peer: Peer,
    side: Side,
    workplace: Workplace,
    /// What is started as the plugin that the runtime launches.
    launched: PathBuf,
    /// The plugins that are on our stub, and the names of those on Go's.
    ours: Vec<Ours>,
    theirs: Vec<String>,
    synchronized: usize,
    history: Vec<String>,
}

impl World {
    /// `program` is the Go program, `driver` is the program that has a plugin on our stub.
    pub(super) fn new(name: &str, side: Side, program: &Path, driver: &Path) -> Result<Self, Trouble> {
        Ok(Self {
            peer: Peer::start(program)?,
            side,
            workplace: Workplace::new()?,
            launched: if side == Side::Go { program } else { driver }.to_owned(),
            ours: Vec::new(),
            theirs: Vec::new(),
            synchronized: 0,
            history: vec![format!("scenario {name}")],
        })
    }

    /// Starts a runtime with so many pods and containers, each of so many bytes at least.
    pub(super) async fn runtime(&mut self, pods: usize, containers: usize, bytes: usize) -> Result<(), Trouble> {
        let with = json!({ "folder": self.workplace.root(), "pods": pods, "containers": containers, "bytes": bytes });
        self.peer.ask("start", with).await?;
        Ok(())
    }

    /// Leaves a plugin for the runtime to launch, with a script as its configuration.
    pub(super) fn leave_plugin(&self, script: &Script) -> Result<(), Trouble> {
        let name = format!("{}-{}", script.index, script.name);
        for folder in ["plugins", "conf.d"] {
            std::fs::create_dir(self.workplace.root().join(folder))?;
        }
        std::fs::copy(&self.launched, self.workplace.root().join("plugins").join(&name))?;
        let configuration = self.workplace.root().join("conf.d").join(format!("{name}.conf"));
        Ok(std::fs::write(configuration, script.to_json().to_string())?)
    }

    /// Starts a plugin on the stub that this is about, and waits until it is synchronized.
    pub(super) async fn plugin(&mut self, script: &Script) -> Result<(), Trouble> {
        match self.side {
            Side::Go => self.plugin_in_go(script).await,
            Side::Ours => {
                self.ours.push(Ours::start(script.clone(), &self.workplace.root().join("nri.sock")).await?);
                self.synchronized().await
            }
        }
    }

    /// Starts a plugin on Go's stub, whichever this is about.
    pub(super) async fn plugin_in_go(&mut self, script: &Script) -> Result<(), Trouble> {
        self.peer.ask("plugin", json!({ "plugin": script.to_json() })).await?;
        self.theirs.push(script.name.clone());
        self.synchronized().await
    }

    /// Stops the one plugin there is and starts it again, on the same runtime.
    pub(super) async fn restart(&mut self) -> Result<(), Trouble> {
        self.history.push("> restart".to_owned());
        match self.ours.first() {
            Some(ours) => ours.restart().await?,
            None => {
                let plugin = json!({ "name": self.theirs.first() });
                self.peer.ask("restart", json!({ "plugin": plugin })).await?;
            }
        }
        self.synchronized().await
    }

    async fn synchronized(&mut self) -> Result<(), Trouble> {
        self.synchronized += 1;
        self.peer.ask("synchronized", json!({ "times": self.synchronized })).await?;
        self.look_at_plugins().await?;
        self.look_at_updates().await
    }

    /// Has something happen to `pod-0` or `container-0`.
    pub(super) async fn call(&mut self, method: &str) -> Result<(), Trouble> {
        self.history.push(format!("> {method}"));
        let answered = self.peer.ask("call", json!({ "method": method })).await?;
        self.look_at_plugins().await?;
        self.history.extend(answered);
        Ok(())
    }

    /// Has the plugin change `container-0`, which fails, and `container-1`, outside of any event.
    pub(super) async fn unsolicited(&mut self, wish: &str) -> Result<(), Trouble> {
        let answered = match self.ours.first() {
            Some(ours) => self.shown(ours.unsolicited(wish).await?).await?,
            None => {
                let plugin = json!({ "name": self.theirs.first() });
                self.peer.ask("unsolicited", json!({ "wish": wish, "plugin": plugin })).await?
            }
        };
        self.updated(wish, answered).await
    }

    /// Has a container created, whose handler asks for an update on our side; it goes out when that has returned. Go's
    /// stub would send it at once, and hang: there it is asked for after the creation.
    pub(super) async fn created_and_updated(&mut self, wish: &str) -> Result<(), Trouble> {
        let Some(ours) = self.ours.first() else {
            self.call("CreateContainer").await?;
            return self.unsolicited(wish).await;
        };
        let update = ours.unsolicited_from_inside();
        let (called, answered) = tokio::join!(self.call("CreateContainer"), update);
        called?;
        let answered = self.shown(answered?).await?;
        self.updated(wish, answered).await
    }

    async fn updated(&mut self, wish: &str, answered: Vec<String>) -> Result<(), Trouble> {
        self.history.push(format!("> unsolicited {wish}"));
        self.look_at_updates().await?;
        self.history.extend(answered);
        Ok(())
    }

    /// What our builders, or Go's, make of a wish.
    pub(super) async fn made(&mut self, kind: Kind, wish: &str) -> Result<(), Trouble> {
        let (name, bytes) = match kind {
            Kind::Adjustment => (ADJUSTMENT, wishes::adjustment(wish)?.into_message().map(|it| it.encode_to_vec())),
            Kind::Update => (UPDATE, wishes::update(wish, "container-1")?.into_message().map(|it| it.encode_to_vec())),
        };
        let lines = match self.side {
            Side::Go => self.peer.ask("wish", json!({ "kind": name, "wish": wish })).await?,
            Side::Ours => {
                let bytes = bytes.map_err(|error| Trouble::of(&error))?;
                self.shown(vec![vec![Part::Message(name, bytes)]]).await?
            }
        };
        self.history.extend(lines);
        Ok(())
    }

    /// Writes down what the plugins have seen.
    async fn look_at_plugins(&mut self) -> Result<(), Trouble> {
        let mut lines = Vec::new();
        for ours in &self.ours {
            lines.extend(ours.take_seen());
        }
        let lines = self.shown(lines).await?;
        self.history.extend(lines);
        for name in self.theirs.clone() {
            let seen = self.peer.ask("seen", json!({ "plugin": { "name": name } })).await?;
            self.history.extend(seen);
        }
        Ok(())
    }

    /// Writes down what the runtime was asked to update.
    async fn look_at_updates(&mut self) -> Result<(), Trouble> {
        let updates = self.peer.ask("updates", json!({})).await?;
        self.history.extend(updates);
        Ok(())
    }

    /// Lines of ours with their messages in the form in which Go shows its own.
    async fn shown(&mut self, lines: Vec<Line>) -> Result<Vec<String>, Trouble> {
        let mut shown = Vec::new();
        for line in lines {
            let mut words = Vec::new();
            for part in line {
                words.push(match part {
                    Part::Text(text) => text,
                    Part::Message(kind, bytes) => {
                        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                        self.peer.ask("shown", json!({ "kind": kind, "message": hex })).await?.concat()
                    }
                });
            }
            shown.push(words.join(" "));
        }
        Ok(shown)
    }

    /// Ends all, and gives what happened.
    pub(super) async fn end(mut self) -> Result<Vec<String>, Trouble> {
        for ours in std::mem::take(&mut self.ours) {
            ours.stop().await?;
        }
        self.peer.ask("stop", json!({})).await?;
        Ok(self.history)
    }
}
