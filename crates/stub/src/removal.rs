//! The marker by which an adjustment removes something: what builders write, and validators read.

/// What a key begins with when it removes.
pub(crate) const MARKER: char = '-';

/// The key that removes what another key names (`NRI: MarkForRemoval`).
///
/// [`Adjustment`](crate::Adjustment) writes it where something is removed; a plugin that reads the adjustments of others
/// finds it in them.
#[must_use]
pub fn mark_for_removal(key: &str) -> String {
    format!("{MARKER}{key}")
}

/// What a key removes, if it removes anything (`NRI: IsMarkedForRemoval`).
///
/// # Examples
///
/// ```
/// use landfall_stub::{mark_for_removal, marked_for_removal};
///
/// assert_eq!(marked_for_removal(&mark_for_removal("PATH")), Some("PATH"));
/// assert_eq!(marked_for_removal("PATH"), None);
/// ```
#[must_use]
pub fn marked_for_removal(key: &str) -> Option<&str> {
    key.strip_prefix(MARKER)
}
