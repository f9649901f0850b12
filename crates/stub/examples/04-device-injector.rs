//! Gives containers what annotations of their pod ask for: devices, mounts, CDI devices, network devices, kernel
//! parameters and a memory policy, in the form that Go's sample has.
//!
//! `04-device-injector --idx 10` serves a real runtime; without flags it shows what it does on a runtime inside of the
//! process. A mode of permissions is octal as YAML 1.2 has it: `0o640`.

#[path = "00-sample/mod.rs"]
mod sample;

use std::collections::BTreeMap;

use clap::Parser;
use landfall_stub::messages::{Container, LinuxDevice, Mount, MpolFlag, MpolMode, PodSandbox};
use landfall_stub::testing::TestRuntime;
use landfall_stub::{Adjustment, BoxError, StubBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Gives containers what annotations of their pod ask for
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    identity: sample::Identity,
    /// Log whole adjustments
    #[arg(long)]
    verbose: bool,
}

#[derive(Deserialize)]
struct Device {
    path: String,
    r#type: String,
    major: i64,
    minor: i64,
    file_mode: Option<u32>,
    uid: Option<u32>,
    gid: Option<u32>,
}

#[derive(Deserialize)]
struct Mounted {
    source: String,
    destination: String,
    r#type: String,
    #[serde(default)]
    options: Vec<String>,
}

#[derive(Deserialize)]
struct NetDevice {
    #[serde(rename = "hostIf")]
    host: String,
    #[serde(alias = "Name", default)]
    name: String,
}

#[derive(Deserialize)]
struct MemoryPolicy {
    mode: String,
    #[serde(default)]
    nodes: String,
    #[serde(default)]
    flags: Vec<String>,
}

/// What an annotation says; of the two domains, the new one comes first where both are as specific.
fn annotated<T: DeserializeOwned>(pod: &PodSandbox, what: &str, container: &str) -> Result<Option<T>, BoxError> {
    let suffixes = [format!("/container.{container}"), "/pod".to_owned(), String::new()];
    let domains = ["noderesource.dev", "nri.io"];
    let keys = suffixes.iter().flat_map(|suffix| domains.map(|domain| format!("{what}.{domain}{suffix}")));
    for key in keys {
        if let Some(value) = pod.annotations.get(&key) {
            return serde_yaml_ng::from_str(value)
                .map(Some)
                .map_err(|error| format!("annotation {key}: {error}").into());
        }
    }
    Ok(None)
}

fn adjustment(pod: &PodSandbox, container: &str) -> Result<Adjustment, BoxError> {
    let mut adjustment = Adjustment::new();
    for device in annotated::<Vec<Device>>(pod, "devices", container)?.unwrap_or_default() {
        let Device { path, r#type, major, minor, file_mode, uid, gid } = device;
        let device = LinuxDevice::new(path, r#type, major, minor);
        adjustment = adjustment.device(LinuxDevice { file_mode, uid, gid, ..device });
    }
    for mount in annotated::<Vec<Mounted>>(pod, "mounts", container)?.unwrap_or_default() {
        let Mounted { source, destination, r#type, options } = mount;
        adjustment = adjustment.mount(Mount { source, destination, r#type, options });
    }
    for name in annotated::<Vec<String>>(pod, "cdi-devices", container)?.unwrap_or_default() {
        adjustment = adjustment.cdi_device(name);
    }
    for NetDevice { host, name } in annotated::<Vec<NetDevice>>(pod, "network-devices", container)?.unwrap_or_default()
    {
        adjustment = adjustment.net_device(host, name);
    }
    for (name, value) in annotated::<BTreeMap<String, String>>(pod, "sysctl", container)?.unwrap_or_default() {
        adjustment = adjustment.sysctl(name, value);
    }
    if let Some(MemoryPolicy { mode, nodes, flags }) = annotated(pod, "memory-policy", container)? {
        let mode = MpolMode::from_str_name(&mode).ok_or_else(|| format!("there is no memory policy {mode}"))?;
        let flag = |flag: &String| MpolFlag::from_str_name(flag).ok_or_else(|| format!("there is no flag {flag}"));
        adjustment = adjustment.memory_policy(mode, nodes, flags.iter().map(flag).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(adjustment)
}

fn plugin(options: &Options) -> StubBuilder {
    let verbose = options.verbose;
    options.identity.builder("device-injector").on_create_container(move |_cx, pod, container| {
        let adjustment = adjustment(&pod, &container.name);
        if verbose {
            println!("{}/{}: {adjustment:#?}", pod.name, container.name);
        }
        async { adjustment }
    })
}

#[tokio::main]
async fn main() -> sample::Done {
    let options = Options::parse();
    if !sample::is_rehearsal() {
        return sample::serve(&plugin(&options).build()?).await;
    }
    let (stub, runtime) = sample::rehearse(plugin(&options), &TestRuntime::new()).await?;
    let annotations = [
        ("devices.nri.io/container.web", "- path: /dev/null2\n  type: c\n  major: 1\n  minor: 3\n  file_mode: 0o640"),
        ("devices.noderesource.dev", "[]"),
        ("mounts.noderesource.dev/pod", "- {source: /srv, destination: /data, type: bind, options: [rbind, ro]}"),
        ("sysctl.noderesource.dev", "net.core.somaxconn: '256'"),
        ("memory-policy.noderesource.dev", "mode: MPOL_INTERLEAVE\nnodes: 0-1\nflags: [MPOL_F_STATIC_NODES]"),
    ];
    let annotations = annotations.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let pod = PodSandbox { annotations, ..PodSandbox::default() };
    let container = Container { name: "web".into(), ..Container::default() };
    let answer = runtime.create_container(pod, container).await?;
    println!("{:#?}", answer.adjust);
    let adjust = answer.adjust.ok_or("nothing was injected")?;
    let linux = adjust.linux.ok_or("no device was injected")?;
    assert_eq!((linux.devices[0].path.as_str(), linux.devices[0].file_mode), ("/dev/null2", Some(0o640)));
    assert_eq!((adjust.mounts.len(), linux.sysctl.len(), linux.memory_policy.is_some()), (1, 1, true));
    assert!(stub.stop().await?.is_clean());
    Ok(())
}
