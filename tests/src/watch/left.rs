//! What a program may leave that shows from outside: processes, files, listeners.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use landfall_lifecycle::leak_check::{Footprint, SocketSeen};

use crate::deadline::Deadline;
use crate::findings::{Finding, Findings, Kind};
use crate::witness;

use super::problem::Problem;
use super::subject::{Member, Subject};

/// How long whatever belonged to a program may take to go once it has ended.
pub(super) const SETTLE: Duration = Duration::from_secs(2);

/// How many files a folder may hold in which new ones are looked for.
const FILES_MAX: usize = 20_000;

/// A socket that accepts connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listener {
    family: &'static str,
    local: String,
    inode: u64,
}

/// The files below some folders.
#[derive(Debug)]
pub(super) struct Files {
    /// Each with what it is to the program.
    folders: Vec<(PathBuf, &'static str)>,
    before: BTreeSet<PathBuf>,
}

/// The listeners of a program that runs.
pub(super) fn listeners(subject: &Subject) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = Vec::new();
    for (_, socket) in listening(&subject.members()) {
        if !listeners.iter().any(|known| known.inode == socket.inode) {
            listeners.push(Listener { family: socket.family, local: socket.local, inode: socket.inode });
        }
    }
    listeners
}

fn listening(members: &[Member]) -> Vec<(Member, SocketSeen)> {
    let mut found = Vec::new();
    for member in members {
        // One that has ended meanwhile listens no more.
        let Ok(footprint) = Footprint::of(member.id) else { continue };
        let sockets = footprint.sockets().iter().filter(|socket| socket.state == "LISTEN");
        found.extend(sockets.map(|socket| (member.clone(), socket.clone())));
    }
    found
}

/// What is left of the program once it has ended: each may take a moment to go.
pub(super) fn inspect(subject: &Subject, listened: &[Listener]) -> Findings {
    let deadline = Deadline::after(SETTLE);
    let mut findings = Findings::default();
    let mut left = Vec::new();
    deadline.poll(|| {
        left = subject.members();
        left.is_empty().then_some(())
    });
    for member in &left {
        let text = format!("process {} `{}` lives on", member.id, member.name);
        findings.push(Finding::new(Kind::ChildProcess, text).named(&*member.name));
    }
    let held = listening(&left);
    for listener in listened {
        if deadline.poll(|| (!listener.is_open()).then_some(())).is_none() {
            let holder = held.iter().find(|(_, socket)| socket.inode == listener.inode);
            let holder = holder.map_or_else(
                || "somebody who is not of the program".to_owned(),
                |(member, _)| format!("process {} `{}`", member.id, member.name),
            );
            let name = format!("{} {}", listener.family, listener.local);
            findings.push(Finding::new(Kind::Socket, format!("{name} is still listened on, by {holder}")).named(name));
        }
    }
    findings
}

impl Listener {
    fn is_open(&self) -> bool {
        match self.local.parse::<SocketAddr>() {
            Ok(address) => !witness::is_free(address),
            // A name that begins with @ is no file.
            Err(_) => !self.local.is_empty() && UnixStream::connect(&self.local).is_ok(),
        }
    }
}

impl Files {
    /// Notes what is there.
    pub(super) fn of(folders: Vec<(PathBuf, &'static str)>) -> Result<Self, Problem> {
        let before = all(&folders)?;
        Ok(Self { folders, before })
    }

    /// Finds what is there now and was not before; of a new folder only itself.
    pub(super) fn new_ones(&self) -> Result<Findings, Problem> {
        let mut findings = Findings::default();
        let now = all(&self.folders)?;
        let new: BTreeSet<&PathBuf> = now.difference(&self.before).collect();
        for path in &new {
            if path.parent().is_some_and(|parent| new.contains(&parent.to_path_buf())) {
                continue;
            }
            let inside = |(folder, what): &(PathBuf, &'static str)| Some((path.strip_prefix(folder).ok()?, *what));
            let Some((name, what)) = self.folders.iter().find_map(inside) else { continue };
            let size = match fs::symlink_metadata(path) {
                Ok(file) if file.is_dir() => "a folder".to_owned(),
                Ok(file) => format!("{} bytes", file.len()),
                // It has gone meanwhile.
                Err(_) => continue,
            };
            let text = format!("`{}` ({size}) is left in {what}", name.display());
            findings.push(Finding::new(Kind::File, text).named(name.display().to_string()));
        }
        Ok(findings)
    }
}

fn all(folders: &[(PathBuf, &'static str)]) -> Result<BTreeSet<PathBuf>, Problem> {
    let mut found = BTreeSet::new();
    let mut waiting: Vec<(&Path, PathBuf)> =
        folders.iter().map(|(folder, _)| (folder.as_path(), folder.clone())).collect();
    while let Some((root, folder)) = waiting.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(source) if folder == root => {
                return Err(Problem::Machine { what: format!("read {}", folder.display()), source });
            }
            // A folder in it may be somebody else's, or has gone meanwhile.
            Err(_) => continue,
        };
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                waiting.push((root, entry.path()));
            }
            found.insert(entry.path());
            if found.len() > FILES_MAX {
                return Err(Problem::TooManyFiles { folder: root.to_owned(), max: FILES_MAX });
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workplace::Workplace;

    #[test]
    fn new_files_are_found_and_of_a_new_folder_only_itself() {
        let workplace = Workplace::new().expect("a folder");
        let folder = workplace.root().join("work");
        fs::create_dir(&folder).and_then(|()| fs::write(folder.join("old"), "")).expect("it is ours");
        let files = Files::of(vec![(folder.clone(), "it")]).expect("it can be read");
        assert!(files.new_ones().expect("it can be read").is_empty());
        fs::create_dir(folder.join("new")).and_then(|()| fs::write(folder.join("new/inner"), "")).expect("it is ours");
        fs::write(folder.join("old"), "more").expect("it is ours");
        let found = files.new_ones().expect("it can be read").to_json();
        let names: Vec<_> = found.as_array().into_iter().flatten().map(|leak| leak["name"].clone()).collect();
        assert_eq!(names, ["new"]);
    }

    #[test]
    fn a_folder_that_is_too_large_is_refused_with_the_option_that_helps() {
        let refusal = Problem::TooManyFiles { folder: PathBuf::from("/x"), max: FILES_MAX }.to_string();
        assert!(refusal.contains("20000") && refusal.contains("--folder"), "{refusal}");
        assert!(Files::of(vec![(PathBuf::from("/nowhere"), "it")]).is_err());
    }
}
