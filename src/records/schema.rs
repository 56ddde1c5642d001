//! JSON Schemas of the committed files, and of an index's lines, generated from the types that read and write them.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

use crate::model::{Environment, Heartbeat, Index, Manifest, Policy, Record, Yank, to_canonical_json};

/// Name and text of each schema (draft 2020-12), as they are committed in this project's own `records/schema/`.
pub fn schemas() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("manifest.schema.json", schema_of::<Manifest>()),
        ("record.schema.json", schema_of::<Record>()),
        ("yanked.schema.json", schema_of::<Yank>()),
        ("environment.schema.json", schema_of::<Environment>()),
        ("policy.schema.json", schema_of::<Policy>()),
        ("heartbeat.schema.json", schema_of::<Heartbeat>()),
        ("index-line.schema.json", to_canonical_json(&Index::line_schema())),
    ]
}

fn schema_of<T: JsonSchema>() -> Vec<u8> {
    to_canonical_json(&SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>())
}

#[cfg(test)]
mod tests {
    // The one test that reads the environment and writes into the source tree, when it is told to.
    #![allow(clippy::disallowed_methods)]

    use super::*;

    #[test]
    fn the_committed_schemas_are_those_of_the_types() {
        let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("records/schema");
        let update = std::env::var_os("UPDATE_SCHEMA").is_some();
        for (name, text) in schemas() {
            let path = directory.join(name);
            if update {
                std::fs::create_dir_all(&directory).expect("records/schema");
                std::fs::write(&path, &text).expect("a schema");
            }
            let committed = std::fs::read(&path).unwrap_or_default();
            assert!(
                committed == text,
                "`records/schema/{name}` is stale: run `UPDATE_SCHEMA=1 cargo test --lib records::schema` and commit it"
            );
        }
    }
}
