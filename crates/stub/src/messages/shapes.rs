//! What each message may hold more than once: generated from `proto/nri.proto` by `cargo xtask codegen`.

// This file is @generated.
use super::weight::{Field, Shape};

/// The shape of what a method of a plugin takes.
pub(crate) fn argument_of(method: &str) -> Option<&'static Shape> {
    Some(match method {
        "Configure" => &CONFIGURE_REQUEST,
        "Synchronize" => &SYNCHRONIZE_REQUEST,
        "RunPodSandbox" => &RUN_POD_SANDBOX_REQUEST,
        "UpdatePodSandbox" => &UPDATE_POD_SANDBOX_REQUEST,
        "PostUpdatePodSandbox" => &POST_UPDATE_POD_SANDBOX_REQUEST,
        "StopPodSandbox" => &STOP_POD_SANDBOX_REQUEST,
        "RemovePodSandbox" => &REMOVE_POD_SANDBOX_REQUEST,
        "CreateContainer" => &CREATE_CONTAINER_REQUEST,
        "PostCreateContainer" => &POST_CREATE_CONTAINER_REQUEST,
        "StartContainer" => &START_CONTAINER_REQUEST,
        "PostStartContainer" => &POST_START_CONTAINER_REQUEST,
        "UpdateContainer" => &UPDATE_CONTAINER_REQUEST,
        "PostUpdateContainer" => &POST_UPDATE_CONTAINER_REQUEST,
        "StopContainer" => &STOP_CONTAINER_REQUEST,
        "RemoveContainer" => &REMOVE_CONTAINER_REQUEST,
        "StateChange" => &STATE_CHANGE_EVENT,
        "ValidateContainerAdjustment" => &VALIDATE_CONTAINER_ADJUSTMENT_REQUEST,
        _ => return None,
    })
}

pub(crate) static CONFIGURE_REQUEST: Shape = Shape { bytes: size_of::<super::ConfigureRequest>(), fields: &[] };

pub(crate) static SYNCHRONIZE_REQUEST: Shape = Shape {
    bytes: size_of::<super::SynchronizeRequest>(),
    fields: &[(1, Field::Messages(&POD_SANDBOX)), (2, Field::Messages(&CONTAINER))],
};

pub(crate) static RUN_POD_SANDBOX_REQUEST: Shape =
    Shape { bytes: size_of::<super::RunPodSandboxRequest>(), fields: &[(1, Field::Message(&POD_SANDBOX))] };

pub(crate) static UPDATE_POD_SANDBOX_REQUEST: Shape = Shape {
    bytes: size_of::<super::UpdatePodSandboxRequest>(),
    fields: &[
        (1, Field::Message(&POD_SANDBOX)),
        (2, Field::Message(&LINUX_RESOURCES)),
        (3, Field::Message(&LINUX_RESOURCES)),
    ],
};

pub(crate) static POST_UPDATE_POD_SANDBOX_REQUEST: Shape =
    Shape { bytes: size_of::<super::PostUpdatePodSandboxRequest>(), fields: &[(1, Field::Message(&POD_SANDBOX))] };

pub(crate) static STOP_POD_SANDBOX_REQUEST: Shape =
    Shape { bytes: size_of::<super::StopPodSandboxRequest>(), fields: &[(1, Field::Message(&POD_SANDBOX))] };

pub(crate) static REMOVE_POD_SANDBOX_REQUEST: Shape =
    Shape { bytes: size_of::<super::RemovePodSandboxRequest>(), fields: &[(1, Field::Message(&POD_SANDBOX))] };

pub(crate) static CREATE_CONTAINER_REQUEST: Shape = Shape {
    bytes: size_of::<super::CreateContainerRequest>(),
    fields: &[(1, Field::Message(&POD_SANDBOX)), (2, Field::Message(&CONTAINER))],
};

pub(crate) static POST_CREATE_CONTAINER_REQUEST: Shape = Shape {
    bytes: size_of::<super::PostCreateContainerRequest>(),
    fields: &[(1, Field::Message(&POD_SANDBOX)), (2, Field::Message(&CONTAINER))],
};

pub(crate) static START_CONTAINER_REQUEST: Shape = Shape {
    bytes: size_of::<super::StartContainerRequest>(),
    fields: &[(1, Field::Message(&POD_SANDBOX)), (2, Field::Message(&CONTAINER))],
};

