//! What plugins may ask for, one wish a kind, made by our builders: `tests/interop/nri/wishes.go` has the same names.

use landfall_stub::messages::{
    Hook, Hooks, IoPrioClass, LinuxDevice, LinuxDeviceCgroup, LinuxScheduler, LinuxSchedulerFlag, LinuxSchedulerPolicy,
    LinuxSeccomp, LinuxSeccompArg, LinuxSyscall, Mount, MpolFlag, MpolMode,
};
use landfall_stub::{Adjustment, Resources, Update};

use super::peer::Trouble;

/// Makes an adjustment.
type Adjusts = fn(Adjustment) -> Adjustment;
/// Makes the resources of an update.
type Updates = fn(Resources) -> Resources;

/// Every adjustment there is.
pub(super) const ADJUSTMENTS: &[(&str, Adjusts)] = &[
    ("annotation", |a| a.annotation("key", "value")),
    ("annotation-removed", |a| a.remove_annotation("theirs")),
    ("annotation-replaced", |a| a.remove_annotation("theirs").annotation("theirs", "2")),
    ("mount", |a| a.mount(mount("/ours"))),
    ("mount-removed", |a| a.remove_mount("/theirs")),
    ("mount-replaced", |a| a.remove_mount("/theirs").mount(mount("/theirs"))),
    ("env", |a| a.env("NAME", "value").env("EMPTY", "")),
    ("env-removed", |a| a.remove_env("THEIRS")),
    ("env-replaced", |a| a.remove_env("THEIRS").env("THEIRS", "2")),
    ("args", |a| a.args(["echo", "", "1"])),
    ("args-replaced", |a| a.replace_args(["echo", "2"])),
    ("hooks", |a| a.hooks(hooks("/first")).hooks(hooks("/second"))),
    ("rlimit", |a| a.rlimit("RLIMIT_NOFILE", 2048, 1024)),
    ("cdi-device", |a| a.cdi_device("vendor.com/class=name")),
    ("device", |a| a.device(device("/dev/ours"))),
    ("device-removed", |a| a.remove_device("/dev/theirs")),
    ("memory", |a| a.resources(memory(Resources::new()))),
    ("cpu", |a| a.resources(cpu(Resources::new()))),
    ("pids", |a| a.resources(Resources::new().pids_limit(100))),
    ("hugepages", |a| a.resources(Resources::new().hugepage_limit("2MB", 4096).hugepage_limit("1GB", 0))),
    ("blockio-class", |a| a.resources(Resources::new().blockio_class("slow"))),
    ("rdt-class", |a| a.resources(Resources::new().rdt_class(""))),
    ("unified", |a| a.resources(Resources::new().unified("memory.high", "1G").unified("cpu.idle", ""))),
    ("device-rule", |a| a.resources(Resources::new().device_rule(rule()))),
    ("cgroups-path", |a| a.cgroups_path("/ours")),
    ("oom-score", |a| a.oom_score_adj(-7)),
    ("io-priority", |a| a.io_priority(IoPrioClass::IoprioClassBe, 6)),
    ("seccomp", |a| a.seccomp_policy(seccomp())),
    ("namespace", |a| a.namespace("network", Some("/run/netns/a"))),
    ("namespace-removed", |a| a.remove_namespace("ipc")),
    ("sysctl", |a| a.sysctl("net.ipv4.ip_forward", "1")),
    ("sysctl-removed", |a| a.remove_sysctl("net.core.somaxconn")),
    ("net-device", |a| a.net_device("eth7", "net0")),
    ("net-device-removed", |a| a.remove_net_device("eth8")),
    ("scheduler", |a| a.scheduler(scheduler())),
    ("rdt", |a| a.rdt_clos_id("ours").rdt_schemata(["L3:0=f", "MB:0=50"]).rdt_monitoring(false)),
    ("rdt-removed", Adjustment::remove_rdt),
    ("memory-policy", |a| a.memory_policy(MpolMode::MpolInterleave, "0-1", [MpolFlag::MpolFStaticNodes])),
];

