//! What a plugin can subscribe to, as a set.

use std::fmt;
use std::str::FromStr;

use crate::messages::Event;

/// A set of events.
///
/// It is read from and shown as the names of events, joined by commas, as plugins have it on their command lines.
/// Reading takes names in any case, and besides them `all`, `pod` or `podsandbox` for the events of pods, and `container`
/// for those of containers, validation included (`NRI: ParseEventMask`).
///
/// # Examples
///
/// ```
/// use landfall_stub::EventMask;
/// use landfall_stub::messages::Event;
///
/// let mask: EventMask = "createcontainer, StopContainer".parse()?;
/// assert!(mask.contains(Event::CreateContainer));
/// assert_eq!(mask.to_string(), "CreateContainer,StopContainer");
/// # Ok::<(), landfall_stub::EventMaskError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EventMask(u32);

/// Why a set of events cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventMaskError {
    /// No event is called so.
    #[error("there is no event `{name}`; there are all, pod, container, {}", EventMask::ALL)]
    UnknownName {
        /// What was given.
        name: String,
    },
    /// Some bits stand for no event; a runtime closes the connection of a plugin that asks for them.
    #[error("the bits {bits:#x} stand for no event: {:#x} has all", EventMask::ALL.bits())]
    UnknownBits {
        /// The bits that are too many.
        bits: u32,
    },
}

/// Every event with the name that it is shown by, in the order of their numbers.
const NAMES: &[(Event, &str)] = &[
    (Event::RunPodSandbox, "RunPodSandbox"),
    (Event::StopPodSandbox, "StopPodSandbox"),
    (Event::RemovePodSandbox, "RemovePodSandbox"),
    (Event::CreateContainer, "CreateContainer"),
    (Event::PostCreateContainer, "PostCreateContainer"),
    (Event::StartContainer, "StartContainer"),
    (Event::PostStartContainer, "PostStartContainer"),
    (Event::UpdateContainer, "UpdateContainer"),
    (Event::PostUpdateContainer, "PostUpdateContainer"),
    (Event::StopContainer, "StopContainer"),
    (Event::RemoveContainer, "RemoveContainer"),
    (Event::UpdatePodSandbox, "UpdatePodSandbox"),
    (Event::PostUpdatePodSandbox, "PostUpdatePodSandbox"),
    (Event::ValidateContainerAdjustment, "ValidateContainerAdjustment"),
];

impl EventMask {
    /// No event.
    pub const NONE: Self = Self(0);
    /// Every event that this crate knows.
    pub const ALL: Self = Self((1 << (Event::Last as u32 - 1)) - 1);
    /// Every event of runtimes before v0.10.0, which refuse any other.
    pub const BEFORE_V0_10: Self = Self((1 << (Event::UpdatePodSandbox as u32 - 1)) - 1);

    /// Reads the bits of a mask; the bit of an event is its number less one.
    ///
    /// # Errors
    ///
    /// [`EventMaskError::UnknownBits`] when a bit stands for no event.
    pub const fn from_bits(bits: u32) -> Result<Self, EventMaskError> {
        match bits & !Self::ALL.0 {
            0 => Ok(Self(bits)),
            unknown => Err(EventMaskError::UnknownBits { bits: unknown }),
        }
    }

    /// The bits of the mask.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether an event is in the set.
    #[must_use]
    pub const fn contains(self, event: Event) -> bool {
        self.0 & Self::bit(event) != 0
    }

    /// Whether there is no event in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set with one event more.
    #[must_use]
    pub const fn with(self, event: Event) -> Self {
        Self(self.0 | Self::bit(event))
    }

    /// The events that are in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The events that are in this set and not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The events of the set, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Event> {
        NAMES.iter().map(|(event, _)| *event).filter(move |event| self.contains(*event))
    }

    /// `Unknown` and `Last` are no events and have no bit.
    const fn bit(event: Event) -> u32 {
        match event {
            Event::Unknown | Event::Last => 0,
            event => 1 << (event as u32 - 1),
        }
    }

    fn named(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        let with = |part: &str| {
            let of_it = NAMES.iter().filter(|(_, name)| name.to_lowercase().contains(part));
            of_it.map(|(event, _)| *event).collect()
        };
        match name.as_str() {
            "all" => Some(Self::ALL),
            "pod" | "podsandbox" => Some(with("pod")),
            "container" => Some(with("container")),
            _ => NAMES.iter().find(|(_, known)| known.to_lowercase() == name).map(|(event, _)| Self::NONE.with(*event)),
        }
    }
}

impl FromIterator<Event> for EventMask {
    fn from_iter<T: IntoIterator<Item = Event>>(events: T) -> Self {
        events.into_iter().fold(Self::NONE, Self::with)
    }
}

impl FromStr for EventMask {
    type Err = EventMaskError;

    fn from_str(text: &str) -> Result<Self, EventMaskError> {
        text.split(',').map(str::trim).try_fold(Self::NONE, |mask, name| {
            let named = Self::named(name).ok_or_else(|| EventMaskError::UnknownName { name: name.to_owned() })?;
            Ok(Self(mask.0 | named.0))
        })
    }
}

impl fmt::Display for EventMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for (_, name) in NAMES.iter().filter(|(event, _)| self.contains(*event)) {
            write!(f, "{comma}{name}")?;
            comma = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bits_are_those_of_the_protocol() {
        assert_eq!(EventMask::ALL.bits(), 0x3fff);
        assert_eq!(EventMask::BEFORE_V0_10.bits(), 0x7ff);
        assert_eq!(EventMask::NONE.with(Event::CreateContainer).bits(), 8);
        assert_eq!(NAMES.len(), 14);
        for (number, (event, _)) in (1..).zip(NAMES) {
            assert_eq!(*event as i32, number);
        }
    }

    #[test]
    fn what_is_no_event_has_no_bit() {
        assert_eq!(EventMask::from_iter([Event::Unknown, Event::Last]), EventMask::NONE);
        assert!(!EventMask::ALL.contains(Event::Unknown) && !EventMask::ALL.contains(Event::Last));
    }

    #[test]
    fn shorthands_are_read() {
        let read = |text: &str| text.parse::<EventMask>().expect("it is one");
        assert_eq!(read("all"), EventMask::ALL);
        let pods = "RunPodSandbox,StopPodSandbox,RemovePodSandbox,UpdatePodSandbox,PostUpdatePodSandbox";
        assert_eq!(read("Pod").to_string(), pods);
        assert_eq!(read("podsandbox"), read("pod"));
        assert_eq!(read("container"), EventMask::ALL.without(read("pod")));
        assert_eq!(read("pod, container"), EventMask::ALL);
    }

    #[test]
    fn an_unknown_name_or_bit_is_named() {
        let unknown = "all,createpod".parse::<EventMask>().expect_err("there is none");
        assert_eq!(unknown, EventMaskError::UnknownName { name: "createpod".to_owned() });
        assert!(unknown.to_string().contains("`createpod`") && unknown.to_string().contains("PostStartContainer"));
        assert!("".parse::<EventMask>().is_err());
        let unknown = EventMask::from_bits(0x4001).expect_err("there is none");
        assert_eq!(unknown.to_string(), "the bits 0x4000 stand for no event: 0x3fff has all");
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(bits in 1_u32..=0x3fff) {
            let mask = EventMask::from_bits(bits).expect("it holds events only");
            prop_assert_eq!(mask.to_string().parse(), Ok(mask));
            prop_assert_eq!(mask.iter().collect::<EventMask>(), mask);
        }
    }
}
