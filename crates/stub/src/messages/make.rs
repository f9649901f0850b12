//! Short ways to make the messages that plugins write most.

use super::{Hook, LinuxDevice, Mount};

impl Mount {
    /// A bind mount.
    pub fn bind(source: impl Into<String>, destination: impl Into<String>) -> Self {
        Self {
            destination: destination.into(),
            r#type: "bind".to_owned(),
            source: source.into(),
            options: vec!["rbind".to_owned()],
        }
    }

    /// The mount with one option more.
    #[must_use]
    pub fn option(mut self, option: impl Into<String>) -> Self {
        self.options.push(option.into());
        self
    }
}

impl LinuxDevice {
    /// A device: where it is seen, its type (`c`, `b`, `p` or `u`) and its numbers.
    pub fn new(path: impl Into<String>, kind: impl Into<String>, major: i64, minor: i64) -> Self {
        Self { path: path.into(), r#type: kind.into(), major, minor, ..Self::default() }
    }
}

impl Hook {
    /// A hook that starts a program, whose name is the first word of the command line.
    pub fn new(path: impl Into<String>) -> Self {
        let path = path.into();
        Self { args: vec![path.clone()], path, ..Self::default() }
    }

    /// The hook with one word more on its command line.
    #[must_use]
    pub fn arg(mut self, word: impl Into<String>) -> Self {
        self.args.push(word.into());
        self
    }
}