pub(crate) static POST_START_CONTAINER_REQUEST: Shape = Shape {
    bytes: size_of::<super::PostStartContainerRequest>(),
    fields: &[(1, Field::Message(&POD_SANDBOX)), (2, Field::Message(&CONTAINER))],
};

pub(crate) static UPDATE_CONTAINER_REQUEST: Shape = Shape {
    bytes: size_of::<super::UpdateContainerRequest>(),
    fields: &[
        (1, Field::Message(&POD_SANDBOX)),
        (2, Field::Message(&CONTAINER)),
        (3, Field::Message(&LINUX_RESOURCES)),
    ],
};

pub(crate) static POST_UPDATE_CONTAINER_REQUEST: Shape = Shape {
    bytes: size_of::<super::PostUpdateContainerRequest>(),
    fields: &[(1, Field::Message(&POD_SANDBOX)), (2, Field::Message(&CONTAINER))],
};

pub(crate) static STOP_CONTAINER_REQUEST: Shape = Shape {
    bytes: size_of::<super::StopContainerRequest>(),
    fields: &[(1, Field::Message(&POD_SANDBOX)), (2, Field::Message(&CONTAINER))],
};

pub(crate) static REMOVE_CONTAINER_REQUEST: Shape = Shape {
    bytes: size_of::<super::RemoveContainerRequest>(),
    fields: &[(1, Field::Message(&POD_SANDBOX)), (2, Field::Message(&CONTAINER))],
};

pub(crate) static STATE_CHANGE_EVENT: Shape = Shape {
    bytes: size_of::<super::StateChangeEvent>(),
    fields: &[(2, Field::Message(&POD_SANDBOX)), (3, Field::Message(&CONTAINER))],
};

pub(crate) static VALIDATE_CONTAINER_ADJUSTMENT_REQUEST: Shape = Shape {
    bytes: size_of::<super::ValidateContainerAdjustmentRequest>(),
    fields: &[
        (1, Field::Message(&POD_SANDBOX)),
        (2, Field::Message(&CONTAINER)),
        (3, Field::Message(&CONTAINER_ADJUSTMENT)),
        (4, Field::Messages(&CONTAINER_UPDATE)),
        (5, Field::Message(&OWNING_PLUGINS)),
        (6, Field::Messages(&PLUGIN_INSTANCE)),
    ],
};

pub(crate) static UPDATE_CONTAINERS_RESPONSE: Shape =
    Shape { bytes: size_of::<super::UpdateContainersResponse>(), fields: &[(1, Field::Messages(&CONTAINER_UPDATE))] };

pub(crate) static POD_SANDBOX: Shape = Shape {
    bytes: size_of::<super::PodSandbox>(),
    fields: &[(5, Field::Entries), (6, Field::Entries), (8, Field::Message(&LINUX_POD_SANDBOX)), (10, Field::Texts)],
};

pub(crate) static CONTAINER: Shape = Shape {
    bytes: size_of::<super::Container>(),
    fields: &[
        (5, Field::Entries),
        (6, Field::Entries),
        (7, Field::Texts),
        (8, Field::Texts),
        (9, Field::Messages(&MOUNT)),
        (10, Field::Message(&HOOKS)),
        (11, Field::Message(&LINUX_CONTAINER)),
        (13, Field::Messages(&POSIX_RLIMIT)),
        (20, Field::Messages(&CDI_DEVICE)),
        (21, Field::Message(&USER)),
        (22, Field::Message(&IMAGE)),
    ],
};

pub(crate) static LINUX_RESOURCES: Shape = Shape {
    bytes: size_of::<super::LinuxResources>(),
    fields: &[
        (1, Field::Message(&LINUX_MEMORY)),
        (2, Field::Message(&LINUX_CPU)),
        (3, Field::Messages(&HUGEPAGE_LIMIT)),
        (6, Field::Entries),
        (7, Field::Messages(&LINUX_DEVICE_CGROUP)),
        (8, Field::Message(&LINUX_PIDS)),
    ],
};

pub(crate) static CONTAINER_ADJUSTMENT: Shape = Shape {
    bytes: size_of::<super::ContainerAdjustment>(),
    fields: &[
        (2, Field::Entries),
        (3, Field::Messages(&MOUNT)),
        (4, Field::Messages(&KEY_VALUE)),
        (5, Field::Message(&HOOKS)),
        (6, Field::Message(&LINUX_CONTAINER_ADJUSTMENT)),
        (7, Field::Messages(&POSIX_RLIMIT)),
        (8, Field::Messages(&CDI_DEVICE)),
        (9, Field::Texts),
    ],
};

