//! The workspace as `cargo metadata` describes it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::cargo;

/// The workspace's own packages; nothing of what they depend on.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

/// One package of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Where it lives, relative to the root, with forward slashes.
    pub(crate) dir: String,
    pub(crate) rust_version: Option<String>,
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) targets: Vec<Target>,
    pub(crate) dependencies: Vec<Dependency>,
    /// The manifest's `package.metadata`.
    pub(crate) metadata: Value,
}

/// One thing cargo builds from a package.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: String,
}

/// One arrow from a package, of any kind.
#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `normal`, `dev` or `build`.
    pub(crate) kind: String,
}

impl Workspace {
    /// Asks cargo about the workspace of the current directory.
    pub(crate) fn load() -> Result<Self, String> {
        let text = cargo::output(&mut cargo::cargo(&["metadata", "--no-deps", "--format-version", "1"]))?;
        let value: Value =
            serde_json::from_str(&text).map_err(|error| format!("cannot read cargo metadata: {error}"))?;
        Self::parse(&value)
    }

    /// Reads what `cargo metadata` printed.
    pub(crate) fn parse(value: &Value) -> Result<Self, String> {
        let root = PathBuf::from(text(value, "workspace_root")?);
        let packages =
            list(value, "packages").iter().map(|package| Package::parse(package, &root)).collect::<Result<_, _>>()?;
        Ok(Self { target: PathBuf::from(text(value, "target_directory")?), root, packages })
    }

    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }
}

impl Package {
    fn parse(value: &Value, root: &std::path::Path) -> Result<Self, String> {
        let name = text(value, "name")?.to_owned();
        let manifest = PathBuf::from(text(value, "manifest_path")?);
        let dir = manifest
            .parent()
            .and_then(|dir| dir.strip_prefix(root).ok())
            .ok_or_else(|| format!("package `{name}` lies outside the workspace"))?;
        let features = value["features"].as_object().into_iter().flatten();
        Ok(Self {
            dir: dir.to_string_lossy().replace('\\', "/"),
            rust_version: value["rust_version"].as_str().map(str::to_owned),
            features: features.map(|(name, enables)| (name.clone(), strings(enables))).collect(),
            targets: list(value, "targets").iter().map(Target::parse).collect::<Result<_, _>>()?,
            dependencies: list(value, "dependencies").iter().map(Dependency::parse).collect::<Result<_, _>>()?,
            metadata: value["metadata"].clone(),
            name,
        })
    }

    /// The names of this package's targets of one kind, in order.
    pub(crate) fn targets_of_kind(&self, kind: &str) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.targets.iter().filter(|target| target.kind == kind).map(|target| target.name.as_str()).collect();
        names.sort_unstable();
        names
    }
}

impl Target {
    fn parse(value: &Value) -> Result<Self, String> {
        let kind = strings(&value["kind"]).into_iter().next().unwrap_or_default();
        Ok(Self { name: text(value, "name")?.to_owned(), kind })
    }
}

impl Dependency {
    fn parse(value: &Value) -> Result<Self, String> {
        Ok(Self { name: text(value, "name")?.to_owned(), kind: value["kind"].as_str().unwrap_or("normal").to_owned() })
    }
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str, String> {
    value[field].as_str().ok_or_else(|| format!("cargo metadata has no `{field}`"))
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// What a planted package depends on: names and kinds.
    type Arrows<'a> = &'a [(&'a str, Option<&'a str>)];

    /// A workspace of the given packages, each with its name, its directory and its arrows.
    pub(crate) fn planted(packages: &[(&str, &str, Arrows<'_>)]) -> Workspace {
        let packages: Vec<Value> = packages
            .iter()
            .map(|(name, dir, dependencies)| {
                let dependencies: Vec<Value> =
                    dependencies.iter().map(|(name, kind)| json!({ "name": name, "kind": kind })).collect();
                json!({
                    "name": name,
                    "manifest_path": format!("/ws/{dir}/Cargo.toml"),
                    "dependencies": dependencies,
                    "features": { "default": [], "serde": ["dep:serde"] },
                    "targets": [{ "name": "x", "kind": ["lib"] }, { "name": "scenario-b", "kind": ["bin"] }],
                })
            })
            .collect();
        let value = json!({ "workspace_root": "/ws", "target_directory": "/ws/target", "packages": packages });
        Workspace::parse(&value).expect("the planted metadata is complete")
    }

    #[test]
    fn metadata_is_read() {
        let workspace =
            planted(&[("landfall-demo", "crates/demo", &[("tokio", None), ("landfall-pool", Some("dev"))])]);
        let demo = workspace.package("landfall-demo").expect("it is there");
        assert_eq!(demo.dir, "crates/demo");
        assert_eq!(demo.targets_of_kind("bin"), ["scenario-b"]);
        assert_eq!(demo.features["serde"], ["dep:serde"]);
        let kinds: Vec<&str> = demo.dependencies.iter().map(|dependency| dependency.kind.as_str()).collect();
        assert_eq!(kinds, ["normal", "dev"]);
    }

    #[test]
    fn metadata_without_a_root_is_refused() {
        let refusal = Workspace::parse(&json!({})).expect_err("it is empty");
        assert!(refusal.contains("workspace_root"), "{refusal}");
    }
}
