//! What is adjusted on Linux only.

use super::Adjustment;
use crate::check;
use crate::messages::{
    IoPrioClass, LinuxDevice, LinuxIoPriority, LinuxMemoryPolicy, LinuxNamespace, LinuxNetDevice, LinuxRdt,
    LinuxScheduler, LinuxSeccomp, MpolFlag, MpolMode, OptionalRepeatedString,
};
use crate::removal::{mark_for_removal, marked_for_removal};
use crate::resources::Resources;

impl Adjustment {
    /// Adds a device; its path is its key.
    pub fn device(mut self, device: LinuxDevice) -> Self {
        self.check(check::path("the path of a device", &device.path));
        self.check(check::form("the type of a device", &device.r#type, "one of c, b, p and u", |kind| {
            ["c", "b", "p", "u"].contains(&kind)
        }));
        self.linux().devices.retain(|other| other.path != device.path);
        self.linux().devices.push(device);
        self
    }

    /// Removes the device of a path.
    pub fn remove_device(mut self, path: impl AsRef<str>) -> Self {
        self.check(check::path("the path of a device", path.as_ref()));
        let path = mark_for_removal(path.as_ref());
        self.linux().devices.push(LinuxDevice { path, ..LinuxDevice::default() });
        self
    }

    /// Sets resources; of two calls, the later one counts.
    pub fn resources(mut self, resources: Resources) -> Self {
        let (resources, fault) = resources.into_parts();
        self.check(fault.map_or(Ok(()), Err));
        self.linux().resources = Some(resources);
        self
    }

    /// Sets the path of the control group.
    pub fn cgroups_path(mut self, path: impl Into<String>) -> Self {
        let path = path.into();
        // An empty path would be taken for none that is set.
        self.check(check::filled("the path of the control group", &path));
        self.linux().cgroups_path = path;
        self
    }

    /// Sets how eagerly the kernel ends the container when memory is short, from -1000 to 1000.
    pub fn oom_score_adj(mut self, score: i64) -> Self {
        self.check(check::range("the adjustment of the score of the OOM killer", score, -1000, 1000));
        self.linux().oom_score_adj = Some(score);
        self
    }

    /// Sets the priority of input and output; within its class, from 0, the highest, to 7.
    pub fn io_priority(mut self, class: IoPrioClass, priority: i32) -> Self {
        self.check(check::range("the priority of input and output", priority.into(), 0, 7));
        self.linux().io_priority = Some(LinuxIoPriority { class: class.into(), priority });
        self
    }

    /// Sets the seccomp policy.
    pub fn seccomp_policy(mut self, policy: LinuxSeccomp) -> Self {
        self.check(check::filled("the default action of the seccomp policy", &policy.default_action));
        self.linux().seccomp_policy = Some(policy);
        self
    }

    /// Sets the namespace of a type, such as `network`: a new one, or that of a file.
    ///
    /// Unlike with other keys, no other plugin can be overridden: setting a namespace replaces the container's own,
    /// and removing it as well would make two owners of it.
    pub fn namespace(self, kind: impl Into<String>, path: Option<&str>) -> Self {
        let kind = kind.into();
        let path = path.unwrap_or_default().to_owned();
        self.only_namespace(&kind.clone(), LinuxNamespace { r#type: kind, path })
    }

    /// Removes the namespace of a type, so that the container has the runtime's.
    pub fn remove_namespace(self, kind: impl AsRef<str>) -> Self {
        let removed = mark_for_removal(kind.as_ref());
        self.only_namespace(kind.as_ref(), LinuxNamespace { r#type: removed, path: String::new() })
    }

    fn only_namespace(mut self, kind: &str, namespace: LinuxNamespace) -> Self {
        self.check(check::key("the type of a namespace", kind));
        let namespaces = &mut self.linux().namespaces;
        namespaces.retain(|other| other.r#type != kind && marked_for_removal(&other.r#type) != Some(kind));
        namespaces.push(namespace);
        self
    }

    /// Sets a kernel parameter of the container's namespaces.
    pub fn sysctl(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        self.check(check::key("the name of a kernel parameter", &name));
        self.linux().sysctl.insert(name, value.into());
        self
    }

    /// Removes a kernel parameter.
    pub fn remove_sysctl(mut self, name: impl AsRef<str>) -> Self {
        self.check(check::key("the name of a kernel parameter", name.as_ref()));
        self.linux().sysctl.insert(mark_for_removal(name.as_ref()), String::new());
        self
    }

    /// Moves a network device into the container, under a name of its own there.
    pub fn net_device(mut self, outside: impl Into<String>, inside: impl Into<String>) -> Self {
        let outside = outside.into();
        self.check(check::key("the name of a network device", &outside));
        self.linux().net_devices.insert(outside, LinuxNetDevice { name: inside.into() });
        self
    }

    /// Leaves a network device outside.
    pub fn remove_net_device(mut self, outside: impl AsRef<str>) -> Self {
        self.check(check::key("the name of a network device", outside.as_ref()));
        self.linux().net_devices.insert(mark_for_removal(outside.as_ref()), LinuxNetDevice::default());
        self
    }

    /// Sets how the container is scheduled.
    pub fn scheduler(mut self, scheduler: LinuxScheduler) -> Self {
        self.linux().scheduler = Some(scheduler);
        self
    }

    /// Sets the class of service of cache and memory bandwidth.
    pub fn rdt_clos_id(mut self, class: impl Into<String>) -> Self {
        self.rdt().clos_id = Some(class.into());
        self
    }

    /// Sets the lines of the schemata of cache and memory bandwidth.
    pub fn rdt_schemata(mut self, lines: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let value = lines.into_iter().map(Into::into).collect();
        self.rdt().schemata = Some(OptionalRepeatedString { value });
        self
    }

    /// Sets whether the container's use of cache and memory bandwidth is monitored.
    pub fn rdt_monitoring(mut self, enable: bool) -> Self {
        self.rdt().enable_monitoring = Some(enable);
        self
    }

    /// Removes all of cache and memory bandwidth that is not set in this adjustment.
    pub fn remove_rdt(mut self) -> Self {
        self.rdt().remove = true;
        self
    }

    fn rdt(&mut self) -> &mut LinuxRdt {
        self.linux().rdt.get_or_insert_default()
    }

    /// Sets on which nodes, such as `0-1`, memory is to lie.
    pub fn memory_policy(
        mut self,
        mode: MpolMode,
        nodes: impl Into<String>,
        flags: impl IntoIterator<Item = MpolFlag>,
    ) -> Self {
        let flags = flags.into_iter().map(Into::into).collect();
        self.linux().memory_policy = Some(LinuxMemoryPolicy { mode: mode.into(), nodes: nodes.into(), flags });
        self
    }
}
