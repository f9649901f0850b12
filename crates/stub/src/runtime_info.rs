//! What the runtime says of itself, and what a plugin may subscribe to there.

use std::time::Duration;

use crate::events::EventMask;
use crate::messages::ConfigureRequest;

/// The version of NRI whose messages this crate speaks.
pub(crate) const NRI_VERSION: &str = "v0.12.5";

/// The runtime that a plugin is registered with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuntimeInfo {
    /// Its name, such as `containerd` or `cri-o`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The version of NRI that it speaks; none if it does not say, as those before v0.12.0.
    pub nri_version: Option<String>,
    /// How long it waits for a registration; none if it does not say.
    pub registration_timeout: Option<Duration>,
    /// How long it waits for an answer to each of its requests; none if it does not say.
    pub request_timeout: Option<Duration>,
}

/// What a plugin is configured with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Configuration {
    /// The runtime.
    pub runtime: RuntimeInfo,
    /// The plugin's file of configuration, word for word. Only launched plugins have one.
    pub config: String,
    /// What the plugin will be told of: the events that have a handler and that the runtime knows.
    pub events: EventMask,
}

impl RuntimeInfo {
    pub(crate) fn of(request: &ConfigureRequest) -> Self {
        let millis = |millis: i64| u64::try_from(millis).ok().filter(|millis| *millis > 0).map(Duration::from_millis);
        Self {
            name: request.runtime_name.clone(),
            version: request.runtime_version.clone(),
            nri_version: Some(request.nri_version.clone()).filter(|version| !version.is_empty()),
            registration_timeout: millis(request.registration_timeout),
            request_timeout: millis(request.request_timeout),
        }
    }

    /// The events that the runtime knows: a subscription to another one makes it close the connection.
    ///
    /// One that tells its version of NRI knows all that we do. Of others the version of the runtime tells which: the
    /// first with NRI v0.10, hence with all events, were containerd 2.2 and CRI-O 1.34. An unknown runtime is asked for all:
    /// that it refuses them is seen, that a validator is never called is not.
    pub(crate) fn known_events(&self) -> EventMask {
        let first = match self.name.as_str() {
            _ if self.nri_version.is_some() => return EventMask::ALL,
            "containerd" => (2, 2),
            "cri-o" => (1, 34),
            _ => return EventMask::ALL,
        };
        match major_and_minor(&self.version) {
            Some(version) if version < first => EventMask::BEFORE_V0_10,
            _ => EventMask::ALL,
        }
    }
}

/// The first two numbers of a version, such as `v2.1.4+unknown`.
fn major_and_minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.trim_start_matches('v').split('.');
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next()?;
    let minor = &minor[..minor.find(|c: char| !c.is_ascii_digit()).unwrap_or(minor.len())];
    Some((major, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn known(name: &str, version: &str, nri: Option<&str>, events: EventMask) {
        let request = ConfigureRequest {
            runtime_name: name.to_owned(),
            runtime_version: version.to_owned(),
            nri_version: nri.unwrap_or_default().to_owned(),
            ..Default::default()
        };
        assert_eq!(RuntimeInfo::of(&request).known_events(), events, "{name} {version} {nri:?}");
    }

    #[test]
    fn a_runtime_is_asked_for_events_that_it_knows() {
        known("containerd", "2.4.2+unknown", Some("v0.12.3"), EventMask::ALL);
        known("containerd", "v1.7.0", None, EventMask::BEFORE_V0_10);
        known("containerd", "2.1.4", None, EventMask::BEFORE_V0_10);
        known("containerd", "v2.2-rc.1", None, EventMask::ALL);
        known("containerd", "2.10.0", None, EventMask::ALL);
        known("containerd", "devel", None, EventMask::ALL);
        known("cri-o", "1.33.8", None, EventMask::BEFORE_V0_10);
        known("cri-o", "1.34.0", None, EventMask::ALL);
        known("another", "0.1.0", None, EventMask::ALL);
    }

    #[test]
    fn times_that_say_nothing_are_none() {
        let request = ConfigureRequest { registration_timeout: 5000, request_timeout: -1, ..Default::default() };
        let runtime = RuntimeInfo::of(&request);
        assert_eq!(runtime.registration_timeout, Some(Duration::from_secs(5)));
        assert_eq!(runtime.request_timeout, None);
    }
}
