//! What each message may hold more than once, for the crate to weigh what it is about to decode.

use std::fmt::Write;
use std::path::Path;

use heck::{ToShoutySnakeCase, ToUpperCamelCase};
use protox::prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};

use crate::generate::{OPTIONAL, formatted};

const HEAD: &str =
    "//! What each message may hold more than once: generated from `proto/nri.proto` by `cargo xtask codegen`.

// This file is @generated.
use super::weight::{Field, Shape};

";

/// The shapes of all messages, and which is that of the argument of a method, as rustfmt leaves them.
pub(crate) fn shapes(protocol: &DescriptorPool, root: &Path) -> Result<String, String> {
    let mut text = HEAD.to_owned();
    let service = |name: &str| protocol.services().find(|service| service.name() == name).ok_or("a service is missing");
    let methods: Vec<_> = service("Plugin")?.methods().filter(|method| is_of_its_own(&method.input())).collect();
    // What a runtime sends: the arguments of a plugin's methods, and the answers of its own.
    let answers = service("Runtime")?.methods().map(|method| method.output()).collect::<Vec<_>>();
    let mut messages: Vec<_> = methods.iter().map(|method| method.input()).chain(answers).collect();
    messages.retain(is_of_its_own);
    let mut seen = 0;
    while let Some(message) = messages.get(seen).cloned() {
        let parts = message.fields().filter_map(|field| part_of(&field)).filter(is_of_its_own);
        for part in parts {
            if !messages.contains(&part) {
                messages.push(part);
            }
        }
        seen += 1;
    }
    text += "/// The shape of what a method of a plugin takes.\npub(crate) fn argument_of(method: &str) -> Option<&'static Shape> {\n";
    text += "Some(match method {\n";
    for method in methods {
        push(&mut text, format_args!("{:?} => &{},\n", method.name(), method.input().name().to_shouty_snake_case()));
    }
    text += "_ => return None,\n})\n}\n";
    for message in messages {
        let (shape, name) = (message.name().to_shouty_snake_case(), message.name().to_upper_camel_case());
        for field in message.fields().filter(FieldDescriptor::is_map) {
            push_entry(&mut text, &field);
        }
        push(&mut text, format_args!("\npub(crate) static {shape}: Shape = Shape {{\n"));
        push(&mut text, format_args!("bytes: size_of::<super::{name}>(),\nfields: &[\n"));
        for field in message.fields() {
            if let Some(kind) = kind_of(&field)? {
                push(&mut text, format_args!("({}, Field::{kind}),\n", field.number()));
            }
        }
        text += "],\n};\n";
    }
    formatted(&text, root)
}

/// The shape of an entry of a map to messages.
fn push_entry(text: &mut String, field: &FieldDescriptor) {
    let Kind::Message(entry) = field.kind() else { return };
    let Kind::Message(value) = entry.map_entry_value_field().kind() else { return };
    let (shape, name) = (value.name().to_shouty_snake_case(), value.name().to_upper_camel_case());
    push(text, format_args!("\npub(crate) static {}: Shape = Shape {{\n", entry_of(field)));
    push(
        text,
        format_args!("bytes: size_of::<(String, super::{name})>(),\nfields: &[(2, Field::Message(&{shape}))],\n}};\n"),
    );
}

fn entry_of(field: &FieldDescriptor) -> String {
    format!("{}_{}_ENTRY", field.parent_message().name(), field.name()).to_shouty_snake_case()
}

/// The message that a field holds, or the values of its map.
fn part_of(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => match entry.map_entry_value_field().kind() {
            Kind::Message(value) => Some(value),
            _ => None,
        },
        Kind::Message(message) => Some(message),
        _ => None,
    }
}

fn push(text: &mut String, more: std::fmt::Arguments<'_>) {
    // A string takes everything.
    let _infallible = text.write_fmt(more);
}

/// Whether it is a type in Rust: neither a map's entry, nor empty, nor a value that may be absent.
fn is_of_its_own(message: &MessageDescriptor) -> bool {
    let is_optional = OPTIONAL.iter().any(|(name, _)| *name == message.name());
    !message.is_map_entry() && message.fields().len() > 0 && !is_optional
}

/// What of a field takes more than the bytes that come for it; nothing for most.
fn kind_of(field: &FieldDescriptor) -> Result<Option<String>, String> {
    Ok(match field.kind() {
        Kind::Message(entry) if field.is_map() => {
            let (key, value) = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
            match (key, value) {
                (Kind::String | Kind::Int32, Kind::String) => Some("Entries".to_owned()),
                (Kind::String | Kind::Int32, Kind::Message(_)) => Some(format!("Messages(&{})", entry_of(field))),
                (key, value) => return Err(format!("{} is a map from {key:?} to {value:?}", field.full_name())),
            }
        }
        Kind::Message(message) if !is_of_its_own(&message) => match field.is_list() {
            false => None,
            true => return Err(format!("{} is a list of values that may be absent", field.full_name())),
        },
        Kind::Message(message) => {
            let kind = if field.is_list() { "Messages" } else { "Message" };
            Some(format!("{kind}(&{})", message.name().to_shouty_snake_case()))
        }
        _ if !field.is_list() => None,
        Kind::String | Kind::Bytes => Some("Texts".to_owned()),
        Kind::Double | Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64 => {
            Some("Numbers(8)".to_owned())
        }
        _ => Some("Numbers(4)".to_owned()),
    })
}