/// Every update there is; the one whose failure is passed over is made by [`update`].
pub(super) const UPDATES: &[(&str, Updates)] = &[
    ("memory", memory),
    ("cpu", cpu),
    ("pids", |r| r.pids_limit(100)),
    ("hugepages", |r| r.hugepage_limit("2MB", 4096)),
    ("blockio-class", |r| r.blockio_class("slow")),
    ("rdt-class", |r| r.rdt_class("fast")),
    ("unified", |r| r.unified("memory.high", "1G")),
    (IGNORE_FAILURE, |r| r.cpu_shares(3)),
];

const IGNORE_FAILURE: &str = "ignore-failure";

/// The adjustment of a name.
pub(super) fn adjustment(name: &str) -> Result<Adjustment, Trouble> {
    let found = ADJUSTMENTS.iter().find(|(known, _)| *known == name);
    let (_, adjust) = found.ok_or_else(|| Trouble::Ours(format!("there is no adjustment `{name}`")))?;
    Ok(adjust(Adjustment::new()))
}

/// The update of a name, for a container.
pub(super) fn update(name: &str, container: &str) -> Result<Update, Trouble> {
    let found = UPDATES.iter().find(|(known, _)| *known == name);
    let (_, set) = found.ok_or_else(|| Trouble::Ours(format!("there is no update `{name}`")))?;
    let update = Update::new(container, set(Resources::new()));
    Ok(if name == IGNORE_FAILURE { update.ignore_failure() } else { update })
}

fn mount(destination: &str) -> Mount {
    Mount::bind("/srv", destination).option("ro")
}

fn device(path: &str) -> LinuxDevice {
    LinuxDevice { file_mode: Some(0o640), uid: Some(0), gid: Some(7), ..LinuxDevice::new(path, "c", 10, 200) }
}

fn rule() -> LinuxDeviceCgroup {
    let access = "rw".to_owned();
    LinuxDeviceCgroup { allow: true, r#type: "c".to_owned(), major: Some(1), minor: None, access }
}

fn hooks(path: &str) -> Hooks {
    let hooks = || vec![Hook { env: vec!["A=1".to_owned()], timeout: Some(3), ..Hook::new(path).arg("now") }];
    Hooks {
        prestart: hooks(),
        create_runtime: hooks(),
        create_container: hooks(),
        start_container: hooks(),
        poststart: hooks(),
        poststop: hooks(),
    }
}

fn memory(resources: Resources) -> Resources {
    resources
        .memory_limit(1 << 30)
        .memory_reservation(1 << 29)
        .memory_swap(-1)
        .memory_kernel(1 << 28)
        .memory_kernel_tcp(0)
        .memory_swappiness(60)
        .memory_disable_oom_killer(true)
        .memory_use_hierarchy(true)
}

fn cpu(resources: Resources) -> Resources {
    resources
        .cpu_shares(512)
        .cpu_quota(-1)
        .cpu_period(100_000)
        .cpu_realtime_runtime(0)
        .cpu_realtime_period(5000)
        .cpuset_cpus("0-3,7")
        .cpuset_mems("0")
}

fn seccomp() -> LinuxSeccomp {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    LinuxSeccomp {
        default_action: "SCMP_ACT_ERRNO".to_owned(),
        default_errno: Some(1),
        architectures: texts(&["SCMP_ARCH_X86_64"]),
        flags: texts(&["SECCOMP_FILTER_FLAG_LOG"]),
        listener_path: "/run/listener".to_owned(),
        listener_metadata: "ours".to_owned(),
        syscalls: vec![LinuxSyscall {
            names: texts(&["read", "write"]),
            action: "SCMP_ACT_ALLOW".to_owned(),
            errno_ret: Some(0),
            args: vec![LinuxSeccompArg { index: 1, value: 1 << 40, value_two: 2, op: "SCMP_CMP_MASKED_EQ".to_owned() }],
        }],
    }
}

fn scheduler() -> LinuxScheduler {
    LinuxScheduler {
        policy: LinuxSchedulerPolicy::SchedDeadline.into(),
        nice: -5,
        priority: 3,
        flags: [LinuxSchedulerFlag::SchedFlagResetOnFork, LinuxSchedulerFlag::SchedFlagUtilClampMax]
            .map(i32::from)
            .to_vec(),
        runtime: 1,
        deadline: 2,
        period: 1 << 40,
    }
}