pub(crate) static CONTAINER_UPDATE: Shape =
    Shape { bytes: size_of::<super::ContainerUpdate>(), fields: &[(2, Field::Message(&LINUX_CONTAINER_UPDATE))] };

pub(crate) static OWNING_PLUGINS_OWNERS_ENTRY: Shape =
    Shape { bytes: size_of::<(String, super::FieldOwners)>(), fields: &[(2, Field::Message(&FIELD_OWNERS))] };

pub(crate) static OWNING_PLUGINS: Shape =
    Shape { bytes: size_of::<super::OwningPlugins>(), fields: &[(1, Field::Messages(&OWNING_PLUGINS_OWNERS_ENTRY))] };

pub(crate) static PLUGIN_INSTANCE: Shape = Shape { bytes: size_of::<super::PluginInstance>(), fields: &[] };

pub(crate) static LINUX_POD_SANDBOX: Shape = Shape {
    bytes: size_of::<super::LinuxPodSandbox>(),
    fields: &[
        (1, Field::Message(&LINUX_RESOURCES)),
        (2, Field::Message(&LINUX_RESOURCES)),
        (5, Field::Messages(&LINUX_NAMESPACE)),
        (6, Field::Message(&LINUX_RESOURCES)),
    ],
};

pub(crate) static MOUNT: Shape = Shape { bytes: size_of::<super::Mount>(), fields: &[(4, Field::Texts)] };

pub(crate) static HOOKS: Shape = Shape {
    bytes: size_of::<super::Hooks>(),
    fields: &[
        (1, Field::Messages(&HOOK)),
        (2, Field::Messages(&HOOK)),
        (3, Field::Messages(&HOOK)),
        (4, Field::Messages(&HOOK)),
        (5, Field::Messages(&HOOK)),
        (6, Field::Messages(&HOOK)),
    ],
};

pub(crate) static LINUX_CONTAINER_NET_DEVICES_ENTRY: Shape =
    Shape { bytes: size_of::<(String, super::LinuxNetDevice)>(), fields: &[(2, Field::Message(&LINUX_NET_DEVICE))] };

pub(crate) static LINUX_CONTAINER: Shape = Shape {
    bytes: size_of::<super::LinuxContainer>(),
    fields: &[
        (1, Field::Messages(&LINUX_NAMESPACE)),
        (2, Field::Messages(&LINUX_DEVICE)),
        (3, Field::Message(&LINUX_RESOURCES)),
        (6, Field::Message(&LINUX_IO_PRIORITY)),
        (7, Field::Message(&SECURITY_PROFILE)),
        (8, Field::Message(&LINUX_SECCOMP)),
        (9, Field::Entries),
        (10, Field::Messages(&LINUX_CONTAINER_NET_DEVICES_ENTRY)),
        (11, Field::Message(&LINUX_SCHEDULER)),
        (12, Field::Message(&LINUX_RDT)),
    ],
};

pub(crate) static POSIX_RLIMIT: Shape = Shape { bytes: size_of::<super::PosixRlimit>(), fields: &[] };

pub(crate) static CDI_DEVICE: Shape = Shape { bytes: size_of::<super::CdiDevice>(), fields: &[] };

pub(crate) static USER: Shape = Shape { bytes: size_of::<super::User>(), fields: &[(3, Field::Numbers(4))] };

pub(crate) static IMAGE: Shape = Shape { bytes: size_of::<super::Image>(), fields: &[] };

pub(crate) static LINUX_MEMORY: Shape = Shape { bytes: size_of::<super::LinuxMemory>(), fields: &[] };

pub(crate) static LINUX_CPU: Shape = Shape { bytes: size_of::<super::LinuxCpu>(), fields: &[] };

pub(crate) static HUGEPAGE_LIMIT: Shape = Shape { bytes: size_of::<super::HugepageLimit>(), fields: &[] };

pub(crate) static LINUX_DEVICE_CGROUP: Shape = Shape { bytes: size_of::<super::LinuxDeviceCgroup>(), fields: &[] };

pub(crate) static LINUX_PIDS: Shape = Shape { bytes: size_of::<super::LinuxPids>(), fields: &[] };

pub(crate) static KEY_VALUE: Shape = Shape { bytes: size_of::<super::KeyValue>(), fields: &[] };

