//! The table of messages, and a protocol brought into the same form.

use std::collections::BTreeSet;

use protox::prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor,
};

/// Rows as the table has them: `kind,parent,name,number,type,label,oneof,request,response`.
pub(crate) type Rows = BTreeSet<String>;

const HEAD: &str = "kind,parent,name,number,type,label,oneof,request,response,since";

/// Reads the table, without the last column: since which version there is such a row.
pub(crate) fn read(text: &str) -> Result<Rows, String> {
    let mut lines = text.lines();
    if lines.next() != Some(HEAD) {
        return Err(format!("the table does not begin with `{HEAD}`"));
    }
    lines
        .map(|line| match line.rsplit_once(',') {
            Some((row, _)) => Ok(row.to_owned()),
            None => Err(format!("`{line}` is no row")),
        })
        .collect()
}

/// What one of them has and the other has not.
pub(crate) fn compare(table: &Rows, protocol: &Rows) -> Vec<String> {
    let missing = table.difference(protocol).map(|row| format!("missing: {row}"));
    missing.chain(protocol.difference(table).map(|row| format!("not in the table: {row}"))).collect()
}

/// A protocol as rows.
pub(crate) fn rows_of(protocol: &DescriptorPool) -> Rows {
    let mut rows = Rows::new();
    for service in protocol.services() {
        rows.extend(service.methods().map(|method| of_method(service.full_name(), &method)));
    }
    for message in protocol.all_messages().filter(|message| !message.is_map_entry()) {
        let name = within_package(message.full_name(), message.package_name());
        if message.fields().len() == 0 {
            rows.insert(format!("message,{name},,,,empty,,,"));
        }
        rows.extend(message.fields().map(|field| of_field(name, &field)));
    }
    for enumeration in protocol.all_enums() {
        let name = within_package(enumeration.full_name(), enumeration.package_name());
        rows.extend(enumeration.values().map(|value| format!("enum,{name},{},{},,,,,", value.name(), value.number())));
    }
    rows
}

fn of_method(service: &str, method: &MethodDescriptor) -> String {
    let arity = if method.is_client_streaming() || method.is_server_streaming() { "streaming" } else { "unary" };
    let (input, output) = (method.input(), method.output());
    format!("method,{service},{},,{arity},,,{},{}", method.name(), input.name(), output.name())
}

fn of_field(message: &str, field: &FieldDescriptor) -> String {
    let (kind, label) = match (field.kind(), field.cardinality()) {
        (Kind::Message(entry), _) if field.is_map() => (map(&entry), "map"),
        (kind, Cardinality::Repeated) if field.is_packed() => (name_of(&kind), "repeated-packed"),
        (kind, Cardinality::Repeated) => (name_of(&kind), "repeated"),
        (kind, Cardinality::Required) => (name_of(&kind), "required"),
        (kind, Cardinality::Optional) if field.field_descriptor_proto().proto3_optional() => {
            (name_of(&kind), "optional")
        }
        (kind, Cardinality::Optional) => (name_of(&kind), "singular"),
    };
    let oneof = field.containing_oneof().map(|oneof| oneof.name().to_owned()).unwrap_or_default();
    format!("message,{message},{},{},{kind},{label},{oneof},,", field.name(), field.number())
}

/// As the table quotes it: the type holds a comma.
fn map(entry: &MessageDescriptor) -> String {
    let (key, value) = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
    format!("\"map<{},{}>\"", name_of(&key), name_of(&value))
}

fn name_of(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => within_package(message.full_name(), message.package_name()).to_owned(),
        Kind::Enum(enumeration) => of_enum(enumeration).to_owned(),
        scalar => format!("{scalar:?}"),
    }
}

fn of_enum(enumeration: &EnumDescriptor) -> &str {
    within_package(enumeration.full_name(), enumeration.package_name())
}

fn within_package<'a>(name: &'a str, package: &str) -> &'a str {
    name.strip_prefix(package).map_or(name, |rest| rest.trim_start_matches('.'))
}
