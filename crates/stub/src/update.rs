//! What a plugin changes of containers that exist.

use std::collections::BTreeSet;

use crate::messages::{ContainerUpdate, LinuxContainerUpdate};
use crate::resources::Resources;
use crate::wish_error::WishError;

/// A change of an existing container: of its resources, nothing else can be changed (`NRI: ContainerUpdate`).
///
/// # Examples
///
/// ```
/// use landfall_stub::{Resources, Update};
///
/// let update = Update::new("0f31", Resources::new().cpu_shares(512)).ignore_failure();
/// ```
#[derive(Clone, Debug)]
#[must_use = "an update does nothing until it is sent"]
pub struct Update {
    container: String,
    resources: Resources,
    ignore_failure: bool,
}

impl Update {
    /// Sets resources of the container of an id.
    pub fn new(container: impl Into<String>, resources: Resources) -> Self {
        Self { container: container.into(), resources, ignore_failure: false }
    }

    /// Has a failure of this change passed over; without it, the event that the change belongs to fails.
    pub fn ignore_failure(mut self) -> Self {
        self.ignore_failure = true;
        self
    }

    /// The message that the runtime gets.
    ///
    /// # Errors
    ///
    /// A [`WishError`] that says what is wrong with the update.
    pub fn into_message(self) -> Result<ContainerUpdate, WishError> {
        if self.container.is_empty() {
            return Err(WishError::Empty { what: "the id of a container" });
        }
        match self.resources.into_parts() {
            (_, Some(fault)) => Err(fault),
            (resources, None) => Ok(ContainerUpdate {
                container_id: self.container,
                linux: Some(LinuxContainerUpdate { resources: Some(resources) }),
                ignore_failure: self.ignore_failure,
            }),
        }
    }
}

/// The messages of all the updates of one reply, of which none may be of the container that is being created.
pub(crate) fn into_messages(updates: Vec<Update>, created: Option<&str>) -> Result<Vec<ContainerUpdate>, WishError> {
    let mut seen = BTreeSet::new();
    for Update { container, .. } in &updates {
        if created == Some(container) {
            return Err(WishError::UpdatedWhileCreated { container: container.clone() });
        }
        if !seen.insert(container) {
            return Err(WishError::UpdatedTwice { container: container.clone() });
        }
    }
    updates.into_iter().map(Update::into_message).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(container: &str) -> Update {
        Update::new(container, Resources::new().cpu_shares(2))
    }

    #[test]
    fn one_reply_updates_a_container_once_and_never_the_one_being_created() {
        assert_eq!(into_messages(vec![shares("a"), shares("b")], Some("c")).map(|messages| messages.len()), Ok(2));
        let twice = into_messages(vec![shares("a"), shares("b"), shares("a")], None);
        assert_eq!(twice, Err(WishError::UpdatedTwice { container: "a".to_owned() }));
        let created = into_messages(vec![shares("a"), shares("c")], Some("c"));
        assert_eq!(created, Err(WishError::UpdatedWhileCreated { container: "c".to_owned() }));
    }

    #[test]
    fn an_update_of_nobody_or_of_an_empty_set_is_refused() {
        assert_eq!(shares("").into_message(), Err(WishError::Empty { what: "the id of a container" }));
        let cpus = Update::new("a", Resources::new().cpuset_cpus("").cpuset_mems(""));
        assert_eq!(cpus.into_message(), Err(WishError::Empty { what: "the set of processors" }));
    }
}