pub(crate) static LINUX_CONTAINER_ADJUSTMENT_NET_DEVICES_ENTRY: Shape =
    Shape { bytes: size_of::<(String, super::LinuxNetDevice)>(), fields: &[(2, Field::Message(&LINUX_NET_DEVICE))] };

pub(crate) static LINUX_CONTAINER_ADJUSTMENT: Shape = Shape {
    bytes: size_of::<super::LinuxContainerAdjustment>(),
    fields: &[
        (1, Field::Messages(&LINUX_DEVICE)),
        (2, Field::Message(&LINUX_RESOURCES)),
        (5, Field::Message(&LINUX_IO_PRIORITY)),
        (6, Field::Message(&LINUX_SECCOMP)),
        (7, Field::Messages(&LINUX_NAMESPACE)),
        (8, Field::Entries),
        (9, Field::Messages(&LINUX_CONTAINER_ADJUSTMENT_NET_DEVICES_ENTRY)),
        (10, Field::Message(&LINUX_SCHEDULER)),
        (11, Field::Message(&LINUX_RDT)),
        (12, Field::Message(&LINUX_MEMORY_POLICY)),
    ],
};

pub(crate) static LINUX_CONTAINER_UPDATE: Shape =
    Shape { bytes: size_of::<super::LinuxContainerUpdate>(), fields: &[(1, Field::Message(&LINUX_RESOURCES))] };

pub(crate) static FIELD_OWNERS_COMPOUND_ENTRY: Shape = Shape {
    bytes: size_of::<(String, super::CompoundFieldOwners)>(),
    fields: &[(2, Field::Message(&COMPOUND_FIELD_OWNERS))],
};

pub(crate) static FIELD_OWNERS: Shape = Shape {
    bytes: size_of::<super::FieldOwners>(),
    fields: &[(1, Field::Entries), (2, Field::Messages(&FIELD_OWNERS_COMPOUND_ENTRY))],
};

pub(crate) static LINUX_NAMESPACE: Shape = Shape { bytes: size_of::<super::LinuxNamespace>(), fields: &[] };

pub(crate) static HOOK: Shape =
    Shape { bytes: size_of::<super::Hook>(), fields: &[(2, Field::Texts), (3, Field::Texts)] };

pub(crate) static LINUX_DEVICE: Shape = Shape { bytes: size_of::<super::LinuxDevice>(), fields: &[] };

pub(crate) static LINUX_IO_PRIORITY: Shape = Shape { bytes: size_of::<super::LinuxIoPriority>(), fields: &[] };

pub(crate) static SECURITY_PROFILE: Shape = Shape { bytes: size_of::<super::SecurityProfile>(), fields: &[] };

pub(crate) static LINUX_SECCOMP: Shape = Shape {
    bytes: size_of::<super::LinuxSeccomp>(),
    fields: &[(3, Field::Texts), (4, Field::Texts), (7, Field::Messages(&LINUX_SYSCALL))],
};

pub(crate) static LINUX_NET_DEVICE: Shape = Shape { bytes: size_of::<super::LinuxNetDevice>(), fields: &[] };

pub(crate) static LINUX_SCHEDULER: Shape =
    Shape { bytes: size_of::<super::LinuxScheduler>(), fields: &[(4, Field::Numbers(4))] };

pub(crate) static LINUX_RDT: Shape =
    Shape { bytes: size_of::<super::LinuxRdt>(), fields: &[(2, Field::Message(&OPTIONAL_REPEATED_STRING))] };

pub(crate) static LINUX_MEMORY_POLICY: Shape =
    Shape { bytes: size_of::<super::LinuxMemoryPolicy>(), fields: &[(3, Field::Numbers(4))] };

pub(crate) static COMPOUND_FIELD_OWNERS: Shape =
    Shape { bytes: size_of::<super::CompoundFieldOwners>(), fields: &[(1, Field::Entries)] };

pub(crate) static LINUX_SYSCALL: Shape = Shape {
    bytes: size_of::<super::LinuxSyscall>(),
    fields: &[(1, Field::Texts), (4, Field::Messages(&LINUX_SECCOMP_ARG))],
};

pub(crate) static OPTIONAL_REPEATED_STRING: Shape =
    Shape { bytes: size_of::<super::OptionalRepeatedString>(), fields: &[(1, Field::Texts)] };

pub(crate) static LINUX_SECCOMP_ARG: Shape = Shape { bytes: size_of::<super::LinuxSeccompArg>(), fields: &[] };
