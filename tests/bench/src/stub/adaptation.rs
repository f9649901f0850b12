//! NRI's own adaptation, in a Go program: a line of JSON to it, a line from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::process::Process;

pub(super) struct Adaptation {
    process: Process,
    folder: PathBuf,
}

impl Adaptation {
    /// Starts one that has so many pods and containers, each with so many bytes at least.
    pub(super) fn start(program: &Path, pods: usize, containers: usize, bytes: usize) -> Self {
        let folder = std::env::temp_dir().join(format!("landfall-bench-nri-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("the folder of temporary files can be written");
        let process = Process::start(&mut Command::new(program));
        let mut it = Self { process, folder };
        let folder = it.folder.display().to_string();
        it.ask(json!({ "do": "start", "folder": folder, "pods": pods, "containers": containers, "bytes": bytes }));
        it
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.join("nri.sock")
    }

    /// Waits until so many plugins have been synchronized, each time counted.
    pub(super) fn synchronized(&mut self, times: usize) {
        self.ask(json!({ "do": "synchronized", "times": times }));
    }

    /// Has an event happen so many times, and gives how many microseconds each took, in order of size.
    pub(super) fn measure(&mut self, event: &str, times: usize) -> Vec<f64> {
        let lines = self.ask(json!({ "do": "measure", "method": event, "times": times }));
        let nanos = lines.iter().filter_map(|line| line.as_str()?.parse::<f64>().ok());
        let mut micros: Vec<f64> = nanos.map(|nanos| nanos / 1_000.0).collect();
        assert_eq!(micros.len(), times, "the adaptation measured otherwise");
        micros.sort_by(f64::total_cmp);
        micros
    }

    fn ask(&mut self, what: Value) -> Vec<Value> {
        self.process.tell(&what.to_string());
        let answer: Value = self.process.line().parse().expect("it answers with JSON");
        assert!(answer["error"].is_null(), "{what}: {answer}");
        answer["lines"].as_array().cloned().unwrap_or_default()
    }
}

impl Drop for Adaptation {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}
