//! The proof that [`schema`](super::schema) and the serde types say the same.

use super::schema::{Key, Kind, Need, ROOT};
use super::types::Config;
use super::values;
use serde::Deserialize;
use serde_json::{Value, json};

/// A value of this kind.
fn sample(kind: Kind, sink: usize) -> Value {
    match kind {
        Kind::Boolean => json!(true),
        Kind::Integer(least, _) => json!(least),
        Kind::Text | Kind::Word => json!("word"),
        Kind::Subject => json!("word.{epoch}"),
        Kind::Choice(words) => json!(words[0]),
        Kind::Duration(least, _) => json!(format!("{least}ms")),
        Kind::Size => json!("1KiB"),
        Kind::Path | Kind::Roots => json!("/a/file"),
        Kind::Address | Kind::Gateway => json!("10.0.0.1"),
        Kind::Prefix => json!("10.0.0.0/8"),
        Kind::Endpoint => json!("10.0.0.1:443"),
        Kind::Listen => json!("127.0.0.1:8787"),
        Kind::Host => json!("host.example"),
        Kind::Server => json!("host.example:1"),
        Kind::Interface => json!("ppp*"),
        Kind::Url(schemes) => json!(format!("{}://host.example/", schemes[0])),
        Kind::Timestamp => json!("2026-12-01T22:00:00+08:00"),
        Kind::TimeOfDay => json!("22:00"),
        Kind::UsbId => json!("0951"),
        Kind::PublicKey => json!("00".repeat(32)),
        Kind::RuleSet => json!("example"),
        Kind::Code => json!("line.down"),
        Kind::List(of) => json!([sample(*of, sink)]),
        Kind::Table(keys) => table(keys, sink),
        Kind::Tables(keys, _) => json!([table(keys, sink)]),
        Kind::Variants(variants) => {
            let mut value = table(variants[sink].keys, sink);
            value["kind"] = json!(variants[sink].kind);
            json!([value])
        }
    }
}

/// A table with every key.
fn table(keys: &[Key], sink: usize) -> Value {
    keys.iter().map(|key| (key.name.to_owned(), sample(key.kind, sink))).collect::<serde_json::Map<_, _>>().into()
}

/// Calls with each key and its pointer in the sample.
fn each(keys: &[Key], pointer: &str, sink: usize, call: &mut dyn FnMut(&Key, &str)) {
    for key in keys {
        call(key, pointer);
        let below = format!("{pointer}/{}", key.name);
        match key.kind {
            Kind::Table(inner) => each(inner, &below, sink, call),
            Kind::Tables(inner, _) => each(inner, &format!("{below}/0"), sink, call),
            Kind::Variants(variants) => each(variants[sink].keys, &format!("{below}/0"), sink, call),
            _ => {}
        }
    }
}

/// No key but the known ones.
fn leftover(value: &Value, pointer: &str, known: &[String]) {
    match value {
        Value::Object(map) => map.iter().for_each(|(name, inner)| {
            let below = format!("{pointer}/{name}");
            assert!(known.contains(&below), "the schema lacks {below}");
            leftover(inner, &below, known);
        }),
        Value::Array(items) => items.iter().take(1).for_each(|inner| leftover(inner, &format!("{pointer}/0"), known)),
        _ => {}
    }
}

#[test]
fn the_types_take_every_key_of_the_schema_and_have_no_other() {
    for sink in 0..3 {
        let full = table(ROOT, sink);
        let config = Config::deserialize(&full).expect("all keys are known to the types");
        let mut written = serde_json::to_value(&config).expect("plain data");
        each(ROOT, "", sink, &mut |key, pointer| {
            assert!(written.pointer(&format!("{pointer}/{}", key.name)).is_some(), "{pointer}/{} is lost", key.name);
        });
        // Take away what the schema knows: nothing may be left.
        let mut known = Vec::new();
        each(ROOT, "", sink, &mut |key, pointer| known.push(format!("{pointer}/{}", key.name)));
        known.push("/sink/0/kind".to_owned());
        leftover(&written.take(), "", &known);
    }
}

#[test]
fn a_key_is_needed_by_the_schema_when_the_types_cannot_do_without_it() {
    for sink in 0..3 {
        each(ROOT, "", sink, &mut |key, pointer| {
            let mut less = table(ROOT, sink);
            less.pointer_mut(pointer).and_then(Value::as_object_mut).expect("a table").remove(key.name);
            assert_eq!(Config::deserialize(&less).is_err(), key.need == Need::Needed, "{pointer}/{}", key.name);
        });
    }
}

#[test]
fn words_of_a_choice_are_those_of_the_types() {
    for sink in 0..3 {
        each(ROOT, "", sink, &mut |key, pointer| {
            let Kind::Choice(words) = key.kind else { return };
            for word in words {
                let mut other = table(ROOT, sink);
                other.pointer_mut(pointer).expect("a table")[key.name] = json!(word);
                assert!(Config::deserialize(&other).is_ok(), "{pointer}/{} = {word}", key.name);
            }
            let mut other = table(ROOT, sink);
            other.pointer_mut(pointer).expect("a table")[key.name] = json!("no-such-word");
            let error = Config::deserialize(&other).expect_err("no such word").to_string();
            for word in error.split('`').skip(1).step_by(2).filter(|word| *word != "no-such-word") {
                assert!(words.contains(&word), "{pointer}/{} lacks {word}", key.name);
            }
        });
    }
}

#[test]
fn every_sample_passes_the_checker() {
    each(ROOT, "", 2, &mut |key, pointer| {
        if let Value::String(text) = sample(key.kind, 2) {
            let value = toml::de::DeValue::String(text.into());
            assert!(values::check(key.kind, &value).is_ok(), "{pointer}/{}", key.name);
        }
    });
}
