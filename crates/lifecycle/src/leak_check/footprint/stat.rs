//! Threads and processes, by `/proc/PID/stat`.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::{ProcessSeen, ThreadSeen};

/// A clock tick in what `/proc` says; the kernel counts in these for user space on all platforms that Rust has std on.
const TICK: Duration = Duration::from_millis(10);

/// What of a `stat` file is used here.
#[derive(Debug, PartialEq)]
pub(super) struct Stat {
    pub(super) id: u32,
    name: String,
    state: char,
    parent: u32,
    start: u64,
}

/// The time since the system's start, in ticks.
#[derive(Clone, Copy)]
pub(super) struct Uptime(u64);

impl Uptime {
    /// Zero if it cannot be read: then nothing has an age.
    pub(super) fn now() -> Self {
        let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
        let (seconds, hundredths) =
            text.split_ascii_whitespace().next().and_then(|up| up.split_once('.')).unwrap_or_default();
        let number = |text: &str| text.parse::<u64>().unwrap_or_default();
        Self(number(seconds).saturating_mul(100).saturating_add(number(hundredths)))
    }

    fn since(self, start: u64) -> Duration {
        TICK.saturating_mul(u32::try_from(self.0.saturating_sub(start)).unwrap_or(u32::MAX))
    }
}

pub(super) fn of(folder: &Path) -> io::Result<Stat> {
    // A name need not be UTF-8.
    let text = fs::read(folder.join("stat"))?;
    parse(&String::from_utf8_lossy(&text))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not in the form that proc_pid_stat(5) describes"))
}

/// The threads of a process; one that ends meanwhile is left out.
pub(super) fn threads(process: &Path, uptime: Uptime) -> io::Result<Vec<ThreadSeen>> {
    let mut threads = Vec::new();
    for entry in fs::read_dir(process.join("task"))? {
        let Ok(Stat { id, name, state, start, .. }) = of(&entry?.path()) else { continue };
        threads.push(ThreadSeen { id, start, name, state, age: uptime.since(start) });
    }
    threads.retain(|thread| !is_dead(thread.state));
    threads.sort_by_key(|thread| thread.id);
    Ok(threads)
}

/// The processes whose parent is this one. By a look at all: the kernel's own list of children is an option of its
/// build, and may leave some out while others end.
pub(super) fn children(parent: u32, uptime: Uptime) -> io::Result<Vec<ProcessSeen>> {
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        if !is_id(&entry.file_name()) {
            continue;
        }
        // One that has ended meanwhile cannot be read.
        let Ok(stat) = of(&entry.path()) else { continue };
        if stat.parent == parent && !is_dead(stat.state) {
            let Stat { id, name, state, start, .. } = stat;
            children.push(ProcessSeen { id, start, name, state, age: uptime.since(start) });
        }
    }
    children.sort_by_key(|child| child.id);
    Ok(children)
}

/// A zombie is not dead: it waits to be waited for.
fn is_dead(state: char) -> bool {
    matches!(state, 'X' | 'x')
}

fn is_id(name: &OsStr) -> bool {
    name.as_encoded_bytes().iter().all(u8::is_ascii_digit)
}

fn parse(stat: &str) -> Option<Stat> {
    // The name is whatever the process wants, brackets and spaces included.
    let (id, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    // The 22nd field; the state was the third.
    let start = fields.nth(17)?.parse().ok()?;
    Some(Stat { id: id.parse().ok()?, name: name.to_owned(), state, parent, start })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &str = "10998 10998 5786 0 -1 4194304 103 0 0 0 0 0 0 0 20 0 1 0 1137825 3133440 390 1844 1 1 0";

    #[test]
    fn a_name_may_hold_anything() {
        for name in ["cat", "a) R 1 (b", "", "two words", "(sd-pam)"] {
            let stat = parse(&format!("11008 ({name}) Z {REST}\n")).unwrap();
            let expected = Stat { id: 11_008, name: name.to_owned(), state: 'Z', parent: 10_998, start: 1_137_825 };
            assert_eq!(stat, expected);
        }
    }

    #[test]
    fn what_is_no_stat_is_none() {
        for text in ["", "1", "1 (a", "1 (a) ", "1 (a) R", "1 (a) R 1 2 3", "x (a) R 1"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
