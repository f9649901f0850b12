//! Wrong values on the command line: refused naming the flag, the value and what is allowed.

use std::process::Command;

use super::Part;
use super::starts::refused;
use crate::scenario::{Failure, Setting};
use crate::workplace::Workplace;

/// What is given, and the words that the refusal must have.
const WRONG: &[(&[&str], &[&str])] = &[
    (&["--until", "soon"], &["--until", "soon", "such as"]),
    (&["--until", "0s"], &["--until", "0s", "from 1ms"]),
    (&["--until=-1s"], &["--until", "-1s", "such as"]),
    (&["--until", "1e9s"], &["--until", "1e9s"]),
    (&["--grace", "18446744073709551615s"], &["--grace", "18446744073709551615s", "8760h"]),
    (&["--grace", "99999999999999999999999h"], &["--grace", "8760h"]),
    (&["--abort-after", "18446744073709551615h"], &["--abort-after", "8760h"]),
    (&["--attempt-timeout", "0ms"], &["--attempt-timeout", "0ms", "from 1ms"]),
    (&["--retry-min", "2s", "--retry-max", "1s"], &["--retry-min", "2s", "--retry-max", "1s"]),
    (&["--listen", "localhost:80"], &["--listen", "localhost:80", "127.0.0.1:8080"]),
    (&["--listen", "127.0.0.1:65536"], &["--listen", "127.0.0.1:65536"]),
    (&["--listen", ""], &["--listen"]),
    (&["--database", "relay.db"], &["--database", "relay.db", "sqlite:"]),
    (&["--database", "sqlite::memory:"], &["--database", ":memory:", "sqlite:"]),
    (&["--database", "postgres://somewhere/x"], &["--database", "postgres://somewhere/x", "sqlite:"]),
    (&["--sample-rate", "0"], &["--sample-rate", "0", "1..=10000"]),
    (&["--body-bytes-max", "18446744073709551616"], &["--body-bytes-max", "18446744073709551616"]),
    (&["--body-bytes-max", "255"], &["--body-bytes-max", "255", "256..="]),
    (&["--connections-max", "0"], &["--connections-max", "0", "1..="]),
    (&["--queue-max", "-1"], &["--queue-max", "-1", "1..="]),
    (&["--commit-max", "NaN"], &["--commit-max", "NaN"]),
    (&["--backlog-max", "0"], &["--backlog-max", "0", "1..="]),
    (&["--deliveries-max", "4294967296"], &["--deliveries-max", "4294967296", "1..="]),
    (&["--attempts-max", "0"], &["--attempts-max", "0", "1..="]),
    (&["--allow-target", "http://host/"], &["--allow-target", "http://host/", "HOST"]),
    (&["--log", "landfall_demo=loudly"], &["--log", "loudly", "debug"]),
    (&["--until"], &["--until"]),
    (&["--nonsense"], &["--nonsense"]),
    (&["stray"], &["stray"]),
];

pub(super) fn run(setting: &Setting) -> Result<Part, Failure> {
    let program = setting.relay()?;
    let workplace = Workplace::new()?;
    let mut part = Part::default();
    for (args, words) in WRONG {
        let mut command = Command::new(&program.path);
        command.args(*args);
        part.findings.extend("option", refused(&format!("{args:?}"), &mut command, 2, words, &workplace)?);
        part.tried += 1;
    }
    // Not an option, but read all the same. An empty value is no value.
    let mut command = Command::new(&program.path);
    command.args(["--tls-ca", "no-such-file.pem", "--until", "1ms"]);
    part.findings.extend("option", refused("--tls-ca", &mut command, 1, &["no-such-file.pem"], &workplace)?);
    part.tried += 1;
    Ok(part)
}
