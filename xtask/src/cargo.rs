//! Starting cargo and its companions, and saying which command line failed.

use std::ffi::OsString;
use std::process::{Command, Stdio};

/// The cargo that started us, so that `cargo +nightly xtask` stays on nightly.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// Runs a command with its output shown, and fails if it fails.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    println!("$ {}", line(command));
    let status = command.status().map_err(|error| format!("cannot start `{}`: {error}", line(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed: {status}", line(command))) }
}

/// Runs a command and gives its standard output; what it says on standard error is shown.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start `{}`: {error}", line(command)))?;
    if !output.status.success() {
        return Err(format!("`{}` failed: {}", line(command), output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{}` printed bytes that are not UTF-8", line(command)))
}

/// Whether a command can be started and succeeds; it is not shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The command as one would type it: the program's name without its path, and what is set for it.
pub(crate) fn line(command: &Command) -> String {
    let mut words: Vec<String> = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={:?}", name.to_string_lossy(), value?)))
        .collect();
    let program = std::path::Path::new(command.get_program());
    words.push(program.file_stem().unwrap_or(command.get_program()).to_string_lossy().into_owned());
    words.extend(command.get_args().map(|argument| argument.to_string_lossy().into_owned()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_cannot_start_is_named() {
        let missing = run(Command::new("landfall-no-such-program").arg("--now")).expect_err("it does not exist");
        assert!(missing.contains("landfall-no-such-program --now"), "{missing}");
    }

    #[test]
    fn a_command_that_fails_is_named_with_its_status() {
        let failed = output(Command::new("sh").args(["-c", "exit 3"])).expect_err("it fails");
        assert_eq!(failed, "`sh -c exit 3` failed: exit status: 3");
    }
}
