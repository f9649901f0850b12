//! Files that cannot be used as the database: broken, damaged, foreign, held by another, read-only, nowhere.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::Part;
use super::starts::{TIMES, refused};
use crate::deadline::Deadline;
use crate::process::{Process, Signal};
use crate::relay::{Program, Relay};
use crate::scenario::{Failure, Setting};
use crate::workplace::Workplace;

/// `nobody`, on every system we know: somebody to whom a file can be read-only.
const NOBODY: u32 = 65_534;

/// What another program's database looks like: its header, with an application id that is not the relay's.
const APPLICATION_ID_AT: usize = 68;
/// Where the version of the relay's tables stands in the header.
const USER_VERSION_AT: usize = 60;
/// The header; behind it begins what is damaged.
const HEADER_BYTES: usize = 100;

pub(super) fn run(setting: &Setting) -> Result<Part, Failure> {
    let program = setting.relay()?;
    let mut part = Part::default();
    let sound = sound_database(setting, &program)?;
    let changed = |at: usize, byte: u8, to: usize| {
        let mut bytes = sound.clone();
        bytes.iter_mut().take(to).skip(at).for_each(|it| *it = byte);
        bytes
    };
    let contents: [(&str, Vec<u8>, &str); 5] = [
        ("text", b"this is not a database\n".repeat(500), "not a database"),
        ("cut off", sound[..HEADER_BYTES / 2].to_vec(), "not a database"),
        ("damaged", changed(HEADER_BYTES, 0xa5, usize::MAX), "damaged"),
        ("foreign", changed(APPLICATION_ID_AT, 7, APPLICATION_ID_AT + 4), "belongs to another program"),
        ("newer", changed(USER_VERSION_AT, 1, USER_VERSION_AT + 4), "version"),
    ];
    for (name, bytes, words) in contents {
        let workplace = Workplace::new()?;
        fs::write(workplace.database(), bytes)?;
        part.try_start(name, &program, &workplace.database(), words, &workplace)?;
    }
    let workplace = Workplace::new()?;
    part.try_start("a folder", &program, &workplace.database_folder(), "cannot be", &workplace)?;
    let nowhere = workplace.root().join("no").join("such").join("relay.db");
    part.try_start("nowhere", &program, &nowhere, "cannot be opened", &workplace)?;
    locked(setting, &program, &mut part)?;
    read_only(&program, &sound, &mut part)?;
    Ok(part)
}

impl Part {
    fn try_start(
        &mut self,
        name: &str,
        program: &Program,
        database: &Path,
        words: &str,
        workplace: &Workplace,
    ) -> Result<(), Failure> {
        let mut command = Command::new(&program.path);
        command.args(program.args(database, TIMES, &[]));
        let path = database.display().to_string();
        self.findings.extend("database", refused(name, &mut command, 1, &[&path, words], workplace)?);
        self.tried += 1;
        Ok(())
    }
}

/// The bytes of a file that a relay made and closed in order.
fn sound_database(setting: &Setting, program: &Program) -> Result<Vec<u8>, Failure> {
    let workplace = Workplace::new()?;
    let mut relay = Relay::start(program, &workplace, TIMES, &[], setting.deadline)?;
    relay.process.signal(Signal::TERM);
    relay.process.wait(setting.deadline);
    let bytes = fs::read(workplace.database())?;
    if bytes.len() < HEADER_BYTES {
        return Err(io::Error::other("the relay's database is empty").into());
    }
    Ok(bytes)
}

/// A second relay on the file of the first.
fn locked(setting: &Setting, program: &Program, part: &mut Part) -> Result<(), Failure> {
    let workplace = Workplace::new()?;
    let mut first = Relay::start(program, &workplace, TIMES, &[], setting.deadline)?;
    part.try_start("locked", program, &workplace.database(), "locked by another process", &workplace)?;
    let stop = first.stop(Signal::TERM, TIMES.limit());
    part.findings.extend("the one that holds it", stop.orderly("stop", TIMES.limit()));
    Ok(())
}

/// A file and a folder that may be read only. Nothing is read-only to root, so as root this is tried as nobody.
fn read_only(program: &Program, sound: &[u8], part: &mut Part) -> Result<(), Failure> {
    let workplace = Workplace::new()?;
    let Some(path) = for_nobody(&program.path, &workplace)? else {
        part.skipped.push("a read-only database: the relay cannot be started as nobody".to_owned());
        return Ok(());
    };
    let (folder, file) = (workplace.database_folder(), workplace.database());
    fs::write(&file, sound)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444))?;
    for (name, mode) in [("read-only file", 0o777), ("read-only file and folder", 0o555)] {
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode))?;
        let mut command = Command::new(&path);
        as_nobody(&mut command).args(program.args(&file, TIMES, &[]));
        let shown = file.display().to_string();
        part.findings.extend("database", refused(name, &mut command, 1, &[&shown, "read-only"], &workplace)?);
        part.tried += 1;
    }
    // Else it could not be removed.
    Ok(fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?)
}

fn as_nobody(command: &mut Command) -> &mut Command {
    if rustix::process::geteuid().is_root() { command.uid(NOBODY).gid(NOBODY) } else { command }
}

/// The program, or a copy of it, where nobody may start it; `None` if that cannot be done.
fn for_nobody(program: &Path, workplace: &Workplace) -> io::Result<Option<PathBuf>> {
    let copy = workplace.root().join("relay");
    for path in [program, &copy] {
        if path == copy {
            fs::copy(program, &copy)?;
        }
        let mut command = Command::new(path);
        let Ok(mut process) = Process::spawn(as_nobody(&mut command).arg("--version"), workplace) else { continue };
        let ended = process.wait(Deadline::after(Duration::from_secs(10)));
        if ended.is_some_and(|status| status.success()) {
            return Ok(Some(path.to_owned()));
        }
    }
    Ok(None)
}
