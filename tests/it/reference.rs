//! `docs/configuration.md` and `docs/config.schema.json` are made from the schema, and the schema says what the reader does: it
//! knows the same keys, takes every example, and does by itself what each default says.
//!
//! `UPDATE_DOCS=1 cargo test --test it reference` writes both.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use deploy_tool::config::{self, Config, Problem};
use serde_json::{Map, Value, json};

/// A key of the file: its path (`publish.targets.near.mode`), what the schema says of it, and a file it can stand in.
struct Key {
    path: Vec<String>,
    schema: Value,
    around: Value,
}

/// A mapping of the file, with the names of its keys.
struct Section {
    path: Vec<String>,
    keys: Vec<String>,
    around: Value,
}

/// The name that an entry of a mapping with names of the user's gets here.
fn entry_name(path: &[String]) -> &'static str {
    if path.last().is_some_and(|name| name == "targets") { "near" } else { "model" }
}

/// Follows the schema down.
fn walk(path: &[String], schema: &Value, around: &Value, sections: &mut Vec<Section>, keys: &mut Vec<Key>) {
    if let Some(kinds) =
        schema["oneOf"].as_array().filter(|kinds| kinds.iter().all(|kind| kind["properties"].is_object()))
    {
        for kind in kinds {
            walk(path, kind, around, sections, keys);
        }
    } else if let Some(properties) = schema["properties"].as_object() {
        let mut around = around.clone();
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let value = &properties[name];
            put(&mut around, &[path, &[name.to_owned()]].concat(), example(value).unwrap_or(&value["const"]).clone());
        }
        // One of three, and the reader wants one.
        if path.ends_with(&["health".to_owned()]) {
            put(&mut around, &[path, &["http".to_owned()]].concat(), json!("http://127.0.0.1/"));
        }
        sections.push(Section {
            path: path.to_vec(),
            keys: properties.keys().cloned().collect(),
            around: around.clone(),
        });
        for (name, schema) in properties {
            let path = [path, std::slice::from_ref(name)].concat();
            keys.push(Key { path: path.clone(), schema: schema.clone(), around: around.clone() });
            walk(&path, schema, &around, sections, keys);
        }
    } else if let Some(named) = schema.get("additionalProperties").filter(|_| example(schema).is_none()) {
        let path = [path, &[entry_name(path).to_owned()]].concat();
        let mut around = around.clone();
        put(&mut around, &path, json!({}));
        walk(&path, named, &around, sections, keys);
    }
}

fn example(schema: &Value) -> Option<&Value> {
    schema["examples"].get(0)
}

fn put(document: &mut Value, path: &[String], value: Value) {
    let mut at = document;
    for name in path {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = &mut at[name.as_str()];
    }
    *at = value;
}

fn all() -> (Value, Vec<Section>, Vec<Key>) {
    let schema = config::schema();
    let (mut sections, mut keys) = (Vec::new(), Vec::new());
    walk(&[], &schema, &json!({}), &mut sections, &mut keys);
    (schema, sections, keys)
}

fn read(document: &Value) -> Result<(Config, Vec<config::Warning>), config::Error> {
    let text = document.to_string();
    config::parse(&text, Path::new("/p/.deploy-tool.yaml"), &|_| Some("given".to_owned()), Some(Path::new("/home/mei")))
}

#[test]
fn the_schema_knows_the_keys_that_the_reader_knows() {
    let (_, sections, _) = all();
    assert!(sections.len() >= 20, "{}", sections.len());
    for section in sections {
        let mut document = section.around.clone();
        put(&mut document, &[&section.path[..], &["no-such-key".to_owned()]].concat(), json!(1));
        let error = read(&document).expect_err("an unknown key");
        let Problem::UnknownKey { mut known, .. } = *error.problem else { panic!("{document}: {error}") };
        known.sort_unstable();
        let mut keys = section.keys;
        keys.sort();
        assert_eq!(keys, known, "{}", section.path.join("."));
    }
}

