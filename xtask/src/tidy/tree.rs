//! The files of the repository, read once for all checks.

use std::fs;
use std::path::Path;

use crate::roster;

/// The repository's files, in the order of their paths.
#[derive(Debug)]
pub(crate) struct Tree {
    files: Vec<File>,
}

/// One file; its path is relative to the root, with forward slashes.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    /// `None` for what is not UTF-8.
    pub(crate) text: Option<String>,
}

impl Tree {
    /// Reads everything but what is built, and git's own.
    pub(crate) fn read(root: &Path) -> Result<Self, String> {
        let mut files = Vec::new();
        walk(root, "", &mut files)?;
        Ok(Self::of(files))
    }

    fn of(mut files: Vec<File>) -> Self {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self { files }
    }

    pub(crate) fn files(&self) -> &[File] {
        &self.files
    }

    /// The text files, with their texts.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&File, &str)> {
        self.files.iter().filter_map(|file| Some((file, file.text.as_deref()?)))
    }

    /// The files of one extension, with their texts.
    pub(crate) fn with_extension(&self, extension: &str) -> impl Iterator<Item = (&File, &str)> {
        self.texts().filter(move |(file, _)| Path::new(&file.path).extension().is_some_and(|it| it == extension))
    }

    /// A file's text.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path)?.text.as_deref()
    }

    /// Whether there is such a file, or a directory with files in it.
    pub(crate) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        path.is_empty()
            || self
                .files
                .iter()
                .any(|file| file.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }

    /// A tree of these files and nothing else.
    #[cfg(test)]
    pub(crate) fn planted(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: Some((*text).to_owned()) };
        Self::of(files.iter().map(file).collect())
    }
}

impl File {
    /// Whether this is product source of a crate: not its tests, nor an example.
    pub(crate) fn is_product(&self) -> bool {
        roster::owner_of(&self.path).is_some_and(|owner| {
            let within = &self.path[owner.dir.len() + 1..];
            owner.dir.starts_with("crates/") && within.starts_with("src/")
        }) && !self.is_test()
    }

    /// Whether the whole file is tests: a package or directory of tests, or a module named so.
    pub(crate) fn is_test(&self) -> bool {
        let mut parts: Vec<&str> = self.path.split('/').collect();
        let name = parts.pop().unwrap_or_default();
        name == "tests.rs" || parts.contains(&"tests")
    }
}

fn walk(dir: &Path, prefix: &str, files: &mut Vec<File>) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", dir.display());
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            let built = prefix.is_empty() && (name == "target" || name.starts_with("target-"));
            if !built && name != ".git" {
                walk(&entry.path(), &path, files)?;
            }
        } else if kind.is_file() && path != ".git" {
            let bytes = fs::read(entry.path()).map_err(|error| format!("cannot read {path}: {error}"))?;
            files.push(File { path, text: String::from_utf8(bytes).ok() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_read_without_what_is_built() {
        let root = std::env::temp_dir().join(format!("landfall-tree-{}", std::process::id()));
        for (path, bytes) in [
            ("crates/pool/src/lib.rs", b"//! Pool.".as_slice()),
            ("target/debug/x.rs", b""),
            (".git/config", b""),
            ("docs/shape.png", &[0xff, 0xfe]),
        ] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("it has one")).expect("the temporary directory can be written");
            fs::write(path, bytes).expect("the temporary directory can be written");
        }
        let tree = Tree::read(&root).expect("it was just written");
        fs::remove_dir_all(&root).expect("it is ours");
        let paths: Vec<&str> = tree.files().iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["crates/pool/src/lib.rs", "docs/shape.png"]);
        assert_eq!(tree.text("crates/pool/src/lib.rs"), Some("//! Pool."));
        assert_eq!(tree.texts().count(), 1);
        assert!(tree.has("crates/pool/") && tree.has("docs/shape.png") && !tree.has("crates/po"));
    }

    #[test]
    fn product_source_is_told_from_tests() {
        let tree = Tree::planted(&[
            ("crates/pool/examples/01-claim.rs", ""),
            ("crates/pool/src/claim/tests.rs", ""),
            ("crates/pool/src/pool.rs", ""),
            ("crates/pool/tests/it/main.rs", ""),
            ("xtask/src/main.rs", ""),
        ]);
        let product: Vec<bool> = tree.files().iter().map(File::is_product).collect();
        assert_eq!(product, [false, false, true, false, false]);
    }
}
