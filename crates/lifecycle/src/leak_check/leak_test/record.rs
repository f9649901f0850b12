//! What the process of a test writes down for the one that started it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use crate::leak_check::Leaks;

/// How much of what was written is read again; of more the end is.
const READ_MAX: u64 = 256 << 10;

/// One line in the file that is the process's standard input: that one is free, and no print of the test gets into it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Record {
    /// The test was found, and begins.
    Started,
    Clean,
    Leaked(Leaks),
    Panicked(String),
    SetUp(String),
}

impl Record {
    /// Writes it down, in the process of the test.
    pub(super) fn write(&self) -> io::Result<()> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        OpenOptions::new().append(true).open("/proc/self/fd/0")?.write_all(&line)
    }

    /// All that were written, in their order; a line that was cut off by a kill is none.
    pub(super) fn all(text: &str) -> Vec<Self> {
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// A file without a name, which two processes share.
#[derive(Debug)]
pub(super) struct Shared {
    reader: File,
    writer: File,
}

impl Shared {
    pub(super) fn new() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path: PathBuf = std::env::temp_dir().join(format!("landfall-leak-test-{}-{number}", std::process::id()));
        let writer = OpenOptions::new().append(true).create_new(true).open(&path)?;
        let reader = File::open(&path);
        // No name from here on, so that nothing is left of it however this process ends.
        std::fs::remove_file(&path)?;
        Ok(Self { reader: reader?, writer })
    }

    pub(super) fn writer(&self) -> io::Result<File> {
        self.writer.try_clone()
    }

    pub(super) fn read(mut self) -> io::Result<String> {
        let length = self.reader.metadata()?.len();
        self.reader.seek(SeekFrom::Start(length.saturating_sub(READ_MAX)))?;
        let mut bytes = Vec::new();
        self.reader.take(READ_MAX).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
