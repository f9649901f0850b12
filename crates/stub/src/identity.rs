//! Who a plugin is: its name and its index, by which runtimes order plugins.

use crate::build_error::BuildError;

#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) name: String,
    /// Two digits.
    pub(crate) index: String,
}

impl Identity {
    pub(crate) fn new(name: &str, index: &str) -> Result<Self, BuildError> {
        let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '+' | '-');
        if name.is_empty() || !name.chars().all(is_fit) {
            return Err(BuildError::Name { name: name.to_owned() });
        }
        if index.len() != 2 || !index.chars().all(|c| c.is_ascii_digit()) {
            return Err(BuildError::Index { index: index.to_owned() });
        }
        Ok(Self { name: name.to_owned(), index: index.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_indices_are_those_nri_takes() {
        for name in ["logger", "a", "Device_Injector-2.0+x"] {
            assert!(Identity::new(name, "00").is_ok(), "{name}");
        }
        for name in ["", "two words", "a/b", "näme", "a\n"] {
            assert!(matches!(Identity::new(name, "00"), Err(BuildError::Name { .. })), "{name}");
        }
        for index in ["00", "10", "99"] {
            assert!(Identity::new("a", index).is_ok(), "{index}");
        }
        for index in ["", "1", "100", "-1", "1a", "１２"] {
            assert!(matches!(Identity::new("a", index), Err(BuildError::Index { .. })), "{index}");
        }
    }
}
