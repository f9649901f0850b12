//! What a program left behind, seen from outside: processes, files, a listener.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::deadline::Deadline;
use crate::findings::{Findings, Kind};

/// The variable that marks what we started, and whatever that started.
pub const MARK: &str = "LANDFALL_SCENARIO_MARK";

/// How long the kernel may take to clear away what belonged to a process that has ended.
const SETTLE: Duration = Duration::from_secs(2);

/// The living processes with this mark, as `id name`; `None` where there is no `/proc` to look into.
pub fn processes(mark: &str) -> Option<Vec<String>> {
    let entries = fs::read_dir("/proc").ok()?;
    fs::metadata("/proc/self/environ").ok()?;
    let marked = entries.flatten().map(|entry| entry.path()).filter(|path| has_mark(path, mark));
    let describe = |path: &Path| {
        let id = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        format!("{id} {}", fs::read_to_string(path.join("comm")).unwrap_or_default().trim())
    };
    Some(marked.map(|path| describe(&path)).collect())
}

/// Whether a living process has this mark.
pub fn is_marked(id: u32, mark: &str) -> bool {
    has_mark(&Path::new("/proc").join(id.to_string()), mark)
}

fn has_mark(process: &Path, mark: &str) -> bool {
    let wanted = format!("{MARK}={mark}");
    // Whatever has ended meanwhile, is a zombie, or is somebody else's cannot be read and is none of ours.
    let environment = fs::read(process.join("environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
}

/// Kills the living processes with this mark: what a program left, once it was found.
pub fn kill(mark: &str) {
    for process in processes(mark).unwrap_or_default() {
        let id = process.split_whitespace().next().and_then(|id| id.parse().ok()).and_then(Pid::from_raw);
        if let Some(id) = id {
            // It may have ended meanwhile.
            _ = kill_process(id, Signal::KILL);
        }
    }
}

/// The names in a folder, except those expected.
///
/// # Errors
///
/// What the system says.
pub fn files(folder: &Path, expected: &[&str]) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !expected.contains(&name.as_str()) {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

/// Whether an address can be listened on.
pub fn is_free(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_ok()
}

/// What may be left where the program has ended.
#[derive(Debug)]
pub struct Scene<'a> {
    /// The program's mark.
    pub mark: &'a str,
    /// Where it listened.
    pub address: Option<SocketAddr>,
    /// Folders, and the names that may stay in each.
    pub folders: &'a [(&'a Path, &'a [&'a str])],
}

impl Scene<'_> {
    /// Finds what was left behind; processes and a listener may take a moment to go.
    pub fn inspect(&self) -> Findings {
        let mut findings = Findings::default();
        let deadline = Deadline::after(SETTLE);
        let mut alive = Vec::new();
        deadline.poll(|| {
            alive = processes(self.mark).unwrap_or_default();
            alive.is_empty().then_some(())
        });
        for process in alive {
            findings.add(Kind::LeftBehind, format!("process {process} lives on"));
        }
        if let Some(address) = self.address {
            let is_free = deadline.poll(|| is_free(address).then_some(())).is_some();
            findings.check(is_free, Kind::LeftBehind, || format!("{address} is still taken"));
        }
        for (folder, expected) in self.folders {
            match files(folder, expected) {
                Ok(left) => {
                    for name in left {
                        findings.add(Kind::LeftBehind, format!("file {name} is left"));
                    }
                }
                Err(error) => findings.add(Kind::LeftBehind, format!("{} cannot be read: {error}", folder.display())),
            }
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Process;
    use crate::workplace::Workplace;

    #[test]
    fn a_grandchild_that_lives_on_is_found() {
        let workplace = Workplace::new().expect("a folder");
        let script = "sleep 600 & echo left $!";
        let mut process = Process::start("sh", ["-c", script], &workplace).expect("there is a shell");
        let long = Deadline::after(Duration::from_secs(60));
        let id = process.line_with("left", long).expect("it says the id");
        assert!(process.wait(long).is_some(), "the shell ends");
        let found = Scene { mark: process.mark(), address: None, folders: &[] }.inspect();
        kill(process.mark());
        if processes(process.mark()).is_some() {
            assert!(found.has(Kind::LeftBehind), "{found}");
            assert!(found.to_string().contains(&format!("{id} sleep")), "{found}");
        }
    }

    #[test]
    fn a_listener_that_lives_on_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().ok();
        let scene = Scene { mark: "nobody", address, folders: &[] };
        assert!(scene.inspect().has(Kind::LeftBehind));
        drop(listener);
        assert!(scene.inspect().is_empty());
    }

    #[test]
    fn a_file_that_is_left_is_found() {
        let workplace = Workplace::new().expect("a folder");
        fs::write(workplace.database(), "").expect("a file");
        fs::write(workplace.database_folder().join("relay.db-wal"), "").expect("a file");
        let folder = workplace.database_folder();
        assert_eq!(files(&folder, &["relay.db"]).expect("a folder"), ["relay.db-wal"]);
        let scene = Scene { mark: "nobody", address: None, folders: &[(&folder, &["relay.db"])] };
        assert!(scene.inspect().to_string().contains("file relay.db-wal is left"));
    }
}
