//! A private PostgreSQL cluster from the binaries that are installed, in a folder of its own, on a loopback port. It
//! keeps nothing safe: no fsync.

use std::fs::{self, Permissions};
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::geteuid;

use super::witness::Witness;
use crate::deadline::Deadline;
use crate::random::Random;

/// Whom the server knows.
pub(super) const USER: &str = "landfall";
/// How many sessions it takes.
pub(super) const SESSIONS_MAX: usize = 300;

const START_MAX: Duration = Duration::from_secs(60);
/// Another program may take the port before the server has it.
const ATTEMPTS: usize = 3;

/// Runs the server for as long as the standard input is open, whoever holds it, then removes the folder: so nothing is
/// left even if the program that asked for it is killed.
const KEEPER: &str = r#"
folder=$1; pg_ctl=$2; shift 2
trap : INT TERM HUP
"$@" >"$folder/log" 2>&1 </dev/null & server=$!
read -r _
stop() { "$pg_ctl" stop -s -D "$folder/data" -m "$@" 2>/dev/null; }
stop fast -t 20 || stop immediate
wait "$server"
rm -rf "$folder"
"#;

/// A cluster. It is ended and removed when this is dropped.
#[derive(Debug)]
pub struct Cluster {
    keeper: Child,
    folder: PathBuf,
    address: SocketAddr,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum NoCluster {
    /// PostgreSQL's server is not installed.
    #[error("there is no PostgreSQL server: no `initdb` beside `postgres` in {looked} (Debian has it in postgresql)")]
    Missing {
        /// Where it was looked for.
        looked: String,
    },
    /// It did not start.
    #[error("PostgreSQL did not start: {0}")]
    Failed(String),
    /// The machine refuses something.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Cluster {
    /// Makes one and starts it. Run by root, it belongs to `postgres` or `nobody`: the server refuses root.
    ///
    /// # Errors
    ///
    /// [`NoCluster::Missing`] if it is not installed; the rest is in the way of an installed one.
    pub fn start() -> Result<Self, NoCluster> {
        let binaries = binaries()?;
        let owner = geteuid().is_root().then(owner).transpose()?;
        for _ in 1..ATTEMPTS {
            if let Ok(cluster) = Self::try_start(&binaries, owner) {
                return Ok(cluster);
            }
        }
        Self::try_start(&binaries, owner)
    }

    fn try_start(binaries: &Path, owner: Option<Owner>) -> Result<Self, NoCluster> {
        let name = format!("landfall-postgres-{}-{:09}", std::process::id(), Random::draw_seed());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder)?;
        let made = Self::made(binaries, owner, &folder);
        if made.is_err() {
            // The keeper may have been before.
            drop(fs::remove_dir_all(&folder));
        }
        made
    }

    fn made(binaries: &Path, owner: Option<Owner>, folder: &Path) -> Result<Self, NoCluster> {
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
        if let Some(owner) = owner {
            chown(folder, Some(owner.user), Some(owner.group))?;
        }
        let data = folder.join("data");
        let mut initdb = as_owner(binaries.join("initdb"), owner, folder);
        initdb.args(["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", "--username", USER, "--pgdata"]);
        let made = initdb.arg(&data).output()?;
        if !made.status.success() {
            return Err(NoCluster::Failed(String::from_utf8_lossy(&made.stderr).into_owned()));
        }
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut keeper = as_owner("sh".into(), owner, folder);
        keeper.args(["-c", KEEPER, "keeper"]).arg(folder).arg(binaries.join("pg_ctl")).arg(binaries.join("postgres"));
        keeper.arg("-D").arg(&data).arg("-k").arg(folder).args(["-p", &port.to_string()]);
        for setting in settings() {
            keeper.args(["-c", &setting]);
        }
        let keeper = keeper.stdin(Stdio::piped()).spawn()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let cluster = Self { keeper, folder: folder.to_owned(), address };
        cluster.wait_until_it_answers()?;
        Ok(cluster)
    }

