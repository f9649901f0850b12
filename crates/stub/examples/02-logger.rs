//! Logs every event, and marks containers if it is asked to. Of environments it logs the names of variables only.
//!
//! `02-logger --idx 10 --events pod,createcontainer --add-env SEEN` serves a real runtime; so does a copy of it named
//! `10-logger` in the runtime's folder of plugins, with a configuration such as `addEnv: SEEN` in `10-logger.conf`. Without
//! flags it shows what it does on a runtime inside of the process.

#[path = "00-sample/mod.rs"]
mod sample;

use std::fmt::Debug;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Parser;
use landfall_stub::messages::{Container, Event, PodSandbox};
use landfall_stub::testing::TestRuntime;
use landfall_stub::{Adjustment, BoxError, EventMask, HandlerCx, StubBuilder};
use serde::Deserialize;

/// Logs every event, and marks containers if it is asked to
#[derive(Debug, Default, Parser)]
struct Options {
    #[command(flatten)]
    identity: sample::Identity,
    #[command(flatten)]
    config: Config,
}

/// Flags, or the file of a plugin that a runtime launches.
#[derive(Clone, Debug, Default, Deserialize, clap::Args)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    /// Log to this file
    #[arg(long)]
    log_file: Option<String>,
    /// Comma-separated list of events to subscribe for
    #[arg(long, value_delimiter = ',')]
    events: Vec<String>,
    /// Add this annotation to containers
    #[arg(long)]
    add_annotation: Option<String>,
    /// Set this annotation on containers, whoever has set it before
    #[arg(long)]
    set_annotation: Option<String>,
    /// Add this environment variable for containers
    #[arg(long)]
    add_env: Option<String>,
    /// Set this environment variable for containers, whoever has set it before
    #[arg(long)]
    set_env: Option<String>,
}

struct Logger {
    config: Mutex<Config>,
    out: Mutex<Box<dyn Write + Send>>,
}

impl Logger {
    fn new(config: Config) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self { out: Mutex::new(opened(&config)?), config: Mutex::new(config) }))
    }

    fn config(&self) -> Config {
        self.config.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn log(&self, event: &str, what: &str, object: &impl Debug) -> Result<(), BoxError> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(out, "{event}: {what}:")?;
        for line in format!("{object:#?}").lines() {
            writeln!(out, "{event}:    {line}")?;
        }
        Ok(out.flush()?)
    }

    fn configure(&self, text: &str) -> Result<(), BoxError> {
        let config: Config = serde_yaml_ng::from_str(text)?;
        *self.out.lock().unwrap_or_else(PoisonError::into_inner) = opened(&config)?;
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    fn adjustment(&self) -> Adjustment {
        let (config, mark) = (self.config(), format!("logger-pid-{}", std::process::id()));
        let mut adjustment = Adjustment::new();
        if let Some(key) = config.add_annotation {
            adjustment = adjustment.annotation(key, &mark);
        }
        if let Some(key) = config.set_annotation {
            adjustment = adjustment.remove_annotation(&key).annotation(key, &mark);
        }
        if let Some(name) = config.add_env {
            adjustment = adjustment.env(name, &mark);
        }
        if let Some(name) = config.set_env {
            adjustment = adjustment.remove_env(&name).env(name, &mark);
        }
        adjustment
    }
}

fn opened(config: &Config) -> io::Result<Box<dyn Write + Send>> {
    Ok(match &config.log_file {
        Some(path) => Box::new(OpenOptions::new().append(true).create(true).open(path)?),
        None => Box::new(io::stdout()),
    })
}

