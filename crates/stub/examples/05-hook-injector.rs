//! Gives containers OCI hooks by the files of podman and CRI-O: `*.json` in `/usr/share/containers/oci/hooks.d` and
//! `/etc/containers/oci/hooks.d`, where a file in the second stands for one of the same name in the first.
//!
//! `05-hook-injector --idx 10` serves a real runtime; without flags it shows what it does on a runtime inside of the
//! process. The files are read for each container that is created, so that new ones are seen.

#[path = "00-sample/mod.rs"]
mod sample;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Parser;
use landfall_stub::messages::{Container, Hook, Hooks, Mount, PodSandbox};
use landfall_stub::testing::TestRuntime;
use landfall_stub::{Adjustment, BoxError, StubBuilder};
use regex::Regex;
use serde::Deserialize;

/// Gives containers OCI hooks
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    identity: sample::Identity,
    /// Folders of hook files, later ones before earlier ones
    #[arg(long = "dir", default_values = ["/usr/share/containers/oci/hooks.d", "/etc/containers/oci/hooks.d"])]
    dirs: Vec<PathBuf>,
}

/// A file of version 1.0.0.
#[derive(Deserialize)]
struct File {
    hook: Program,
    when: When,
    stages: Vec<String>,
}

#[derive(Clone, Deserialize)]
struct Program {
    path: String,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: Vec<String>,
    timeout: Option<i64>,
}

/// What all must hold for the hook to be injected; what is absent is not asked about.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct When {
    always: Option<bool>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    commands: Vec<String>,
    has_bind_mounts: Option<bool>,
}

impl When {
    fn holds(&self, pod: &PodSandbox, container: &Container) -> Result<bool, BoxError> {
        if self.always.is_none()
            && self.has_bind_mounts.is_none()
            && self.annotations.is_empty()
            && self.commands.is_empty()
        {
            return Ok(false);
        }
        for (key, value) in &self.annotations {
            let (key, value) = (Regex::new(key)?, Regex::new(value)?);
            let mut all = pod.annotations.iter().chain(&container.annotations);
            if !all.any(|(one, other)| key.is_match(one) && value.is_match(other)) {
                return Ok(false);
            }
        }
        let program = container.args.first().map_or("", String::as_str);
        let commands = self.commands.iter().map(|command| Regex::new(command)).collect::<Result<Vec<_>, _>>()?;
        let is_named = commands.is_empty() || commands.iter().any(|command| command.is_match(program));
        let has_bind_mounts = !container.mounts.is_empty();
        Ok(is_named && self.always != Some(false) && self.has_bind_mounts.is_none_or(|asked| asked == has_bind_mounts))
    }
}

/// The files in the order of their names.
fn files(dirs: &[PathBuf]) -> Result<Vec<File>, BoxError> {
    let mut paths = BTreeMap::new();
    for dir in dirs {
        let entries = match fs::read_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                paths.insert(path.file_name().map(ToOwned::to_owned), path);
            }
        }
    }
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path)?;
        serde_yaml_ng::from_str(&text).map_err(|error| format!("{}: {error}", path.display()).into())
    };
    paths.into_values().map(read).collect()
}

fn adjustment(dirs: &[PathBuf], pod: &PodSandbox, container: &Container) -> Result<Adjustment, BoxError> {
    let mut adjustment = Adjustment::new();
    for file in files(dirs)? {
        if !file.when.holds(pod, container)? {
            continue;
        }
        let Program { path, args, env, timeout } = file.hook;
        let hook = vec![Hook { path, args, env, timeout }];
        for stage in file.stages {
            let hook = hook.clone();
            adjustment = adjustment.hooks(match stage.as_str() {
                "prestart" => Hooks { prestart: hook, ..Hooks::default() },
                "createRuntime" => Hooks { create_runtime: hook, ..Hooks::default() },
                "createContainer" => Hooks { create_container: hook, ..Hooks::default() },
                "startContainer" => Hooks { start_container: hook, ..Hooks::default() },
                "poststart" => Hooks { poststart: hook, ..Hooks::default() },
                "poststop" => Hooks { poststop: hook, ..Hooks::default() },
                _ => return Err(format!("there is no stage {stage}").into()),
            });
        }
    }
    Ok(adjustment)
}

fn plugin(options: &Options) -> StubBuilder {
    let dirs = options.dirs.clone();
    options.identity.builder("hook-injector").on_create_container(move |_cx, pod, container| {
        let adjustment = adjustment(&dirs, &pod, &container);
        async { adjustment }
    })
}

#[tokio::main]
async fn main() -> sample::Done {
    let mut options = Options::parse();
    if !sample::is_rehearsal() {
        return sample::serve(&plugin(&options).build()?).await;
    }
    let dir = std::env::temp_dir().join(format!("landfall-hooks-{}", std::process::id()));
    fs::create_dir_all(&dir)?;
    fs::write(
        dir.join("10-mounts.json"),
        r#"{"version": "1.0.0", "hook": {"path": "/bin/true", "args": ["true", "now"]},
            "when": {"hasBindMounts": true, "commands": ["^/bin/"]}, "stages": ["createRuntime", "poststop"]}"#,
    )?;
    options.dirs = vec![dir.clone()];
    let (stub, runtime) = sample::rehearse(plugin(&options), &TestRuntime::new()).await?;
    let container = Container { args: vec!["/bin/sh".into()], ..Container::default() };
    let without = runtime.create_container(PodSandbox::default(), container.clone()).await?;
    assert_eq!(without.adjust, None);
    let container = Container { mounts: vec![Mount::bind("/srv", "/data")], ..container };
    let with = runtime.create_container(PodSandbox::default(), container).await?;
    fs::remove_dir_all(&dir)?;
    let hooks = with.adjust.and_then(|adjust| adjust.hooks).ok_or("no hook was injected")?;
    println!("{hooks:#?}");
    assert_eq!((hooks.create_runtime.len(), hooks.poststop.len(), hooks.prestart.len()), (1, 1, 0));
    assert!(stub.stop().await?.is_clean());
    Ok(())
}
