//! The checks of what a plugin asks for.

use crate::removal::MARKER;
use crate::wish_error::WishError;

/// A text that is not empty.
pub(crate) fn filled(what: &'static str, value: &str) -> Result<(), WishError> {
    if value.is_empty() { Err(WishError::Empty { what }) } else { Ok(()) }
}

/// A key that is set: not empty, and not read as a removal.
pub(crate) fn key(what: &'static str, key: &str) -> Result<(), WishError> {
    filled(what, key)?;
    if key.starts_with(MARKER) { Err(WishError::Removal { what, key: key.to_owned() }) } else { Ok(()) }
}

/// The name of a variable.
pub(crate) fn variable(name: &str) -> Result<(), WishError> {
    const WHAT: &str = "the name of a variable";
    key(WHAT, name)?;
    form(WHAT, name, "without `=` and NUL", |name| !name.contains(['=', '\0']))
}

/// An absolute path.
pub(crate) fn path(what: &'static str, path: &str) -> Result<(), WishError> {
    key(what, path)?;
    form(what, path, "an absolute path", |path| path.starts_with('/'))
}

/// A text of some form.
pub(crate) fn form(
    what: &'static str,
    value: &str,
    form: &'static str,
    has: impl FnOnce(&str) -> bool,
) -> Result<(), WishError> {
    if has(value) { Ok(()) } else { Err(WishError::Malformed { what, value: value.to_owned(), form }) }
}

/// A number between two others.
pub(crate) fn range(what: &'static str, value: i64, min: i64, max: i64) -> Result<(), WishError> {
    if (min..=max).contains(&value) { Ok(()) } else { Err(WishError::OutOfRange { what, value, min, max }) }
}