    fn wait_until_it_answers(&self) -> Result<(), NoCluster> {
        let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let answered = Deadline::after(START_MAX).poll(|| match Witness::on(self.address) {
            Ok(_) => Some(Ok(())),
            // It says so when it gives up.
            Err(_) if log().contains("database system is shut down") || log().contains("FATAL:  could not") => {
                Some(Err(NoCluster::Failed(log())))
            }
            Err(_) => None,
        });
        answered.unwrap_or_else(|| Err(NoCluster::Failed(format!("no answer within {START_MAX:?}: {}", log()))))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A session of its own that counts the others.
    ///
    /// # Errors
    ///
    /// What the system or the server says.
    pub fn witness(&self) -> io::Result<Witness> {
        Witness::on(self.address)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        if let Err(error) = self.keeper.wait() {
            eprintln!("PostgreSQL in {} may be left: {error}", self.folder.display());
        }
    }
}

fn settings() -> Vec<String> {
    let connections = format!("max_connections={SESSIONS_MAX}");
    let fixed = [
        "listen_addresses=127.0.0.1",
        "autovacuum=off",
        "fsync=off",
        "full_page_writes=off",
        "max_wal_senders=0",
        "shared_buffers=32MB",
        "synchronous_commit=off",
        "wal_level=minimal",
    ];
    fixed.iter().map(|setting| (*setting).to_owned()).chain([connections]).collect()
}

/// The first folder with both programs that are needed.
fn binaries() -> Result<PathBuf, NoCluster> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    for usual in ["/usr/lib/postgresql", "/usr/local/pgsql", "/opt/homebrew/opt"] {
        let versions = fs::read_dir(usual).into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
        let mut versions: Vec<PathBuf> = versions.collect();
        versions.sort();
        folders.extend(versions.into_iter().rev());
        folders.push(Path::new(usual).join("bin"));
    }
    found_in(&folders)
}

fn found_in(folders: &[PathBuf]) -> Result<PathBuf, NoCluster> {
    let has_both = |folder: &&PathBuf| folder.join("postgres").is_file() && folder.join("initdb").is_file();
    let looked = || folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ");
    folders.iter().find(has_both).cloned().ok_or_else(|| NoCluster::Missing { looked: looked() })
}

/// Who runs the server in place of root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owner {
    user: u32,
    group: u32,
}

fn owner() -> Result<Owner, NoCluster> {
    let mut users = String::new();
    fs::File::open("/etc/passwd")?.read_to_string(&mut users)?;
    owner_in(&users).ok_or_else(|| NoCluster::Failed("neither `postgres` nor `nobody` is in /etc/passwd".to_owned()))
}

fn owner_in(users: &str) -> Option<Owner> {
    let of = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map(str::parse);
        Some(Owner { user: numbers.next()?.ok()?, group: numbers.next()?.ok()? })
    };
    of("postgres").or_else(|| of("nobody"))
}

fn as_owner(program: PathBuf, owner: Option<Owner>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some(owner) = owner {
        command.uid(owner.user).gid(owner.group);
    }
    // The folder of who asks may be closed to the owner.
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_installed_is_said_with_where_it_was_looked_for() {
        let missing = found_in(&["/nowhere/bin".into(), "/elsewhere/bin".into()]).expect_err("there is none");
        assert!(matches!(missing, NoCluster::Missing { .. }));
        let said = missing.to_string();
        assert!(said.contains("/nowhere/bin, /elsewhere/bin") && said.contains("postgresql"), "{said}");
    }

    #[test]
    fn the_owner_is_postgres_else_nobody() {
        let nobody = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533:nobody:/:/bin/false\n";
        assert_eq!(owner_in(nobody), Some(Owner { user: 65534, group: 65533 }));
        let both = format!("{nobody}postgres:x:102:104::/var/lib/postgresql:/bin/bash\n");
        assert_eq!(owner_in(&both), Some(Owner { user: 102, group: 104 }));
        assert_eq!(owner_in("root:x:0:0:root:/root:/bin/sh"), None);
    }
}
