//! Sessions on a PostgreSQL server, counted by their application name through `psql`.

use std::fmt::{self, Debug, Formatter};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::process::Process;
use crate::workplace::Workplace;

use super::problem::{Problem, last_lines};

/// What is said if they cannot be counted.
pub(super) const NO_PSQL: &str =
    "server sessions: there is no `psql` in PATH; it comes with PostgreSQL's client programs (postgresql-client)";

/// How long one count may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Where a server is; there may be a password in it, so it shows nothing of itself.
#[derive(Clone)]
pub struct Server(String);

impl From<String> for Server {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl Debug for Server {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Server(..)")
    }
}

/// A server, and the program that asks it.
#[derive(Debug)]
pub(super) struct Sessions {
    server: Server,
    psql: PathBuf,
}

impl Sessions {
    /// Tries the server; `None` if there is no psql.
    pub(super) fn on(server: &Server) -> Result<Option<Self>, Problem> {
        Self::by(PathBuf::from("psql"), server)
    }

    fn by(psql: PathBuf, server: &Server) -> Result<Option<Self>, Problem> {
        if Command::new(&psql).arg("--version").output().is_err() {
            return Ok(None);
        }
        let sessions = Self { server: server.clone(), psql };
        sessions.count("landfall-nobody")?;
        Ok(Some(sessions))
    }

    /// How many sessions have this application name.
    pub(super) fn count(&self, application: &str) -> Result<u64, Problem> {
        let workplace = Workplace::new().map_err(Problem::machine("make a folder"))?;
        let query = format!("select count(*) from pg_stat_activity where application_name = '{application}'");
        let mut psql = Command::new(&self.psql);
        psql.args(["-X", "-A", "-t", "-q", "-w", "-d", &self.server.0, "-c", &query]);
        psql.env("PGAPPNAME", "landfall-watch").env("PGCONNECT_TIMEOUT", "5");
        let mut process = Process::spawn(&mut psql, &workplace).map_err(Problem::machine("start psql"))?;
        let status = process.wait(Deadline::after(ANSWER_MAX));
        let (said, complained) = (process.stdout(), process.stderr());
        match (status, said.trim().parse()) {
            (Some(status), Ok(count)) if status.success() => Ok(count),
            (None, _) => Err(Problem::Server { said: format!("no answer within {} s", ANSWER_MAX.as_secs()) }),
            (Some(_), _) => Err(Problem::Server { said: last_lines(&said, &complained) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A psql that is a shell script.
    fn by(script: &str) -> Result<Option<Sessions>, Problem> {
        let workplace = Workplace::new().expect("a folder");
        let psql = workplace.root().join("psql");
        fs::write(&psql, format!("#!/bin/sh\n{script}\n")).expect("a file");
        fs::set_permissions(&psql, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let sessions = Sessions::by(psql, &Server("postgres://someone:secret@nowhere".to_owned()));
        sessions.map(|sessions| sessions.inspect(|sessions| assert_eq!(sessions.count("x").expect("it counts"), 3)))
    }

    #[test]
    fn what_psql_prints_is_the_count() {
        assert!(by("echo 3").expect("it answers").is_some());
    }

    #[test]
    fn a_server_that_refuses_is_said_in_its_words_without_its_address() {
        let refused = by("case $1 in --version) exit 0;; esac; echo 'connection refused' >&2; exit 2");
        let said = refused.expect_err("it refuses").to_string();
        assert!(said.contains("connection refused") && !said.contains("secret"), "{said}");
    }

    #[test]
    fn without_psql_nothing_is_counted() {
        let missing = Sessions::by(PathBuf::from("/nowhere/psql"), &Server(String::new()));
        assert!(missing.expect("that is no failure").is_none());
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(format!("{:?}", Server("postgres://someone:secret@nowhere".to_owned())), "Server(..)");
    }
}
