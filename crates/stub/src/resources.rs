//! The resources that an adjustment or an update sets.

use crate::check;
use crate::messages::{HugepageLimit, LinuxCpu, LinuxDeviceCgroup, LinuxMemory, LinuxPids, LinuxResources};
use crate::wish_error::WishError;

/// Resources to set, each of which stays as it is unless it is named.
///
/// What is set twice counts as set last. A fault, such as an empty set of processors, is kept and told when the
/// adjustment or update is made of it: the first one counts.
///
/// # Examples
///
/// ```
/// use landfall_stub::Resources;
///
/// let half_a_processor = Resources::new().cpu_period(100_000).cpu_quota(50_000).memory_limit(64 << 20);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "resources change nothing until an adjustment or an update has them"]
pub struct Resources {
    message: LinuxResources,
    fault: Option<WishError>,
}

impl Resources {
    /// No resource yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The limit of memory, in bytes.
    pub fn memory_limit(self, bytes: i64) -> Self {
        self.memory(|memory| memory.limit = Some(bytes))
    }

    /// The soft limit of memory, in bytes.
    pub fn memory_reservation(self, bytes: i64) -> Self {
        self.memory(|memory| memory.reservation = Some(bytes))
    }

    /// The limit of memory and swap together, in bytes.
    pub fn memory_swap(self, bytes: i64) -> Self {
        self.memory(|memory| memory.swap = Some(bytes))
    }

    /// The limit of the kernel's memory, in bytes.
    pub fn memory_kernel(self, bytes: i64) -> Self {
        self.memory(|memory| memory.kernel = Some(bytes))
    }

    /// The limit of the kernel's memory for TCP, in bytes.
    pub fn memory_kernel_tcp(self, bytes: i64) -> Self {
        self.memory(|memory| memory.kernel_tcp = Some(bytes))
    }

    /// How eagerly memory is swapped out.
    pub fn memory_swappiness(self, value: u64) -> Self {
        self.memory(|memory| memory.swappiness = Some(value))
    }

    /// Whether processes wait for memory instead of being ended.
    pub fn memory_disable_oom_killer(self, disable: bool) -> Self {
        self.memory(|memory| memory.disable_oom_killer = Some(disable))
    }

    /// Whether the limits count for control groups below.
    pub fn memory_use_hierarchy(self, hierarchy: bool) -> Self {
        self.memory(|memory| memory.use_hierarchy = Some(hierarchy))
    }

    /// The share of processors, relative to others.
    pub fn cpu_shares(self, shares: u64) -> Self {
        self.cpu(|cpu| cpu.shares = Some(shares))
    }

    /// How many microseconds of processor time there are in a period.
    pub fn cpu_quota(self, micros: i64) -> Self {
        self.cpu(|cpu| cpu.quota = Some(micros))
    }

    /// The period of the quota, in microseconds.
    pub fn cpu_period(self, micros: u64) -> Self {
        self.cpu(|cpu| cpu.period = Some(micros))
    }

    /// How many microseconds of processor time there are in a real-time period.
    pub fn cpu_realtime_runtime(self, micros: i64) -> Self {
        self.cpu(|cpu| cpu.realtime_runtime = Some(micros))
    }

    /// The real-time period, in microseconds.
    pub fn cpu_realtime_period(self, micros: u64) -> Self {
        self.cpu(|cpu| cpu.realtime_period = Some(micros))
    }

    /// The processors, such as `0-3,7`.
    pub fn cpuset_cpus(self, cpus: impl Into<String>) -> Self {
        let cpus = cpus.into();
        // An empty set would be taken for none that is set.
        self.checked(check::filled("the set of processors", &cpus)).cpu(|cpu| cpu.cpus = cpus)
    }

    /// The memory nodes, such as `0-1`.
    pub fn cpuset_mems(self, mems: impl Into<String>) -> Self {
        let mems = mems.into();
        self.checked(check::filled("the set of memory nodes", &mems)).cpu(|cpu| cpu.mems = mems)
    }

    /// How many processes there may be.
    pub fn pids_limit(mut self, limit: i64) -> Self {
        self.message.pids = Some(LinuxPids { limit });
        self
    }

    /// The limit of huge pages of one size, such as `2MB`, in bytes.
    pub fn hugepage_limit(mut self, page_size: impl Into<String>, bytes: u64) -> Self {
        let page_size = page_size.into();
        self = self.checked(check::filled("the size of huge pages", &page_size));
        self.message.hugepage_limits.retain(|limit| limit.page_size != page_size);
        self.message.hugepage_limits.push(HugepageLimit { page_size, limit: bytes });
        self
    }

    /// The class of block input and output.
    pub fn blockio_class(mut self, class: impl Into<String>) -> Self {
        self.message.blockio_class = Some(class.into());
        self
    }

    /// The class of cache and memory bandwidth.
    pub fn rdt_class(mut self, class: impl Into<String>) -> Self {
        self.message.rdt_class = Some(class.into());
        self
    }

    /// A file of the unified control group hierarchy, such as `memory.high`, and what to write to it.
    pub fn unified(mut self, file: impl Into<String>, value: impl Into<String>) -> Self {
        let file = file.into();
        self = self.checked(check::filled("the name of a control group's file", &file));
        self.message.unified.insert(file, value.into());
        self
    }

    /// One more rule of which devices may be used; nobody owns it, so that plugins' rules add up.
    pub fn device_rule(mut self, rule: LinuxDeviceCgroup) -> Self {
        self.message.devices.push(rule);
        self
    }

    fn memory(mut self, set: impl FnOnce(&mut LinuxMemory)) -> Self {
        set(self.message.memory.get_or_insert_default());
        self
    }

    fn cpu(mut self, set: impl FnOnce(&mut LinuxCpu)) -> Self {
        set(self.message.cpu.get_or_insert_default());
        self
    }

    fn checked(mut self, checked: Result<(), WishError>) -> Self {
        self.fault = self.fault.or(checked.err());
        self
    }

    pub(crate) fn into_parts(self) -> (LinuxResources, Option<WishError>) {
        (self.message, self.fault)
    }
}
