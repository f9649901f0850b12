//! What a plugin wants of a container that is being created.

mod linux;
#[cfg(test)]
mod tests;

use crate::check;
use crate::messages::{
    CdiDevice, ContainerAdjustment, CreateContainerResponse, Hook, Hooks, KeyValue, LinuxContainerAdjustment, Mount,
    PosixRlimit,
};
use crate::removal::mark_for_removal;
use crate::update::{self, Update};
use crate::wish_error::WishError;

/// How to adjust a container that is being created, and what to change of others for its sake.
///
/// Every field of a container has one owner: what two plugins set, be it to the same value, fails the creation. What has
/// a key, such as a variable or a mount, has an owner for each key (`NRI: OwningPlugins`). A plugin that removes
/// something and sets it again in the same adjustment replaces it, whoever owned it before; that is the only way to
/// override another plugin. Hooks, device rules and updates add up instead. CDI devices and limits cannot be removed.
///
/// What is set twice in one adjustment counts as set last. A fault, such as an empty name, is kept: the first one is
/// told to the runtime as the plugin's error, and the container is not created.
///
/// # Examples
///
/// ```
/// use landfall_stub::messages::Mount;
/// use landfall_stub::{Adjustment, Resources};
///
/// let adjustment = Adjustment::new()
///     .env("SEEN", "1")
///     .remove_annotation("example.com/mode")
///     .annotation("example.com/mode", "fast")
///     .mount(Mount::bind("/srv/models", "/models").option("ro"))
///     .resources(Resources::new().cpu_shares(512));
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "an adjustment does nothing until a handler returns it"]
pub struct Adjustment {
    message: ContainerAdjustment,
    updates: Vec<Update>,
    fault: Option<WishError>,
}

impl Adjustment {
    /// Nothing is adjusted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets an annotation.
    pub fn annotation(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let key = key.into();
        self.check(check::key("the key of an annotation", &key));
        self.message.annotations.insert(key, value.into());
        self
    }

    /// Removes an annotation.
    pub fn remove_annotation(mut self, key: impl AsRef<str>) -> Self {
        self.check(check::key("the key of an annotation", key.as_ref()));
        self.message.annotations.insert(mark_for_removal(key.as_ref()), String::new());
        self
    }

    /// Adds a mount; its destination is its key.
    pub fn mount(mut self, mount: Mount) -> Self {
        self.check(check::path("the destination of a mount", &mount.destination));
        self.message.mounts.retain(|other| other.destination != mount.destination);
        self.message.mounts.push(mount);
        self
    }

    /// Removes the mount of a destination.
    pub fn remove_mount(mut self, destination: impl AsRef<str>) -> Self {
        self.check(check::path("the destination of a mount", destination.as_ref()));
        let destination = mark_for_removal(destination.as_ref());
        self.message.mounts.push(Mount { destination, ..Mount::default() });
        self
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let key = name.into();
        self.check(check::variable(&key));
        self.message.env.retain(|other| other.key != key);
        self.message.env.push(KeyValue { key, value: value.into() });
        self
    }

    /// Removes a variable of the environment.
    pub fn remove_env(mut self, name: impl AsRef<str>) -> Self {
        self.check(check::variable(name.as_ref()));
        self.message.env.push(KeyValue { key: mark_for_removal(name.as_ref()), value: String::new() });
        self
    }

    /// Sets the command line; fails the creation if another plugin has set it.
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.message.args = self.command_line(args);
        self
    }

    /// Sets the command line, whether or not another plugin has set it (`NRI: UpdateArgs`).
    pub fn replace_args(mut self, args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let args = self.command_line(args);
        // The runtime takes an empty first word for this wish, and drops it.
        self.message.args = [String::new()].into_iter().chain(args).collect();
        self
    }

    /// Adds hooks to those that are there.
    pub fn hooks(mut self, hooks: Hooks) -> Self {
        let Hooks { prestart, create_runtime, create_container, start_container, poststart, poststop } = hooks;
        let all = self.message.hooks.take().unwrap_or_default();
        let faults = [&prestart, &create_runtime, &create_container, &start_container, &poststart, &poststop];
        for Hook { path, .. } in faults.into_iter().flatten() {
            self.check(check::path("the program of a hook", path));
        }
        let joined = |mut all: Vec<Hook>, more: Vec<Hook>| {
            all.extend(more);
            all
        };
        self.message.hooks = Some(Hooks {
            prestart: joined(all.prestart, prestart),
            create_runtime: joined(all.create_runtime, create_runtime),
            create_container: joined(all.create_container, create_container),
            start_container: joined(all.start_container, start_container),
            poststart: joined(all.poststart, poststart),
            poststop: joined(all.poststop, poststop),
        });
        self
    }

    /// Sets a limit as POSIX knows it, such as `RLIMIT_NOFILE`.
    pub fn rlimit(mut self, kind: impl Into<String>, hard: u64, soft: u64) -> Self {
        let kind = kind.into();
        self.check(check::form("the type of a limit", &kind, "a name such as `RLIMIT_NOFILE`", |kind| {
            kind.starts_with("RLIMIT_")
        }));
        self.check(check::form("the soft limit", &soft.to_string(), "at most the hard limit", |_| soft <= hard));
        self.message.rlimits.retain(|other| other.r#type != kind);
        self.message.rlimits.push(PosixRlimit { r#type: kind, hard, soft });
        self
    }

    /// Adds a CDI device by its qualified name, `vendor/class=name`.
    pub fn cdi_device(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.check(check::form("the name of a CDI device", &name, "of the form `vendor/class=name`", |name| {
            let parts = name.split_once('/').and_then(|(vendor, rest)| Some((vendor, rest.split_once('=')?)));
            parts.is_some_and(|(vendor, (class, name))| ![vendor, class, name].contains(&""))
        }));
        self.message.cdi_devices.retain(|other| other.name != name);
        self.message.cdi_devices.push(CdiDevice { name });
        self
    }

    /// Changes another container together with this one; one update for each container.
    pub fn update(mut self, update: Update) -> Self {
        self.updates.push(update);
        self
    }

    /// The message that the runtime gets, without the updates of other containers.
    ///
    /// # Errors
    ///
    /// A [`WishError`] that says what is wrong with the adjustment.
    pub fn into_message(self) -> Result<ContainerAdjustment, WishError> {
        match self.fault {
            None => Ok(self.message),
            Some(fault) => Err(fault),
        }
    }

    /// The reply that the runtime gets, for the container of an id: without an adjustment where nothing is adjusted.
    ///
    /// # Errors
    ///
    /// A [`WishError`] that says what is wrong with the adjustment or with an update.
    pub fn into_reply(mut self, created: &str) -> Result<CreateContainerResponse, WishError> {
        let update = update::into_messages(std::mem::take(&mut self.updates), Some(created))?;
        let adjust = Some(self.into_message()?).filter(|message| *message != ContainerAdjustment::default());
        Ok(CreateContainerResponse { adjust, update, evict: Vec::new() })
    }

    fn command_line(&mut self, args: impl IntoIterator<Item = impl Into<String>>) -> Vec<String> {
        let args: Vec<String> = args.into_iter().map(Into::into).collect();
        self.check(check::filled("the program of the command line", args.first().map_or("", String::as_str)));
        args
    }

    fn linux(&mut self) -> &mut LinuxContainerAdjustment {
        self.message.linux.get_or_insert_default()
    }

    fn check(&mut self, checked: Result<(), WishError>) {
        if let (None, Err(fault)) = (&self.fault, checked) {
            self.fault = Some(fault);
        }
    }
}