#[test]
fn every_example_is_read_and_every_default_is_what_is_done_anyway() {
    let (_, _, keys) = all();
    let (mut examples, mut defaults) = (0, 0);
    for key in keys {
        let name = key.path.join(".");
        let mut document = key.around.clone();
        let is_a_section = ["object", "array"].iter().any(|kind| kind_of(&key.schema) == *kind);
        let Some(example) = example(&key.schema) else {
            assert!(
                is_a_section || key.schema["oneOf"].is_array() || !key.schema["const"].is_null(),
                "no example: {name}"
            );
            continue;
        };
        assert!(key.schema["description"].is_string(), "no words: {name}");
        if name.starts_with("deploy.health.") && ["command", "tcp"].contains(&key.path[2].as_str()) {
            document = json!({});
        }
        if name == "publish.default" || name == "publish.require" || name == "deploy.sources" {
            let targets =
                json!({"near": {"type": "filesystem", "path": "a"}, "cloud": {"type": "filesystem", "path": "b"}});
            put(&mut document, &["publish".into(), "targets".into()], targets);
        }
        let without = read(&document);
        put(&mut document, &key.path, example.clone());
        let (with, warnings) = read(&document).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(warnings.is_empty(), "{name}: {warnings:?}");
        examples += 1;
        if name != "version"
            && let Ok((without, _)) = &without
            && !key.path.iter().any(|part| {
                ["session_token", "access_key", "secret_key", "username", "password"].contains(&part.as_str())
            })
            && document != key.around
        {
            assert!(*without != with, "the example of {name} changes nothing");
        }
        if let Some(default) = key.schema.get("default") {
            put(&mut document, &key.path, default.clone());
            let (with, _) = read(&document).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(with, without.expect("read without it").0, "the default of {name}");
            defaults += 1;
        }
    }
    assert!(examples > 90 && defaults > 20, "{examples} {defaults}");
}

/// The first type that is not `null`.
fn kind_of(schema: &Value) -> &str {
    match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or_default(),
        kind => kind.as_str().unwrap_or_default(),
    }
}

/// What may stand there, in a few words.
fn value(schema: &Value) -> String {
    if let Some(title) = schema["title"].as_str() {
        return title.to_owned();
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<_> = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        return words.join(", ");
    }
    if let Some(inner) = schema["anyOf"].as_array().and_then(|any| any.iter().find(|inner| inner["type"] != "null")) {
        return value(inner);
    }
    match kind_of(schema) {
        "string" => "text".to_owned(),
        "boolean" => "`true` or `false`".to_owned(),
        "integer" => match (&schema["minimum"], &schema["maximum"]) {
            (Value::Number(least), Value::Number(most)) if least != most => format!("number, {least} to {most}"),
            (Value::Number(least), Value::Null) if least.as_i64() != Some(0) => format!("number, at least {least}"),
            _ => "number".to_owned(),
        },
        "array" => format!("list: {}", value(&schema["items"])),
        "object" => format!("mapping: {}", value(&schema["additionalProperties"])),
        other => panic!("{other}: {schema}"),
    }
}

