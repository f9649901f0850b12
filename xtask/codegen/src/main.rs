//! Generates the messages of landfall-stub from their `.proto`, once that says what the table of messages says.
//!
//! A package of its own, so that `cargo xtask` is built without a compiler of protocols.

mod generate;
mod shapes;
mod table;

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

const PROTO: &str = "crates/stub/proto/nri.proto";
const TABLE: &str = "crates/stub/tests/data/nri-messages.csv";
const MESSAGES: &str = "crates/stub/src/messages/generated.rs";
const SHAPES: &str = "crates/stub/src/messages/shapes.rs";

fn main() -> ExitCode {
    let check = match env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [flag] if flag == "--check" => true,
        other => {
            eprintln!("codegen: knows `--check` and nothing else, but got `{}`", other.join(" "));
            return ExitCode::from(2);
        }
    };
    match run(&root(), check) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("codegen: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn run(root: &Path, check: bool) -> Result<String, String> {
    let protocol = generate::compile(&root.join(PROTO))?;
    let rows = table::read(&text(root, TABLE)?)?;
    let count = rows.len();
    let faults = table::compare(&rows, &table::rows_of(&protocol));
    if !faults.is_empty() {
        return Err(format!("{PROTO} is not what {TABLE} says:\n{}", faults.join("\n")));
    }
    let files = [(MESSAGES, generate::messages(&protocol, root)?), (SHAPES, shapes::shapes(&protocol, root)?)];
    for (path, fresh) in files {
        if !check {
            fs::write(root.join(path), fresh).map_err(|error| format!("cannot write {path}: {error}"))?;
        } else if text(root, path)? != fresh {
            return Err(format!("{path} is not what {PROTO} says: `cargo xtask codegen` writes it"));
        }
    }
    match check {
        true => Ok(format!("{MESSAGES} and {SHAPES} are what {PROTO} says, and that has all {count} rows of {TABLE}")),
        false => Ok(format!("wrote {MESSAGES} and {SHAPES}")),
    }
}

fn text(root: &Path, path: &str) -> Result<String, String> {
    fs::read_to_string(root.join(path)).map_err(|error| format!("cannot read {path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocol() -> protox::prost_reflect::DescriptorPool {
        generate::compile(&root().join(PROTO)).expect("it compiles")
    }

    fn rows() -> table::Rows {
        table::read(&text(&root(), TABLE).expect("it is there")).expect("it can be read")
    }

    #[test]
    fn every_row_of_the_table_is_in_the_protocol_with_its_number_and_type_and_nothing_else_is() {
        assert_eq!(rows().len(), 386);
        assert_eq!(table::compare(&rows(), &table::rows_of(&protocol())), Vec::<String>::new());
    }

    #[test]
    fn a_planted_wrong_row_is_found() {
        let protocol = table::rows_of(&protocol());
        for (row, wrong) in [
            (
                "message,LinuxCPU,quota,2,OptionalInt64,singular,,,",
                "message,LinuxCPU,quota,3,OptionalInt64,singular,,,",
            ),
            ("message,LinuxPids,limit,1,int64,singular,,,", "message,LinuxPids,limit,1,uint64,singular,,,"),
            ("message,Hook,args,2,string,repeated,,,", "message,Hook,args,2,string,singular,,,"),
            ("enum,Event,LAST,15,,,,,", "enum,Event,LAST,16,,,,,"),
        ] {
            let mut planted = rows();
            assert!(planted.remove(row), "{row}");
            planted.insert(wrong.to_owned());
            let found = table::compare(&planted, &protocol);
            assert_eq!(found, [format!("missing: {wrong}"), format!("not in the table: {row}")]);
        }
    }

    #[test]
    fn what_is_checked_in_is_what_is_generated() {
        run(&root(), true).expect("`cargo xtask codegen` was run");
    }
}
