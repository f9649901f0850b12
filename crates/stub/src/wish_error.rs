//! What is wrong with what a plugin asks for.

/// Why what a plugin asks for cannot be sent to the runtime.
///
/// Each of these would make a runtime fail the container, or quietly do something else than was meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WishError {
    /// Something is empty that says what is meant.
    #[error("{what} is empty")]
    Empty {
        /// What is empty.
        what: &'static str,
    },
    /// A key begins with the marker of removals: the runtime would remove what the rest of it names.
    #[error("{what} is `{key}`, which a runtime reads as the removal of `{}`", &key[1..])]
    Removal {
        /// What the key names.
        what: &'static str,
        /// The key.
        key: String,
    },
    /// A text has not the form that it must have.
    #[error("{what} is `{value}`, and must be {form}")]
    Malformed {
        /// What the text is.
        what: &'static str,
        /// The text.
        value: String,
        /// What it must be.
        form: &'static str,
    },
    /// A number is not among those that it may be.
    #[error("{what} is {value}, and must be from {min} to {max}")]
    OutOfRange {
        /// What the number is.
        what: &'static str,
        /// The number.
        value: i64,
        /// The least that it may be.
        min: i64,
        /// The greatest that it may be.
        max: i64,
    },
    /// A reply updates one container twice: where the two meet, the runtime would see two owners of a field.
    #[error("the container {container} is updated twice in one reply: put all into one update")]
    UpdatedTwice {
        /// The container's id.
        container: String,
    },
    /// A reply updates the container that is being created: it can only be adjusted.
    #[error("the container {container} is being created: it is adjusted, not updated")]
    UpdatedWhileCreated {
        /// The container's id.
        container: String,
    },
}
