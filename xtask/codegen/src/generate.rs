//! From a `.proto` to Rust, by protox and prost-build: no protoc is needed.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use protox::prost_reflect::DescriptorPool;

/// What the generated file begins with.
const HEAD: &str = "//! The messages of NRI's protocol: generated from `proto/nri.proto` by `cargo xtask codegen`.\n\n";

/// Messages that only say whether there is a value: prost has the value itself as a message of that form.
pub(crate) const OPTIONAL: &[(&str, &str)] = &[
    ("OptionalBool", "bool"),
    ("OptionalFileMode", "u32"),
    ("OptionalInt", "i64"),
    ("OptionalInt32", "i32"),
    ("OptionalInt64", "i64"),
    ("OptionalString", "::prost::alloc::string::String"),
    ("OptionalUInt32", "u32"),
    ("OptionalUInt64", "u64"),
];

/// Compiles a protocol.
pub(crate) fn compile(proto: &Path) -> Result<DescriptorPool, String> {
    let failed = |error: protox::Error| format!("{error}");
    let place = proto.parent().unwrap_or(Path::new("."));
    let mut compiler = protox::Compiler::new([place]).map_err(failed)?;
    compiler.include_source_info(true).include_imports(true).open_file(proto).map_err(failed)?;
    Ok(compiler.descriptor_pool())
}

/// The protocol in Rust, as rustfmt leaves it.
pub(crate) fn messages(protocol: &DescriptorPool, root: &Path) -> Result<String, String> {
    let mut config = prost_build::Config::new();
    // Sorted, so that a message has one encoding only.
    config.btree_map(["."]);
    // Theirs is written by hand, in `shown.rs`: they hold values of variables, which may be secrets.
    config.skip_debug(["Container", "Hook", "KeyValue"].map(|name| format!(".nri.pkg.api.v1alpha1.{name}")));
    for message in protocol.all_messages().filter(|message| message.fields().len() == 0) {
        config.extern_path(format!(".{}", message.full_name()), "()");
    }
    for message in protocol.all_messages() {
        if let Some((_, value)) = OPTIONAL.iter().find(|(name, _)| *name == message.name()) {
            config.extern_path(format!(".{}", message.full_name()), *value);
        }
    }
    let files = protocol.file_descriptor_protos().cloned();
    let requests = files.map(|file| (prost_build::Module::from_protobuf_package_name(file.package()), file)).collect();
    let modules = config.generate(requests).map_err(|error| error.to_string())?;
    let text: String = modules.into_values().collect();
    formatted(&format!("{HEAD}{text}"), root)
}

/// As rustfmt leaves it.
pub(crate) fn formatted(text: &str, root: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cannot run rustfmt to its end: {error}");
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--edition", "2024", "--config-path"]).arg(root).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = rustfmt.spawn().map_err(failed)?;
    let mut stdin = child.stdin.take().ok_or("rustfmt has no standard input")?;
    // It reads all before it prints: no second thread is needed.
    stdin.write_all(text.as_bytes()).map_err(failed)?;
    drop(stdin);
    let output = child.wait_with_output().map_err(failed)?;
    if !output.status.success() {
        return Err(format!("rustfmt failed: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| "rustfmt printed bytes that are not UTF-8".to_owned())
}