/// A value as a line of YAML.
fn flow(value: &Value, inside: bool) -> String {
    match value {
        Value::String(text) => {
            let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || "./~$".contains(c))
                || text.ends_with(|c: char| c.is_ascii_alphabetic());
            let odd = text.contains(": ") || (inside && text.contains([',', '{', '}', '[', ']']));
            if plain && !odd && !text.starts_with(['>', '*', '-']) { text.clone() } else { format!("{text:?}") }
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(|item| flow(item, true)).collect::<Vec<_>>().join(", "))
        }
        Value::Object(map) => {
            let entries: Vec<_> = map.iter().map(|(key, item)| format!("{key}: {}", flow(item, true))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

/// One section: its keys, then the sections below it.
fn section(path: &str, schema: &Value, words: Option<&str>, out: &mut String) {
    if let Some(words) = words {
        let _ = write!(out, "## `{path}`\n\n{}\n\n", one_line(words));
    }
    let properties = schema["properties"].as_object().expect("a section");
    let required = |name: &str| schema["required"].as_array().is_some_and(|r| r.iter().any(|r| r == name));
    let mut below = Vec::new();
    for (name, key) in properties {
        let words = one_line(key["description"].as_str().unwrap_or_default());
        let named = key
            .get("additionalProperties")
            .filter(|inner| inner["properties"].is_object() || inner["oneOf"].is_array());
        if key["const"].is_string() {
            continue;
        }
        if key["properties"].is_object() || named.is_some() {
            let inner = named.unwrap_or(key).clone();
            let at = [path, name].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".");
            below.push((if named.is_some() { format!("{at}.<name>") } else { at }, inner, words));
            continue;
        }
        let mut facts = vec![value(key)];
        match key.get("default") {
            _ if required(name) => facts.push("required".to_owned()),
            Some(default) => facts.push(format!("default `{}`", flow(default, false))),
            None => {}
        }
        let example = example(key).map(|example| format!("; `{name}: {}`", flow(example, false))).unwrap_or_default();
        let _ = writeln!(out, "- **`{name}`** ({}{example}). {words}", facts.join(", "));
    }
    if !out.ends_with("\n\n") {
        out.push('\n');
    }
    for (path, schema, words) in below {
        match schema["oneOf"].as_array() {
            None => section(&path, &schema, Some(&words), out),
            Some(kinds) => {
                let _ = write!(out, "## `{path}`\n\n{words}\n\n");
                for kind in kinds {
                    let _ = write!(
                        out,
                        "### `type: {}`\n\n{}\n\n",
                        kind["properties"]["type"]["const"].as_str().expect("a type"),
                        one_line(kind["description"].as_str().expect("words"))
                    );
                    section(&path, kind, None, out);
                }
            }
        }
    }
}

fn one_line(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

const HEAD: &str = "\
# Configuration

<!-- Made from the schema in `src/config/schema`: `UPDATE_DOCS=1 cargo test --test it reference`. -->

`.deploy-tool.yaml` is looked for in the working directory and upward from there, then in the root, then it is
`/etc/deploy-tool.yaml`; `--config FILE` names another. Every key has a default, so an empty file is valid, and `deploy-tool
init` writes a commented one. One file may hold both sides: the project's (`components`, `pack`, `records`, `publish`) and
the host's (`deploy`, `store`).

- Relative paths are relative to the file; `~` is the home directory.
- `${NAME}` takes a variable, `${NAME:-other}` another text where it is not set; a `$` of the value itself is `$$`.
- A key that is not known is an error that names the line and the nearest known key. A key without a value counts as absent.
- Secrets do not belong in the file: one that stands there literally is warned about.
- A *size* is `50GiB`, `1.5 MB` or a number of bytes; a *time* is `500ms`, `30s`, `10m`, `12h` or `7d`; *permission bits* are
  octal and quoted, `\"0640\"`.

Editors that know [`config.schema.json`](config.schema.json) complete and check the file; with the YAML language server,
its first line says so:

```text
# yaml-language-server: $schema=https://example.org/config.schema.json
```

In each entry: what may stand there, the default, an example; then what it does.

";

#[test]
fn the_reference_is_made_from_the_schema() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let schema = config::schema();
    let mut page = HEAD.to_owned();
    section("", &schema, None, &mut page);
    let page = page.trim_end().to_owned() + "\n";
    let schema = serde_json::to_string_pretty(&schema).expect("JSON") + "\n";
    for (name, text) in [("configuration.md", page), ("config.schema.json", schema)] {
        let path = docs.join(name);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &text).expect("written");
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "docs/{name} is stale: run `UPDATE_DOCS=1 cargo test --test it reference`");
    }
}