fn plugin(identity: &sample::Identity, logger: &Arc<Logger>) -> StubBuilder {
    let of_pod = |event: &'static str| {
        let logger = Arc::clone(logger);
        move |_: HandlerCx, pod: PodSandbox| {
            let logged = logger.log(event, "pod", &pod);
            async { logged }
        }
    };
    let of_container = |event: &'static str| {
        let logger = Arc::clone(logger);
        move |_: HandlerCx, pod: PodSandbox, container: Container| {
            let logged = logger.log(event, "pod", &pod).and_then(|()| logger.log(event, "container", &container));
            async { logged }
        }
    };
    let [configures, synchronizes, updates_pod, creates, updates, stops, validates] =
        std::array::from_fn(|_| Arc::clone(logger));
    identity
        .builder("logger")
        .on_configure(move |_, configuration| {
            let logger = Arc::clone(&configures);
            async move {
                if !configuration.config.is_empty() {
                    logger.configure(&configuration.config)?;
                }
                let events = logger.config().events;
                let asked = if events.is_empty() { EventMask::ALL } else { events.join(",").parse()? };
                Ok(asked.and(configuration.events))
            }
        })
        .on_synchronize(move |_, pods, containers| {
            let logged = synchronizes.log("Synchronize", "pods", &pods);
            let logged = logged.and_then(|()| synchronizes.log("Synchronize", "containers", &containers));
            async { logged.map(|()| Vec::new()) }
        })
        .on_run_pod_sandbox(of_pod("RunPodSandbox"))
        .on_update_pod_sandbox(move |_, request| {
            let logged = updates_pod.log("UpdatePodSandbox", "request", &request);
            async { logged }
        })
        .on_post_update_pod_sandbox(of_pod("PostUpdatePodSandbox"))
        .on_stop_pod_sandbox(of_pod("StopPodSandbox"))
        .on_remove_pod_sandbox(of_pod("RemovePodSandbox"))
        .on_create_container(move |_, pod, container| {
            let logged = creates.log("CreateContainer", "pod", &pod);
            let logged = logged.and_then(|()| creates.log("CreateContainer", "container", &container));
            let adjustment = creates.adjustment();
            async { logged.map(|()| adjustment) }
        })
        .on_post_create_container(of_container("PostCreateContainer"))
        .on_start_container(of_container("StartContainer"))
        .on_post_start_container(of_container("PostStartContainer"))
        .on_update_container(move |_, _, container, resources| {
            let logged = updates.log("UpdateContainer", "container", &container);
            let logged = logged.and_then(|()| updates.log("UpdateContainer", "resources", &resources));
            async { logged.map(|()| Vec::new()) }
        })
        .on_post_update_container(of_container("PostUpdateContainer"))
        .on_stop_container(move |_, _, container| {
            let logged = stops.log("StopContainer", "container", &container);
            async { logged.map(|()| Vec::new()) }
        })
        .on_remove_container(of_container("RemoveContainer"))
        .on_validate_container_adjustment(move |_, request| {
            let logged = validates.log("ValidateContainerAdjustment", "request", &request);
            async { logged }
        })
}

#[tokio::main]
async fn main() -> sample::Done {
    let Options { identity, config } = Options::parse();
    if !config.events.is_empty() {
        // At once, and not when the runtime configures it.
        config.events.join(",").parse::<EventMask>()?;
    }
    if !sample::is_rehearsal() {
        return sample::serve(&plugin(&identity, &Logger::new(config)?).build()?).await;
    }
    let config =
        Config { events: vec!["pod".into(), "CreateContainer".into()], ..serde_yaml_ng::from_str("addEnv: SEEN")? };
    let (stub, runtime) = sample::rehearse(plugin(&identity, &Logger::new(config)?), &TestRuntime::new()).await?;
    assert!(runtime.events().contains(Event::CreateContainer) && !runtime.events().contains(Event::StartContainer));
    runtime.pod_event(Event::RunPodSandbox, PodSandbox { name: "web".into(), ..PodSandbox::default() }).await?;
    let answer = runtime.create_container(PodSandbox::default(), Container::default()).await?;
    let adjust = answer.adjust.ok_or("the logger adjusts nothing")?;
    assert_eq!(adjust.env[0].key, "SEEN");
    assert!(stub.stop().await?.is_clean());
    Ok(())
}
