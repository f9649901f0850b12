//! The bans hold: clippy, with the workspace's clippy.toml, refuses each way to start unowned work, and the wall clock.
//!
//! A scratch workspace gets the root's clippy.toml and Cargo.lock, so that no new version is resolved, and nothing is
//! fetched that a build of this workspace has fetched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const MANIFEST: &str = r#"
[workspace]
resolver = "3"

[package]
name = "NAME"
edition = "2024"

[dependencies]
hyper-util = { version = "0.1", default-features = false, features = ["tokio"] }
tokio = { version = "1", default-features = false, features = ["fs", "net", "rt", "time"] }
tokio-util = { version = "0.7", default-features = false, features = ["rt"] }

[lints.clippy]
disallowed_methods = "deny"
disallowed_types = "deny"
"#;

/// Each line with this mark must be refused, and no other.
const REFUSED: &str = "// refused";

const PLANTED: &str = r#"
//! Work without an owner.

use std::thread;

pub fn work(runtime: &tokio::runtime::Runtime, local: &tokio::task::LocalSet) {
    let _ = tokio::spawn(async {}); // refused
    let _ = tokio::task::spawn(async {}); // refused
    let _ = tokio::task::spawn_blocking(|| {}); // refused
    let _ = tokio::task::spawn_local(async {}); // refused
    let _ = local.spawn_local(async {}); // refused
    let _ = runtime.spawn(async {}); // refused
    let _ = runtime.spawn_blocking(|| {}); // refused
    let _ = runtime.handle().spawn(async {}); // refused
    let _ = tokio::runtime::Handle::current().spawn_blocking(|| {}); // refused
    let _ = thread::spawn(|| {}); // refused
    let _ = thread::Builder::new().spawn(|| {}); // refused
    let _ = tokio::net::lookup_host("localhost:80"); // refused
    let set = tokio::task::JoinSet::<()>::new(); // refused
    let tracker = tokio_util::task::TaskTracker::new(); // refused
    let executor = hyper_util::rt::TokioExecutor::new(); // refused
    drop((set, tracker, executor));
    let _ = std::time::SystemTime::now(); // refused
}

pub async fn files() -> std::io::Result<()> {
    tokio::fs::canonicalize("a").await?; // refused
    tokio::fs::create_dir_all("a").await?; // refused
    tokio::fs::metadata("a").await?; // refused
    tokio::fs::read("a").await?; // refused
    tokio::fs::read_to_string("a").await?; // refused
    tokio::fs::rename("a", "b").await?; // refused
    tokio::fs::remove_file("a").await?; // refused
    tokio::fs::write("a", "b").await?; // refused
    tokio::fs::File::open("a").await?; // refused
    Ok(())
}
"#;

const CONTROL: &str = r#"
//! Nothing that would need an owner.

pub async fn work() {
    tokio::task::yield_now().await;
    std::thread::yield_now();
    tokio::time::sleep(std::time::Duration::ZERO).await;
}
"#;

/// A scratch workspace of one crate; its builds are kept from run to run. The crates share a target directory, in which
/// cargo tells them apart by their names only.
fn scratch(name: &str, source: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("spawn-ban").join(name);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
    fs::create_dir_all(dir.join("src")).expect("the target directory can be written");
    fs::copy(root.join("Cargo.lock"), dir.join("Cargo.lock")).expect("the workspace has it");
    let ban = fs::read_to_string(root.join("clippy.toml")).expect("the workspace has it");
    fs::write(dir.join("clippy.toml"), strict(&ban)).expect("the target directory can be written");
    fs::write(dir.join("Cargo.toml"), MANIFEST.replace("NAME", name)).expect("the target directory can be written");
    fs::write(dir.join("src/lib.rs"), source.trim_start()).expect("the target directory can be written");
    dir
}

/// The ban, with no leave for entries of crates that the scratch crate uses to name nothing: clippy warns of those then.
fn strict(ban: &str) -> String {
    let used = ["hyper_util::", "std::", "tokio::", "tokio_util::"];
    let is_used = |line: &str| used.iter().any(|name| line.contains(&format!("path = \"{name}")));
    let strict = |line: &str| if is_used(line) { line.replace(", allow-invalid = true", "") } else { line.to_owned() };
    ban.lines().map(strict).collect::<Vec<_>>().join("\n")
}

fn clippy(dir: &Path) -> Output {
    let mut command = Command::new(env!("CARGO"));
    command.args(["clippy", "--message-format=short"]).current_dir(dir);
    command.env("CARGO_TARGET_DIR", dir.parent().expect("it has one").join("target"));
    // What the outer cargo was told about warnings and colours is of no concern here.
    for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CLIPPY_ARGS", "CLIPPY_CONF_DIR"] {
        command.env_remove(variable);
    }
    command.env("CARGO_TERM_COLOR", "never").output().expect("cargo can be started")
}

fn lines_refused(output: &Output) -> Vec<usize> {
    let text = String::from_utf8_lossy(&output.stderr);
    let mut lines: Vec<usize> = text
        .lines()
        .filter(|line| line.contains("use of a disallowed"))
        .filter_map(|line| line.strip_prefix("src/lib.rs:")?.split(':').next()?.parse().ok())
        .collect();
    lines.sort_unstable();
    lines.dedup();
    lines
}

#[test]
fn work_without_an_owner_is_refused_line_by_line() {
    let output = clippy(&scratch("planted", PLANTED));
    let marked = |(index, line): (usize, &str)| line.ends_with(REFUSED).then_some(index + 1);
    let expected: Vec<usize> = PLANTED.trim_start().lines().enumerate().filter_map(marked).collect();
    let shown = String::from_utf8_lossy(&output.stderr);
    assert_eq!(lines_refused(&output), expected, "{shown}");
    assert!(!output.status.success(), "{shown}");
    // An entry that names nothing refuses nothing.
    assert!(!shown.contains("clippy.toml"), "{shown}");
}

#[test]
fn a_crate_that_starts_nothing_passes() {
    let output = clippy(&scratch("control", CONTROL));
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{shown}");
    assert!(!shown.contains("warning"), "{shown}");
}
